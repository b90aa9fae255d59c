"""State that survives: servers are killed at any moment, and no client notices."""

import errno
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kernels import System, boot
from kernels.stablestore import BASE, ROOM, START
from tests.kernels.survivors import Banker, Book, Purse, Till
from tests.servers.spaces import errno_of
from twinos import ServerDied, WiringError

TRANSPORTS = ("pipe", "ring", "routed")


@pytest.fixture(params=[Purse, Till, Book], ids=["saved", "replayed", "noted"])
def service(request: pytest.FixtureRequest) -> type[Purse]:
    chosen: type[Purse] = request.param
    return chosen


def kill(system: System, name: str, states: tuple[str, ...] = ("running", "starting")) -> None:
    for server in system.status():
        if name in server.services and server.pid and server.state in states:
            with suppress(ProcessLookupError):  # it has died a moment ago
                os.kill(server.pid, signal.SIGKILL)


@contextmanager
def dying(system: System, *names: str, seed: int, every: float = 0.01) -> Iterator[list[int]]:
    """Kill servers at random instants; how often, so far."""
    rng, over, kills = random.Random(seed), threading.Event(), [0]

    def killer() -> None:
        while not over.wait(rng.uniform(0.0, 2 * every)):
            busy = rng.random() < 0.1  # on a busy host it might never come to serve
            kill(system, rng.choice(names), ("running", "starting") if busy else ("running",))
            kills[0] += 1

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        yield kills
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_killed_at_any_moment_each_request_is_done_once(
    service: type[Purse], transport: str
) -> None:
    with boot("microkernel", service, transport=transport) as system:
        purse, total = system[service], 0
        with dying(system, service.__name__, seed=1) as kills:
            while kills[0] < 25:
                total += 1
                assert purse.add(1) == total
                if total % 7 == 0:
                    assert purse.total() == total
        assert purse.total() == total
        assert sum(server.restarts for server in system.status()) > 10


def test_several_clients_and_threads(service: type[Purse]) -> None:
    with boot("microkernel", service) as system:
        users = [system.user() for _ in range(3)]
        sums = [0] * 6

        def work(number: int) -> None:
            purse = users[number % 3][service]
            for _ in range(300):
                purse.add(1)
                sums[number] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        with dying(system, service.__name__, seed=2):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sums == [300] * 6
        assert system[service].total() == 1800


def test_what_was_done_is_not_done_again(service: type[Purse], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.touch()
    with boot("microkernel", service) as system:
        assert system[service].add(5) == 5
        assert system[service].crash_once(str(mark)) == 6
        assert not mark.exists()
        assert system[service].total() == 6


def test_large_messages(service: type[Purse]) -> None:
    with (
        boot("microkernel", service) as system,
        dying(system, service.__name__, seed=3, every=0.1),
    ):
        total = 0
        for size in (10, 20_000, 70_000, 1 << 20) * 8:
            data = bytes([size % 251]) * size
            assert system[service].put(data, 1) == data
            total += size
            assert system[service].total() == total


def test_bundles_are_carried_out_once(service: type[Purse]) -> None:
    with boot("microkernel", service) as system, dying(system, service.__name__, seed=4):
        expected = 0
        for _ in range(30):
            with system.batch(32) as later:
                wanted, made = [], []
                for number in range(32):
                    if number % 8 == 7:
                        made.append(later(system[service].overdraw, 10**9))
                        wanted.append(-1)
                    elif number % 4 == 3:
                        made.append(later(system[service].total))
                        wanted.append(expected)
                    else:
                        expected += 1
                        made.append(later(system[service].add, 1))
                        wanted.append(expected)
            found = []
            for each in made:
                try:
                    found.append(each.result())
                except OSError as error:
                    found.append(-2 if isinstance(error, ServerDied) else -1)
            assert found == wanted


def test_who_waits_is_served_by_the_next_life(service: type[Purse]) -> None:
    with boot("microkernel", service) as system, system.user() as friend:
        left: list[int] = []
        thread = threading.Thread(target=lambda: left.append(system[service].spend(3)))
        thread.start()
        for _ in range(3):
            time.sleep(0.02)
            kill(system, service.__name__)
            friend[service].add(1)
        thread.join(10)
        assert left == [0]


def test_a_service_in_between_notices_nothing() -> None:
    with boot("microkernel", Banker) as system:
        with dying(system, "Till", seed=5):
            for total in range(1, 400):
                assert system[Banker].pay(1) == total
        assert system[Till].total() == 399


def test_who_is_gone_is_gone_in_every_life(service: type[Purse]) -> None:
    with boot("microkernel", service) as system:
        with dying(system, service.__name__, seed=6):
            for _ in range(20):
                with system.user() as user:
                    user[service].own()
                    assert user.caller.id in system[service].owners()
        kill(system, service.__name__)
        deadline = time.monotonic() + 10
        while system[service].owners() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert system[service].owners() == ()


def test_a_request_that_kills_is_not_tried_for_ever(
    service: type[Purse], capfd: pytest.CaptureFixture[str]
) -> None:
    with boot("microkernel", service) as system, system.user() as other:
        system[service].add(7)
        for _ in range(3):
            with pytest.raises(ServerDied, match="died of this request 2 times"):
                system[service].crash()
            assert other[service].add(0) == 7
        assert [server.restarts for server in system.status()] == [6]
    assert "as asked" in capfd.readouterr().err


def test_what_an_operation_changed_that_failed_is_noted() -> None:
    with boot("microkernel", Book) as system, system.user() as other:
        book = system[Book]
        book.add(10)
        for left in (9, 8):
            with pytest.raises(PermissionError):
                book.fine(1)
            kill(system, "Book")
            assert other[Book].total() == left
        with system.batch(3) as later:
            made = [later(book.fine, 1), later(book.add, 5), later(book.fine, 2)]
        assert [errno_of(each.result) for each in made] == [errno.EPERM, None, errno.EPERM]
        kill(system, "Book")
        assert book.total() == 10


def test_time_is_that_of_the_request() -> None:
    with boot("microkernel", Till) as system:
        before = system[Till].stamp()
        kill(system, "Till")
        assert before < system[Till].stamp() < before + 60


def test_a_state_takes_the_place_of_many_requests(service: type[Purse]) -> None:
    with boot("microkernel", service) as system:
        for _ in range(9000):
            system[service].add(1)
        kill(system, service.__name__)
        assert system[service].add(1) == 9001


@pytest.mark.parametrize("place", [BASE + 20, BASE + ROOM + 20, START + 8, START + 60, 0])
def test_damage_is_found_and_said(place: int, capfd: pytest.CaptureFixture[str]) -> None:
    with boot("microkernel", Till) as system:
        for _ in range(5000):
            system[Till].add(1)
        region = system.region(Till, "journal")
        old = region.memory[place]
        region.memory[place] ^= 0xFF
        kill(system, "Till")
        found = system[Till].total()
        said = capfd.readouterr().err
        assert found == 5000 or "twinos: the journal of Till: " in said
        assert system[Till].add(1) == found + 1
        assert old != region.memory[place] or found != 5000 or not said


def test_without_stability_the_state_is_lost(service: type[Purse]) -> None:
    with boot("microkernel", service, stable=False) as system:
        system[service].add(7)
        kill(system, service.__name__)
        with pytest.raises(ServerDied):
            system[service].total()
        assert system[service].total() == 0


def test_in_one_address_space_a_journal_keeps_nothing(service: type[Purse]) -> None:
    with boot("monolithic", service) as system:
        assert system[service].add(7) == 7
        assert abs(system[service].stamp() - time.time()) < 60


def test_stability_is_yes_or_no() -> None:
    with pytest.raises(WiringError, match="stable= is true or false"):
        boot("microkernel", Till, stable="no")  # type: ignore[arg-type]  # that is what is tried
