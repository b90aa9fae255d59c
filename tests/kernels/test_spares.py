"""A process stands by for the next program, and nobody can tell but by the clock."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import boot
from lab.meter import descendants
from tests.conftest import eventually
from tests.servers.test_process import SERVICES, Machine, run


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


def test_it_holds_nothing_but_its_connection(machine: Machine) -> None:
    assert run(machine, "exits", "0")[0] == 0
    (spare,) = eventually(lambda: named("twinos:spare"))
    held = {fd: os.readlink(f"/proc/{spare}/fd/{fd}") for fd in os.listdir(f"/proc/{spare}/fd")}
    others = {fd: what for fd, what in held.items() if int(fd) > 2}
    assert len(others) == 1
    assert all(what.startswith("socket:") for what in others.values())
