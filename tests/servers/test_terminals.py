"""The console has one group in the foreground; others that use it are stopped."""

import errno
import os
import signal
from collections.abc import Iterator

import pytest

from servers.console import Console
from servers.process import Process, ProcessManager
from tests.conftest import Kernel
from tests.servers.test_process import REMOTE, SERVICES, Machine, run


@pytest.fixture(params=REMOTE, ids=[kernel.name for kernel in REMOTE], scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Machine]:
    kernel: Kernel = request.param
    with kernel.boot(*SERVICES, config={Console: {"keep": True}}) as system:
        yield Machine(system)


@pytest.fixture
def machine(shared: Machine) -> Iterator[Machine]:
    shared.process.tcsetpgrp(0, shared.process.pid)
    yield shared
    shared.system[Console].tostop(False)
    assert shared.process.manager.processes()[2:] == ()


def start(machine: Machine, name: str, *arguments: str) -> tuple[int, int]:
    """A job in the background that has the keyboard."""
    return machine.start(name, *arguments, descriptors={0: 0}, group=0)


def stop_of(machine: Machine, pid: int) -> int:
    """The signal that has stopped it, waited for."""
    found, status = machine.process.waitpid(pid, os.WUNTRACED)
    assert found == pid
    return os.WSTOPSIG(status) if os.WIFSTOPPED(status) else -1


def bring_forward(machine: Machine, pid: int) -> None:
    machine.process.tcsetpgrp(0, pid)
    machine.process.kill(-pid, signal.SIGCONT)


def test_who_reads_behind_is_stopped_and_reads_when_it_comes_forward(machine: Machine) -> None:
    pid, source = start(machine, "copies")
    assert stop_of(machine, pid) == signal.SIGTTIN
    machine.process.kill(pid, signal.SIGCONT)
    assert stop_of(machine, pid) == signal.SIGTTIN, "it is still behind"
    machine.system[Console].typed(b"for the shell\n")
    assert machine.process.read(0, 99) == b"for the shell\n"
    bring_forward(machine, pid)
    assert machine.process.tcgetpgrp(0) == pid
    machine.system[Console].typed(b"for it\n")
    assert machine.process.read(source, 99) == b"for it\n"
    machine.process.kill(pid, signal.SIGTSTP)
    assert stop_of(machine, pid) == signal.SIGTSTP
    machine.process.tcsetpgrp(0, machine.process.pid)
    machine.system[Console].typed(b"for the shell again\n")
    assert machine.process.read(0, 99) == b"for the shell again\n", "it was in the middle of a read"
    bring_forward(machine, pid)
    machine.system[Console].typed(b"")
    assert machine.rest(source) == b""
    assert machine.wait(pid) == 0


def test_between_two_jobs_who_reads_waits(machine: Machine) -> None:
    machine.process.tcsetpgrp(0, 0)
    pid, source = start(machine, "copies")
    machine.system[Console].typed(b"word")
    machine.process.tcsetpgrp(0, pid)
    assert machine.process.read(source, 99) == b"word"
    machine.system[Console].typed(b"")
    assert machine.rest(source) == b""
    assert machine.wait(pid) == 0


def test_who_does_not_heed_it_is_refused(machine: Machine) -> None:
    machine.process.signal(signal.SIGTTIN, signal.SIG_IGN)
    pid, source = start(machine, "copies")
    machine.process.signal(signal.SIGTTIN, signal.SIG_DFL)
    assert machine.rest(source) == b"copies: Input/output error\n"
    assert machine.wait(pid) == 1


def test_whom_nobody_could_have_go_on_is_refused(machine: Machine) -> None:
    """POSIX: a process of an orphaned group that reads from behind gets EIO, and no SIGTTIN."""
    source, sink = machine.process.pipe()
    descriptors = {0: 0, 1: sink, 2: sink}
    pid = machine.process.spawn("/bin/copies_alone", ["copies_alone"], descriptors=descriptors)
    machine.process.close(sink)
    assert machine.rest(source) == b"copies_alone: Input/output error\n"
    assert machine.wait(pid) == 1


def test_who_writes_behind_is_stopped_only_if_that_is_asked_for(machine: Machine) -> None:
    process, console = machine.process, machine.system[Console]

    def says(word: str) -> int:
        return process.spawn("/bin/says", ["says", word], descriptors={0: 0, 1: 1, 2: 2}, group=0)

    assert machine.wait(says("once")) == 0
    assert console.screen() == b"once hello\n"
    console.tostop(True)
    pid = says("twice")
    assert stop_of(machine, pid) == signal.SIGTTOU
    assert console.screen() == b""
    bring_forward(machine, pid)
    assert machine.wait(pid) == 0
    assert console.screen() == b"twice hello\n"
    process.signal(signal.SIGTTOU, signal.SIG_IGN)
    process.tcsetpgrp(0, process.pid)
    pid = says("thrice")
    process.signal(signal.SIGTTOU, signal.SIG_DFL)
    assert machine.wait(pid) == 0
    assert console.screen() == b"thrice hello\n"


def test_what_makes_no_sense(machine: Machine) -> None:
    process = machine.process
    with pytest.raises(PermissionError):
        process.tcsetpgrp(0, 999)
    for code, fd, group in ((errno.EINVAL, 0, -5), (errno.EBADF, 99, 0)):
        with pytest.raises(OSError) as caught:  # noqa: PT011 (the errno says it)
            process.tcsetpgrp(fd, group)
        assert caught.value.errno == code
    source, sink = process.pipe()
    with pytest.raises(OSError) as caught:  # noqa: PT011 (the same)
        process.tcgetpgrp(source)
    assert caught.value.errno == errno.ENOTTY
    process.close(source)
    process.close(sink)
    assert process.tcgetpgrp(0) == process.pid


def test_who_has_the_terminal_is_known_to_the_next_manager(machine: Machine) -> None:
    (status,) = [s for s in machine.system.status() if ProcessManager.__name__ in s.services]
    if len(status.services) > 1:
        pytest.skip("it does not live alone")
    os.kill(status.pid, signal.SIGKILL)
    assert machine.process.tcgetpgrp(0) == machine.process.pid
    pid, source = start(machine, "copies")
    assert stop_of(machine, pid) == signal.SIGTTIN
    machine.process.kill(pid, signal.SIGKILL)
    assert machine.wait(pid) == -signal.SIGKILL
    machine.process.close(source)


def test_without_job_control_anybody_reads(kernel: Kernel) -> None:
    if not kernel.remote:
        pytest.skip("there are no programs")
    with kernel.boot(*SERVICES, config={Console: {"keep": True}}) as system:
        machine = Machine(system)
        assert machine.process.tcgetpgrp(0) == -1
        system[Console].typed(b"word")
        system[Console].typed(b"")
        assert run(machine, "copies", descriptors={0: 0}, group=0) == (0, b"word")
        assert isinstance(machine.process, Process)
