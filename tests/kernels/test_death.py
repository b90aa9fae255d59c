"""Bugs and kills: one server lost under the microkernel, the whole system under the monolithic."""

import errno
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kernels import System, boot
from kernels.line import LIVES
from tests.conftest import KERNELS, RING, Kernel, eventually, reap_orphans
from tests.kernels import programs
from tests.kernels.services import Bugs, Clerk, Echo, Fragile, Front, Ledger, Mailbox
from twinos import KernelPanic, ServerDied

ODD_INSIDE = (lambda bugs: bugs.odd_inside(), "in Bugs: TypeError: Encoding objects of type object")
SURVIVORS = [kernel for kernel in (*KERNELS, RING) if not kernel.panics]
PANICKERS = [kernel for kernel in KERNELS if kernel.panics]

BUGS: list[Any] = [
    (lambda bugs: bugs.divide(0), "in Bugs.divide: ZeroDivisionError: .*division.* by zero"),
    (lambda bugs: bugs.complain("so \udcff"), "in Bugs.complain: ValueError: so \udcff$"),
    (lambda bugs: bugs.complain("x" * 3000), "in Bugs.complain: ValueError: xxx"),
    (lambda bugs: bugs.nameless(), "in Bugs.nameless: OSError: an OSError without an errno"),
    (lambda bugs: bugs.ill_typed(), "in Bugs.ill_typed: TypeError: expected int, got str"),
    (lambda bugs: bugs.too_long(), "in Bugs.too_long: OverflowError: .* 64 bits"),
    (lambda bugs: bugs.give_up(), "in Bugs.give_up: SystemExit: 3"),
    (lambda bugs: bugs.wait_for_a_bug("late"), "in Bugs.wait_for_a_bug: ValueError: late"),
    (lambda bugs: bugs.yields_a_number(), "in Bugs.yields_a_number: TypeError: .* a Signal, not 5"),
]
KILLS: list[Any] = [
    (lambda bugs: bugs.leave(0), "exited with status 0"),
    (lambda bugs: bugs.leave(17), "exited with status 17"),
    (lambda bugs: bugs.die(signal.SIGKILL), "killed by SIGKILL"),
    (lambda bugs: bugs.die(signal.SIGSEGV), "killed by SIGSEGV"),
    (lambda bugs: bugs.die(signal.SIGRTMIN + 3), "killed by signal 37"),
]


@pytest.fixture(params=SURVIVORS, ids=[kernel.name for kernel in SURVIVORS])
def survivor(request: pytest.FixtureRequest) -> Kernel:
    chosen: Kernel = request.param
    return chosen


@pytest.fixture(params=PANICKERS, ids=[kernel.name for kernel in PANICKERS])
def panicker(request: pytest.FixtureRequest) -> Kernel:
    chosen: Kernel = request.param
    return chosen


def test_a_bug_costs_one_server_and_says_why(
    survivor: Kernel, capfd: pytest.CaptureFixture[str]
) -> None:
    with survivor.boot(Bugs, Front, Mailbox) as system:
        bugs = system[Bugs]
        system[Mailbox].put(b"kept")
        for lives, (cause, why) in enumerate([*BUGS, ODD_INSIDE, *KILLS], 1):
            assert bugs.count() == lives
            assert bugs.memory() == 1
            with pytest.raises(ServerDied, match=rf"Bugs died: {why}") as caught:
                cause(bugs)
            assert caught.value.errno == errno.ECONNRESET
            assert isinstance(caught.value, ConnectionResetError)
        if survivor.kernel == "microkernel":  # the hybrid has them in one process
            assert system[Mailbox].take() == b"kept"
        assert system[Front].divide(1) == 1
    assert "ZeroDivisionError" in capfd.readouterr().err


@pytest.mark.parametrize(("cause", "why"), BUGS[:4] + BUGS[-2:])
def test_a_bug_is_a_panic_of_the_whole_system(
    panicker: Kernel, cause: Any, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    system = panicker.boot(Bugs, Echo, Mailbox)
    with system.user(uid=5) as user:
        echo, theirs = system[Echo], user[Echo]
        assert echo.number(1) == theirs.number(1)
        for _ in range(2):
            with pytest.raises(KernelPanic, match=f"^kernel panic {why}") as caught:
                cause(system[Bugs])
        for call in (lambda: echo.number(2), echo.null, theirs.null, system[Mailbox].take):
            with pytest.raises(KernelPanic) as again:
                call()
            assert str(again.value) == str(caught.value)
    system.close()
    capfd.readouterr()


def test_the_death_of_the_one_space_is_a_panic(capfd: pytest.CaptureFixture[str]) -> None:
    for cause, why in KILLS:
        with boot("monolithic", Bugs, Echo, users="process") as system:
            for call in (lambda cause=cause: cause(system[Bugs]), system[Echo].null, system.user):
                with pytest.raises(KernelPanic, match=f"^kernel panic: {why}"):
                    call()
    capfd.readouterr()


def test_a_panic_wakes_who_waits(kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    system = kernel.boot(Bugs, Mailbox)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(system[Bugs].wait_for_nothing)
        eventually(lambda: system[Bugs].waiting() == 1)
        with pytest.raises((KernelPanic, ServerDied), match="ZeroDivisionError"):
            system[Bugs].divide(0)
        error = waiting.exception(timeout=10)
        assert isinstance(error, KernelPanic if kernel.panics else ServerDied)
        assert "ZeroDivisionError" in str(error)
    system.close()
    capfd.readouterr()


def kill(system: System, service: Any = Bugs) -> int:
    pid: int = system[service].pid()
    os.kill(pid, signal.SIGKILL)
    return pid


def test_an_idle_server_is_killed(survivor: Kernel) -> None:
    with survivor.boot(Bugs, Echo) as system, system.user() as user:
        pids = set()
        theirs = user[Bugs]
        for life in range(1, 6):
            assert system[Bugs].count() == life
            assert theirs.memory() == 1
            pids.add(kill(system))
            with pytest.raises(ServerDied, match="Bugs died: killed by SIGKILL"):
                system[Bugs].count()
            with pytest.raises(ServerDied, match="Bugs died: killed by SIGKILL"):
                theirs.count()  # each is told once
        assert len(pids) == 5
        assert system[Bugs].count() == 6


def test_regions_are_as_they_were(survivor: Kernel, rng: random.Random) -> None:
    with survivor.boot(Bugs) as system:
        region = system.region(Bugs, "store")
        data = rng.randbytes(4)
        region.memory[4:8] = data
        kill(system)
        with pytest.raises(ServerDied):
            system[Bugs].null()
        assert region.memory[4:8] == data
        region.memory[0] = 99
        assert system[Bugs].count() == 100


def test_idempotent_operations_are_sent_again(
    survivor: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernels.line.PATIENCE", 0.0)
    with survivor.boot(Bugs) as system:
        assert system[Bugs].again() == 0
        kill(system)
        assert system[Bugs].again() == 0
        assert system[Bugs].die_once() == 3
        with pytest.raises(ServerDied, match="killed by SIGKILL"):
            system[Bugs].die_always()
        assert system[Bugs].deaths() == LIVES


def test_one_client_is_served_as_another_waits_for_the_dead(survivor: Kernel) -> None:
    with survivor.boot(Bugs, Mailbox) as system, ThreadPoolExecutor(3) as threads:
        for round_ in range(1, 4):
            waiting = [threads.submit(system[Bugs].wait_for_nothing) for _ in range(3)]
            eventually(lambda count=3 * round_: system[Bugs].waiting() == count)
            kill(system)
            for each in waiting:
                assert isinstance(each.exception(timeout=10), ServerDied)
            eventually(lambda: alive(system))


def alive(system: System) -> bool:
    try:
        system[Bugs].null()
    except ServerDied:
        return False
    return True


def test_a_service_hears_of_the_death_below(survivor: Kernel) -> None:
    with survivor.boot(Front, Echo, Mailbox) as system:
        if os.getpid() == system[Front].pid() or system[Front].pid() == system[Bugs].pid():
            pytest.fail("they should not share a process")
        with pytest.raises(ServerDied, match="Bugs died: killed by SIGKILL"):
            system[Front].die()
        assert system[Front].divide(1) == 1
        assert not alive(system)  # each is told once
        kill(system)
        assert system[Front].again() == 0
        kill(system, Front)
        with pytest.raises(ServerDied, match="Front died"):
            system[Front].again()
        assert system[Front].divide(1) == 1


def test_a_restarted_service_is_the_same_caller_and_has_departed_once_a_life() -> None:
    with boot("microkernel", Front, Mailbox) as system:
        for _ in range(3):
            kill(system, Front)
            with pytest.raises(ServerDied):
                system[Front].divide(1)
            assert system[Front].divide(1) == 1
        number = system[Mailbox].gone()
        assert len(number) == 3
        assert len(set(number)) == 1


def test_what_an_earlier_life_left_is_gone_before_the_next_is_served() -> None:
    with boot("microkernel", Clerk) as system, ThreadPoolExecutor(2) as threads:
        clerk, flags = system[Clerk], system.region(Ledger, "store").memory
        ledger, pid = system[Ledger].pid(), clerk.pid()
        working = threads.submit(clerk.work)
        eventually(lambda: flags[0])
        count = len(os.listdir(f"/proc/{ledger}/task"))
        os.kill(pid, signal.SIGKILL)
        assert isinstance(working.exception(timeout=10), ServerDied)
        noted = threads.submit(clerk.note)
        # One thread has to do with the departure, and one with the new life.
        eventually(lambda: len(os.listdir(f"/proc/{ledger}/task")) == count + 2)
        time.sleep(0.05)  # so that a kernel which got it wrong would show it
        flags[1] = 1
        noted.result(timeout=10)
        assert system[Ledger].notes() == 1


def test_killed_again_and_again_under_load(survivor: Kernel, rng: random.Random) -> None:
    with survivor.boot(Bugs, Mailbox) as system:
        done = 0
        region = system.region(Bugs, "store")
        while True:
            try:
                for _ in range(rng.randrange(20)):
                    system[Bugs].null()
                kill(system)
            except ServerDied as error:
                assert "Bugs died: killed by SIGKILL" in str(error)  # noqa: PT017 (it may or may not come)
                continue
            done += 1
            if done == 25:
                break
        assert region.memory[0] == 0
        eventually(lambda: alive(system))


def test_a_server_that_can_not_start_again_is_given_up() -> None:
    with boot("microkernel", Fragile, Mailbox) as system:
        with pytest.raises(ServerDied, match="Fragile died"):
            system[Fragile].die()
        reason = "Fragile died: Fragile did not start: ValueError: once was enough"
        eventually(lambda: refusal(system) == errno.ECONNREFUSED)
        with pytest.raises(ServerDied, match=reason):
            system[Fragile].null()
        system[Mailbox].put(b"x")
        assert system[Mailbox].take() == b"x"


def refusal(system: System) -> int:
    with pytest.raises(ServerDied) as caught:
        system[Fragile].null()
    return caught.value.errno or 0


def test_a_server_that_does_not_stop_is_killed(survivor: Kernel) -> None:
    system = survivor.boot(Bugs, grace=0.05)
    system[Bugs].be_stubborn()
    with pytest.raises(ServerDied, match=r"Bugs died when it was to stop: killed by SIGKILL"):
        system.close()


def test_a_client_that_dies_in_the_middle_leaves_no_thread_behind(survivor: Kernel) -> None:
    with survivor.boot(Bugs, Mailbox, Echo) as system:
        pids = {service: server_of(system, service) for service in (Bugs, Echo, Mailbox)}
        before = {service: size_of(pid) for service, pid in pids.items()}
        for program, argument in (
            (programs.wait_for_ever, ()),
            (programs.take, ()),
            (programs.send_much_for_ever, (1 << 22,)),
        ):
            process = system.process(program, *argument)
            eventually(lambda: {s: size_of(pid) for s, pid in pids.items()} != before)
            process.kill()
            process.join()
            eventually(lambda: {s: size_of(pid) for s, pid in pids.items()} == before)
        assert system[Echo].number(1) == 1


def server_of(system: System, service: Any) -> int:
    """The process of a service that need not tell it itself."""
    if service in {Bugs, Echo}:
        pid: int = system[service].pid()
        return pid
    system[service].waiting()
    name = service.__name__[:15]
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/comm", encoding="utf-8") as file:
                found = file.read().strip()
            if name in found and is_ours(int(entry)):
                return int(entry)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return system[Bugs].pid()  # in one process with others, whose name is cut off


def is_ours(pid: int) -> bool:
    """Whether a process descends from this one."""
    while pid > 1:
        if pid == os.getpid():
            return True
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    return False


def size_of(pid: int) -> tuple[int, int]:
    """Threads and descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("kernel", [k for k in (*KERNELS, RING) if k.remote], ids=lambda k: k.name)
def test_the_nucleus_is_killed(kernel: Kernel) -> None:
    system = kernel.boot(Bugs, Mailbox)
    bugs = system[Bugs]
    server = bugs.pid()
    with open(f"/proc/{server}/stat", encoding="utf-8") as file:
        nucleus = int(file.read().rpartition(")")[2].split()[1])
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(system[Mailbox].take)
        eventually(lambda: system[Mailbox].waiting() == 1)
        process = system.process(programs.wait_for_ever)
        eventually(lambda: bugs.waiting() == 1)
        os.kill(nucleus, signal.SIGKILL)
        os.waitid(os.P_PID, nucleus, os.WEXITED | os.WNOWAIT)
        assert isinstance(waiting.exception(timeout=10), KernelPanic)
        eventually(lambda: not is_running(server))  # the host ends them one after the other
        for call in (bugs.null, system.user, lambda: system.process(programs.loop)):
            with pytest.raises(KernelPanic, match="the kernel's process is gone"):
                call()
        assert process.join(10) != 0
    system.close()
    reap_orphans()
