"""Programs as processes: spawn, wait, signals, descriptors, limits."""

import errno
import inspect
import mmap
import os
import signal
from collections.abc import Iterator
from types import ModuleType
from typing import Final

import pytest

from kernels import System, boot
from servers.clock import Clock
from servers.console import Console
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from servers.process import Descriptor, Order, Process, ProcessManager
from servers.process.manager import MEMORY
from servers.process.starting import ARG_MAX
from servers.who import Who
from tests.conftest import KERNELS, Kernel, eventually
from tests.servers import programs

SERVICES: Final = (ProcessManager, Console, Clock, MemoryManager)
REMOTE: Final = [kernel for kernel in KERNELS if kernel.remote]


class Machine:
    """A booted system with the programs of a module, and a process in it."""

    def __init__(self, system: System, programs: ModuleType = programs) -> None:
        self.system = system
        self.files = system[FileSystem]
        self.files.mkdir("/bin")
        for name, function in inspect.getmembers(programs, inspect.isfunction):
            self.write(f"/bin/{name}", f"#!twinos {function.__module__}:{name}\n", 0o755)
        self.write("/null", "")
        self.process = Process.enter(system, "tests", {"WORD": "hello"})

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        fd = self.files.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o777)
        self.files.write(fd, content.encode())
        self.files.close(fd)
        self.files.chmod(path, mode)

    def start(self, name: str, *arguments: str, **options: object) -> tuple[int, int]:
        """The pid of a program, and a descriptor from which to read what it says."""
        source, sink = self.process.pipe()
        descriptors = {1: sink, 2: sink, **options.pop("descriptors", {})}  # type: ignore[dict-item]
        pid = self.process.spawn(
            f"/bin/{name}", [name, *arguments], descriptors=descriptors, **options
        )  # type: ignore[arg-type]
        self.process.close(sink)
        return pid, source

    def rest(self, source: int) -> bytes:
        said = b"".join(iter(lambda: self.process.read(source, 65536), b""))
        self.process.close(source)
        return said

    def wait(self, pid: int) -> int:
        found, status = self.process.waitpid(pid)
        assert found == pid
        return os.waitstatus_to_exitcode(status)


def run(machine: Machine, name: str, *arguments: str, **options: object) -> tuple[int, bytes]:
    pid, source = machine.start(name, *arguments, **options)
    said = machine.rest(source)
    return machine.wait(pid), said


@pytest.fixture(params=REMOTE, ids=[kernel.name for kernel in REMOTE], scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    kernel: Kernel = request.param
    config = {ProcessManager: {"processes": 24}, MemoryManager: {"pages": 256, "page_tables": 64}}
    with kernel.boot(*SERVICES, config=config) as system:
        machine = Machine(system)
        yield machine
        machine.process.leave(0)


def test_a_status(machine: Machine) -> None:
    assert [run(machine, "exits", status)[0] for status in ("0", "7", "255", "256")] == [
        0,
        7,
        255,
        0,
    ]
    assert run(machine, "leaves", "9") == (9, b"leaving\n")


def test_arguments_environment_and_print(machine: Machine) -> None:
    assert run(machine, "says", "a", "b c") == (0, b"a b c hello\n")
    assert run(machine, "says", environment={"WORD": "ü\udcff"}) == (0, b" \xc3\xbc\xff\n"[1:])


def test_a_working_directory(machine: Machine) -> None:
    assert run(machine, "where") == (0, b"/")
    assert run(machine, "where", directory="/bin") == (0, b"/bin")
    with pytest.raises(FileNotFoundError):
        run(machine, "where", directory="/nowhere")


def test_a_pipeline(machine: Machine) -> None:
    process = machine.process
    source, sink = process.pipe()
    first, rest = machine.start("copies", descriptors={0: source})
    process.close(source)
    process.write_all(sink, data := bytes(200_000)[:60_000])
    process.close(sink)
    assert machine.rest(rest) == data
    assert machine.wait(first) == 0


def test_bugs_of_a_program_are_its_own(machine: Machine) -> None:
    status, said = run(machine, "fails")
    assert status == 1
    assert said.endswith(b"LookupError: in a program\n")
    assert run(machine, "misses") == (1, b"misses: /missing: No such file or directory\n")
    assert run(machine, "crashes")[0] == 5
    assert run(machine, "dies")[0] == -signal.SIGKILL
    assert run(machine, "faults")[0] == -signal.SIGSEGV
    assert run(machine, "maps") == (-signal.SIGBUS, b"by store")


@pytest.mark.parametrize("name", ["loops", "sleeps", "waits"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGALRM])
def test_a_signal_ends_it(machine: Machine, name: str, number: int) -> None:
    pid, source = machine.start(name)
    assert machine.process.read(source, 99) == b"ready\n"
    machine.process.kill(pid, number)
    assert machine.rest(source) == b""
    assert machine.wait(pid) == -number


def test_a_handler(machine: Machine) -> None:
    pid, source = machine.start("catches")
    said = machine.process.read(source, 99)
    for _ in range(3):
        assert said in {b"ready\n", b"caught 15\n"}
        machine.process.kill(pid, signal.SIGTERM)
        said = machine.process.read(source, 99)
    assert machine.wait(pid) == 42
    machine.process.close(source)


def test_an_alarm(machine: Machine) -> None:
    assert run(machine, "rings", "caught")[0] == 42
    assert run(machine, "rings", "deadly")[0] == -signal.SIGALRM


def test_an_alarm_stays_through_exec_and_no_child_has_it(machine: Machine) -> None:
    for how in ("exec", "fork"):
        assert run(machine, "rings_elsewhere", how)[0] == -signal.SIGALRM, how


def test_an_alarm_comes_though_the_manager_dies(machine: Machine) -> None:
    pid, source = machine.start("waits_for_an_alarm")
    assert machine.process.read(source, 99) == b"ready\n"
    (manager,) = (s for s in machine.system.status() if "ProcessManager" in s.services)
    if len(manager.services) == 1:  # else the whole kernel would go
        os.kill(manager.pid, signal.SIGKILL)
    assert machine.wait(pid) == -signal.SIGALRM
    machine.process.close(source)


def test_stop_and_continue(machine: Machine) -> None:
    pid, source = machine.start("loops")
    process = machine.process
    process.read(source, 99)
    process.kill(pid, signal.SIGSTOP)
    _, status = process.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP
    assert process.waitpid(pid, os.WNOHANG | os.WUNTRACED) == (0, 0)
    process.kill(pid, signal.SIGCONT)
    _, status = process.waitpid(pid, os.WCONTINUED)
    assert os.WIFCONTINUED(status)
    process.kill(pid, signal.SIGKILL)
    assert machine.wait(pid) == -signal.SIGKILL
    process.close(source)


def test_what_is_stopped_ends_when_it_goes_on(machine: Machine) -> None:
    pid, source = machine.start("loops")
    process = machine.process
    process.read(source, 99)
    process.kill(pid, signal.SIGSTOP)
    process.waitpid(pid, os.WUNTRACED)
    process.kill(pid, signal.SIGTERM)
    assert process.waitpid(pid, os.WNOHANG) == (0, 0)
    process.kill(pid, signal.SIGCONT)
    assert machine.wait(pid) == -signal.SIGTERM
    process.close(source)


def test_who_writes_where_nobody_reads_dies(machine: Machine) -> None:
    pid, source = machine.start("writes_for_ever")
    machine.process.read(source, 10)
    machine.process.close(source)
    assert machine.wait(pid) == -signal.SIGPIPE


def test_orphans_are_inits_and_leave_no_zombie(machine: Machine) -> None:
    status, said = run(machine, "has_a_child")
    assert status == 0
    child = int(said)
    manager = machine.process.manager
    parents = {info.pid: info.ppid for info in manager.processes()}
    assert parents[child] == 1
    machine.process.kill(child, signal.SIGTERM)
    eventually(lambda: child not in {info.pid for info in manager.processes()})


def test_waiting_for_whom(machine: Machine) -> None:
    process = machine.process
    with pytest.raises(ChildProcessError):
        process.waitpid(-1)
    first = process.spawn("/bin/exits", ["exits", "1"], group=0)
    second = process.spawn("/bin/exits", ["exits", "2"], group=0)
    with pytest.raises(ChildProcessError):
        process.waitpid(0)
    assert process.waitpid(-second) == (second, 2 << 8)
    assert process.waitpid(-1) == (first, 1 << 8)
    assert process.manager.getpgid(0) == process.pid


def test_a_signal_to_a_group(machine: Machine) -> None:
    process = machine.process
    first = process.spawn(
        "/bin/waits", ["waits"], group=0, descriptors={1: process.open("/null", 1)}
    )
    second = process.spawn(
        "/bin/waits", ["waits"], group=first, descriptors={1: process.open("/null", 1)}
    )
    process.kill(-first, signal.SIGTERM)
    assert {machine.wait(first), machine.wait(second)} == {-signal.SIGTERM}
    with pytest.raises(ProcessLookupError):
        process.kill(-first, 0)


def test_a_mask_keeps_a_signal_back(machine: Machine) -> None:
    process, seen = machine.process, []
    process.signal(signal.SIGTERM, seen.append)
    term = 1 << (signal.SIGTERM - 1)
    process.manager.sigprocmask(signal.SIG_BLOCK, term)
    process.kill(process.pid, signal.SIGTERM)
    assert not seen
    assert process.manager.sigpending() == term
    process.manager.sigprocmask(signal.SIG_UNBLOCK, term)
    process.deliver()
    assert seen == [signal.SIGTERM]
    process.signal(signal.SIGTERM, signal.SIG_DFL)


def test_children_are_told_of(machine: Machine) -> None:
    process, seen = machine.process, []
    process.signal(signal.SIGCHLD, seen.append)
    assert run(machine, "exits", "3")[0] == 3
    eventually(lambda: seen == [signal.SIGCHLD])
    process.signal(signal.SIGCHLD, signal.SIG_IGN)
    pid = process.spawn("/bin/exits", ["exits", "3"])
    with pytest.raises(ChildProcessError):
        process.waitpid(pid)
    process.signal(signal.SIGCHLD, signal.SIG_DFL)


def test_descriptors_are_inherited(machine: Machine) -> None:
    process = machine.process
    kept = process.open("/bin/exits")
    private = process.open("/bin/exits", os.O_RDONLY | os.O_CLOEXEC)
    source, sink = process.pipe()
    saved = process.dup(1)
    process.dup2(sink, 1)
    process.close(sink)
    pid = process.spawn("/bin/lists", ["lists"])
    process.dup2(saved, 1)
    said = process.read(source, 999).split()
    assert str(kept).encode() in said
    assert str(private).encode() not in said
    assert machine.wait(pid) == 0
    for fd in (kept, private, source, saved):
        process.close(fd)


def test_a_file_is_shared_with_its_position(machine: Machine) -> None:
    process = machine.process
    fd = process.open("/bin/exits")
    assert run(machine, "seeks", descriptors={3: fd})[0] == 0
    assert process.read(fd, 6) == b"twinos"
    process.close(fd)


@pytest.mark.parametrize(
    ("content", "mode", "wanted"),
    [
        ("#!twinos tests.servers.programs:exits\n", 0o644, errno.EACCES),
        ("words\n", 0o755, errno.ENOEXEC),
        ("", 0o755, errno.ENOEXEC),
        ("#!/bin/program\n", 0o755, errno.ELOOP),
        ("#!/missing\n", 0o755, errno.ENOENT),
    ],
)
def test_what_is_no_program(machine: Machine, content: str, mode: int, wanted: int) -> None:
    machine.write("/bin/program", content, mode)
    with pytest.raises(OSError, match=r".") as caught:
        machine.process.spawn("/bin/program", ["program"])
    assert caught.value.errno == wanted
    with pytest.raises(PermissionError):
        machine.process.spawn("/bin", ["bin"])


def test_a_script_names_its_interpreter(machine: Machine) -> None:
    machine.write("/script", "#!/bin/says  one  more \nwhatever", 0o755)
    source, sink = machine.process.pipe()
    pid = machine.process.spawn("/script", ["script", "arg"], descriptors={1: sink})
    machine.process.close(sink)
    assert machine.rest(source) == b"one  more /script arg hello\n"
    assert machine.wait(pid) == 0


def test_a_missing_function_is_the_programs_bug(machine: Machine) -> None:
    machine.write("/bin/program", "#!twinos tests.servers.programs:nothing\n", 0o755)
    status, said = run(machine, "program")
    assert status == 1
    assert b"AttributeError" in said


def test_limits(machine: Machine) -> None:
    status, said = run_killing(machine, "forks_for_ever")
    assert status == 0
    assert said.startswith(f"{errno.EAGAIN} after ".encode())
    assert run(machine, "allocates") == (0, b"no memory\n")
    with pytest.raises(OSError, match="too long") as caught:
        machine.process.spawn("/bin/exits", ["exits", "x" * ARG_MAX])
    assert caught.value.errno == errno.E2BIG


def run_killing(machine: Machine, name: str) -> tuple[int, bytes]:
    """Run a program in a group of its own, and end the group when the program has."""
    pid, source = machine.start(name, group=0)
    said = b""
    while not said.endswith(b"\n"):
        said = said.removesuffix(b"ready\n") + machine.process.read(source, 99).replace(
            b"ready\n", b""
        )
        said = said if said.strip() else b""
    status = machine.wait(pid)
    machine.process.kill(-pid, signal.SIGKILL)
    machine.process.close(source)
    manager = machine.process.manager
    eventually(lambda: len(manager.processes()) == 2)
    return status, said


def test_users_can_not_signal_others(machine: Machine) -> None:
    victim, source = machine.start("waits")
    student = (1000, 1000, (1000,))
    status, _ = run(machine, "knocks", environment={"VICTIM": str(victim)}, user=student)
    assert status == 13
    machine.process.kill(victim, signal.SIGKILL)
    assert machine.wait(victim) == -signal.SIGKILL
    machine.process.close(source)


def test_nobody_is_what_it_is_not(machine: Machine) -> None:
    with machine.system.user(uid=1000, gid=1000) as student:
        manager = student[ProcessManager]
        with pytest.raises(ProcessLookupError):
            manager.getpid()
        manager.register("student")
        with pytest.raises(FileExistsError):
            manager.register("student")
        with pytest.raises(PermissionError):
            manager.spawn(Order("/bin/exits", ("exits", "0"), user=(0, 0, ())))
        with pytest.raises(OSError, match=r".") as caught:
            manager.spawn(Order("/bin/exits", ("exits",), descriptors=(Descriptor(0, "Pipes", 5),)))
        assert caught.value.errno == errno.EBADF
        with pytest.raises(PermissionError):
            manager.kill(machine.process.pid, signal.SIGKILL)
        with pytest.raises(PermissionError):
            student[Pipes].inherit(Who(*machine.system.caller), Who(*student.caller), ())
    eventually(lambda: len(machine.process.manager.processes()) == 2)


def test_inline_there_is_one_program() -> None:
    with boot("monolithic", ProcessManager) as system:
        files = system[FileSystem]
        fd = files.open("/p", os.O_CREAT | os.O_WRONLY, 0o755)
        files.write(fd, b"#!twinos tests.servers.programs:exits\n")
        manager = system[ProcessManager]
        manager.register("tests")
        with pytest.raises(OSError, match="users='process'") as caught:
            manager.spawn(Order("/p", ("p", "0")))
        assert caught.value.errno == errno.ENOSYS


def test_how_large_the_parent_is_does_not_matter(kernel: Kernel) -> None:
    """Address space that whoever boots has mapped is not what its programs may map."""
    if not kernel.remote:
        pytest.skip("there programs start no others")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, 4 * MEMORY, flags, mmap.PROT_READ), kernel.boot(*SERVICES) as system:
        large = Machine(system)
        assert run(large, "says", "a") == (0, b"a hello\n")
        assert run(large, "allocates") == (0, b"no memory\n")
        large.process.leave(0)
