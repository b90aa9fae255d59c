"""Live update: other code in place of a service's, while clients work; on failure, the old one."""

import errno
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernels import System, boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.kernels.survivors import Banker, Broke, Hasty, Purse, Till
from tests.kernels.test_survival import kill
from twinos import KernelPanic, UpdateError, WiringError

NUMBERS = itertools.count()
HASTE = 0.03
"""Seconds of probation."""
Write = Callable[..., str]


@pytest.fixture(scope="module", params=[Purse, Till], ids=["saved", "replayed"])
def service(request: pytest.FixtureRequest) -> type[Purse]:
    chosen: type[Purse] = request.param
    return chosen


@pytest.fixture(scope="module")
def system(service: type[Purse]) -> Iterator[System]:
    with boot("microkernel", service) as booted:
        booted[service].add(100)
        yield booted


@pytest.fixture
def write(tmp_path: Path, service: type[Purse]) -> Write:
    """Writes a module with a version of the service; where it is."""
    return lambda *body, first="": version(tmp_path, service, *body, first=first)


def version(folder: Path, service: type[Purse], *body: str, first: str = "") -> str:
    path = folder / f"version_{next(NUMBERS)}.py"
    lines = [
        "import os, signal, time",
        "from typing import Annotated",
        "from twinos import *",
        "from servers.disk import Disk",
        f"from tests.kernels.survivors import {service.__name__} as Old",
        first,
        f"class {service.__name__}(Old):",
        "    pass",
        *(f"    {line}" for line in body),
    ]
    path.write_text("\n".join(lines))
    return str(path)


DOUBLE = ("@op", "def add(self, amount: int) -> int:", "    return super().add(2 * amount)")


@contextmanager
def at_work(system: System, service: type[Purse], clients: int = 3) -> Iterator[list[int]]:
    """Clients that add, and see that all was done once; how often, by client."""
    over, wrong = threading.Event(), list[BaseException]()
    done = [0] * clients

    def work(number: int) -> None:
        with system.user() as user:
            last = 0
            try:
                while not over.is_set():
                    total = user[service].add(1)
                    assert total > last
                    last = total
                    done[number] += 1
            except BaseException as error:  # noqa: BLE001 (whatever it is, it is reported)
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    before = system[service].total()
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert system[service].total() == before + sum(done)


def test_new_code_takes_over_while_clients_work(
    system: System, service: type[Purse], write: Write
) -> None:
    pids = set()
    with at_work(system, service) as done:
        for _ in range(5):
            before = sum(done)
            system.update(service, write(), HASTE)
            assert sum(done) > before
            pids |= {server.pid for server in system.status()}
    assert len(pids) == 5


def test_it_is_the_new_code(system: System, service: type[Purse], write: Write) -> None:
    purse, total = system[service], system[service].total()
    system.update(service, write(*DOUBLE), HASTE)
    assert purse.add(5) == total + 10
    kill(system, service.__name__)
    assert purse.add(5) == total + 20, "in its next lives, too"
    system.update(service, service, HASTE)  # as a class
    assert purse.add(5) == total + 25
    system.update(service, service.__module__, HASTE)  # as a module
    assert purse.add(5) == total + 30


def test_a_file_that_was_edited(system: System, service: type[Purse], write: Write) -> None:
    path, total = write(), system[service].total()
    for factor in (2, 3):
        text = Path(write(*DOUBLE)).read_text().replace("2 *", f"{factor} *")
        Path(path).write_text(text)
        system.update(service, f"{path}:{service.__name__}", HASTE)
        total += factor
        assert system[service].add(1) == total
    Path(path).unlink()
    system[service].overdraw(0)
    kill(system, service.__name__)
    assert system[service].total() <= total, "what can't be had any more is not needed"


BAD: dict[str, tuple[str, tuple[str, ...], str]] = {
    "no such name": ("raise ImportError('gone')", (), "can't be imported"),
    "no Python": ("def", (), "SyntaxError"),
    "exits": ("import sys; sys.exit(3)", (), "can't be imported"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", (), "SIGKILL"),
    "an operation less": ("", ("@property", "def total(self): pass"), "total"),
    "another shape": ("", ("@op", "def add(self, amount: str) -> int: return 0"), "clients say"),
    "not to be repeated": ("", ("@op", "def total(self) -> int: return 0"), "repeated"),
    "more privilege": (
        "",
        ("def __init__(self, journal: Journal, disk: Disk) -> None: pass",),
        "may not",
    ),
    "a region more": (
        "",
        ("def __init__(self, journal: Journal, more: Region) -> None: pass",),
        "regions",
    ),
    "no journal": ("", ("def __init__(self) -> None: pass",), "nowhere"),
    "a setting more": (
        "",
        ("def __init__(self, journal: Journal, more: int) -> None: pass",),
        "'more'",
    ),
    "fails in its constructor": ("", ("def _restored(self, saved): 1 / 0",), "division"),
    "dies as it begins": ("", ("def _restored(self, saved): os._exit(9)",), "status 9"),
    "a bug in its first request": (
        "",
        ("@op", "def add(self, amount: int) -> int: return 1 // 0"),
        "division",
    ),
    "crashes in its first request": (
        "",
        ("@op", "def add(self, amount: int) -> int: os.abort()"),
        "SIGABRT",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_fails_is_undone(
    system: System, service: type[Purse], write: Write, kind: str
) -> None:
    first, body, said = BAD[kind]
    if service is Till:
        body = tuple(line.replace("journal: J", "journal: Annotated[J") for line in body)
        body = tuple(line.replace("[Journal", "[Journal, replayed]") for line in body)
    with at_work(system, service), pytest.raises(UpdateError, match="was not updated") as caught:
        system.update(service, write(*body, first=first), 5.0)
    assert said in str(caught.value)
    assert said in next(
        event.what for event in reversed(system.events()) if "not updated" in event.what
    )
    system.update(service, write(), HASTE)  # and the next one may be right


def test_a_request_that_hangs_is_done_by_the_old_code(tmp_path: Path) -> None:
    with boot("microkernel", Hasty) as system:
        system[Hasty].add(1)
        hangs = ("@op", "def add(self, amount: int) -> int: time.sleep(99)")
        with at_work(system, Hasty), pytest.raises(UpdateError, match="hung"):
            system.update(Hasty, version(tmp_path, Hasty, *hangs), 5.0)
        with at_work(system, Hasty), pytest.raises(UpdateError, match="not imported after"):
            system.update(Hasty, version(tmp_path, Hasty, first="time.sleep(99)"), HASTE)
        system.update(Hasty, version(tmp_path, Hasty), HASTE)


def test_who_can_not_save_goes_on(tmp_path: Path) -> None:
    with boot("microkernel", Broke) as system:
        broke = system[Broke]
        broke.add(3)
        broke.put(b"", 0)
        with pytest.raises(UpdateError, match="No space left"):
            system.update(Broke, version(tmp_path, Broke), HASTE)
        assert broke.total() == 3
        assert system.status()[0].restarts == 0


def test_killed_at_any_moment_of_an_update(
    system: System, service: type[Purse], write: Write
) -> None:
    rng, over = random.Random(4), threading.Event()

    def killer() -> None:
        while not over.wait(rng.uniform(0.0, 0.06)):
            kill(system, service.__name__)

    thread = threading.Thread(target=killer)
    with at_work(system, service):
        thread.start()
        outcomes = []
        for _ in range(4):
            try:
                system.update(service, write(), HASTE)
                outcomes.append("updated")
            except UpdateError:
                outcomes.append("killed as it began")
        over.set()
        thread.join()
    assert len(outcomes) == 4


def test_one_at_a_time(system: System, service: type[Purse], write: Write) -> None:
    path, refused = write(), list[int | None]()

    def update() -> None:
        try:
            system.update(service, path, 0.2)
        except OSError as error:
            refused.append(error.errno)

    threads = [threading.Thread(target=update) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refused) <= {errno.EBUSY}
    assert len(refused) <= 2
    system.update(service, path, HASTE)


def test_files_stay_open() -> None:
    with boot("microkernel", FileSystem) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_CREAT | os.O_RDWR)
        files.write(descriptor, b"before ")
        system.update(FileSystem, "servers.filesystem", HASTE)
        system.update(Disk, "servers.disk", HASTE)
        files.write(descriptor, b"after")
        assert files.pread(descriptor, 99, 0) == b"before after"


def test_stateless_services_and_who_calls_them() -> None:
    with boot("microkernel", Banker) as system:
        assert system[Banker].pay(2) == 2
        system.update(Banker, Banker, HASTE)
        assert system[Banker].pay(2) == 4
        system.update(Till, Till, HASTE)
        assert system[Banker].pay(2) == 6


@pytest.mark.parametrize("users", ["inline", "process"])
def test_a_monolithic_kernel_has_to_be_booted_again(users: str) -> None:
    with boot("monolithic", Purse, users=users) as system:  # type: ignore[arg-type]  # is one
        system[Purse].add(1)
        with pytest.raises(OSError, match="one program") as caught:
            system.update(Purse, Purse)
        assert caught.value.errno == errno.ENOTSUP
        assert system[Purse].total() == 1


def test_after_a_panic_nothing_is_updated() -> None:
    with boot("monolithic", Purse, users="process") as system:
        system[Purse].add(1)
        kill(system, "Purse")
        for call in (system[Purse].total, lambda: system.update(Purse, Purse)):
            with pytest.raises(KernelPanic, match=r"^kernel panic: killed by SIGKILL"):
                call()


def test_state_that_would_be_lost() -> None:
    for options in ({"stable": False}, {"groups": [[Till, Banker]]}):
        kernel = "hybrid" if "groups" in options else "microkernel"
        with boot(kernel, Banker, **options) as system:
            with pytest.raises(OSError, match="can't be updated") as caught:
                system.update(Till, Till)
            assert caught.value.errno == errno.ENOTSUP


def test_what_is_no_code(system: System, service: type[Purse]) -> None:
    class Local(Purse):
        pass

    for wrong in (Local, "nowhere.at.all", "no/file.py", 3, "kernels.boot", "", "os"):
        with pytest.raises(UpdateError):
            system.update(service, wrong)  # type: ignore[arg-type]  # the point
    with pytest.raises(WiringError, match="is not in this system"):
        system.update(Disk, Disk)
    with pytest.raises(WiringError, match="probation"):
        system.update(service, service, -1)


def test_shut_down_in_the_middle(tmp_path: Path) -> None:
    system = boot("microkernel", Purse)
    pids = [server.pid for server in system.status()]
    slow = version(tmp_path, Purse, first="time.sleep(99)")
    ends: list[BaseException] = []

    def update() -> None:
        try:
            system.update(Purse, slow)
        except (UpdateError, KernelPanic) as error:
            ends.append(error)

    thread = threading.Thread(target=update)
    thread.start()
    time.sleep(0.2)  # wherever it is by then
    system.close()
    thread.join()
    assert len(ends) == 1
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)
