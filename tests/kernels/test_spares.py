"""A process stands by for the next program, and nobody can tell but by the clock."""

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import boot
from kernels.plan import Plan
from kernels.spares import NOBODY, Role, Spare, Spares
from kernels.switchboard import Switchboard
from lab.meter import descendants
from tests.conftest import eventually
from tests.servers.test_process import SERVICES, Machine, run
from twinos.tasks import Limits


def named(name: str) -> list[int]:
    """Processes below this one that the host knows by that name."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
        except OSError:
            continue
    return found


@pytest.fixture(params=["microkernel", "monolithic"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with boot(request.param, *SERVICES, users="process") as system:
        yield Machine(system)


def test_the_next_program_is_the_one_that_stands_by(machine: Machine) -> None:
    assert not named("twinos:spare"), "nobody has started a program"
    assert run(machine, "exits", "7")[0] == 7
    (spare,) = eventually(lambda: named("twinos:spare"))
    pid, source = machine.start("waits")
    assert machine.process.read(source, 99) == b"ready\n"
    assert named("twinos:waits") == [spare]
    machine.process.kill(pid, signal.SIGKILL)
    assert machine.wait(pid) == -signal.SIGKILL
    eventually(lambda: named("twinos:spare") not in ([], [spare]))
    machine.process.close(source)


def test_a_spare_that_dies_is_nobodys_loss(machine: Machine) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        assert run(machine, "exits", "3")[0] == 3
        (spare,) = eventually(lambda: named("twinos:spare"))
        os.kill(spare, number)
        eventually(lambda spare=spare: spare not in descendants(os.getpid()))
        assert run(machine, "says", "again")[1] == b"again hello\n"


def test_one_that_can_not_take_its_role_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(*_: object) -> None:
        raise OSError(errno.EMSGSIZE, "too long")

    monkeypatch.setattr(Spare, "play", too_long)
    board = Switchboard(lambda *_: None, lambda *_: None)
    spares = Spares(
        Plan(
            (),
            (),
            {},
            (),
            counting=False,
            layers=(),
            owner=os.getpid(),
            grace=0.0,
            panics=False,
            transport="pipe",
            sandbox=False,
            requests=1,
            stable=False,
            scheduler=None,
        ),
        board,
        lambda: os._exit(0),
    )
    role = Role("main", "name", Limits(1 << 30, 1), NOBODY)
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(2):
        with pytest.raises(OSError, match="too long"):
            spares.cast(role, ())
        assert sorted(os.listdir("/proc/self/fd")) == before
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    spares.close()


def test_it_holds_nothing_but_its_connection(machine: Machine) -> None:
    assert run(machine, "exits", "0")[0] == 0
    (spare,) = eventually(lambda: named("twinos:spare"))
    held = {fd: os.readlink(f"/proc/{spare}/fd/{fd}") for fd in os.listdir(f"/proc/{spare}/fd")}
    others = {fd: what for fd, what in held.items() if int(fd) > 2}
    assert len(others) == 1
    assert all(what.startswith("socket:") for what in others.values())
