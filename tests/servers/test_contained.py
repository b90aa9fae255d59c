"""Programs that go astray: each meets a limit, and everybody else goes on working."""

import errno
import os
import signal
from collections.abc import Iterator

import pytest

from servers.clock import Clock
from servers.console import Console
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.process import Process, ProcessManager
from tests.conftest import Kernel, eventually
from tests.servers import contained

KERNELS = (
    Kernel("monolithic", "monolithic", users="process"),
    Kernel("microkernel", "microkernel"),
)
BOUNDS = {"processes": 24, "users_processes": 6, "memory": 512 << 20}
STUDENT = (1000, 1000, ())


@pytest.fixture(params=KERNELS, ids=lambda kernel: kernel.name)
def shell(request: pytest.FixtureRequest) -> Iterator[Process]:
    """Somebody who starts programs, and is none."""
    kernel: Kernel = request.param
    config = {
        Disk: {"blocks": 4096},
        ProcessManager: BOUNDS | {"cpu": 1 if "computes" in request.node.name else 60},
        MemoryManager: {"pages": 256, "page_tables": 64},
    }
    with kernel.boot(ProcessManager, Console, Clock, MemoryManager, config=config) as system:
        files = system[FileSystem]
        files.mkdir("/bin")
        for name in ("loops", "heeds", "hoards", "maps", "breeds", "floods", "raves"):
            fd = files.open(f"/bin/{name}", os.O_CREAT | os.O_WRONLY, 0o755)
            files.write(fd, f"#!twinos {contained.__name__}:{name}\n".encode())
            files.close(fd)
        process = Process.enter(system, "sh", {})
        yield process
        process.leave(0)


def start(shell: Process, name: str, user: tuple[int, int, tuple[int, ...]] | None = None) -> int:
    """Start a program in a group of its own, and wait until it has begun."""
    source, sink = shell.pipe()
    pid = shell.spawn(
        f"/bin/{name}", [name], descriptors={0: source, 1: sink, 2: sink}, group=0, user=user
    )
    shell.close(sink)
    said = shell.read(source, 4000)
    assert said == b"ready\n", said
    shell.close(source)
    return pid


def works(shell: Process) -> None:
    """Whoever is somebody else gets what it asks for."""
    fd = shell.open("/file", os.O_CREAT | os.O_RDWR)
    shell.write(fd, b"content")
    assert shell.files.pread(fd, 7, 0) == b"content"
    shell.close(fd)
    assert len(shell.manager.processes()) >= 2
    assert shell.service(MemoryManager).meminfo().frames


def end(shell: Process, pid: int) -> int:
    return os.waitstatus_to_exitcode(shell.waitpid(pid)[1])


def test_who_computes_for_ever_is_told_and_ended(shell: Process) -> None:
    astray, heeding = start(shell, "loops"), start(shell, "heeds")
    works(shell)
    assert end(shell, astray) == -signal.SIGXCPU
    assert end(shell, heeding) == 42
    works(shell)


@pytest.mark.parametrize(("name", "wanted"), [("hoards", 1), ("maps", errno.ENOMEM)])
def test_who_takes_memory_without_end(shell: Process, name: str, wanted: int) -> None:
    pid = start(shell, name)
    works(shell)
    assert end(shell, pid) == wanted
    works(shell)


@pytest.mark.parametrize("user", [None, STUDENT])
def test_who_starts_programs_without_end(
    shell: Process, user: tuple[int, int, tuple[int, ...]] | None
) -> None:
    """The table fills, but for the places of whoever is no program; a user's own share, before."""
    pid = start(shell, "breeds", user)
    most = BOUNDS["users_processes"] if user else BOUNDS["processes"] - 3

    def those() -> int:
        return sum(one.command == "breeds" for one in shell.manager.processes())

    full = most if user else most - 2  # init and the shell are processes, too
    eventually(lambda: those() >= full)
    works(shell)
    other = start(shell, "heeds")
    assert those() == full
    shell.kill(other, signal.SIGKILL)
    assert end(shell, other) == -signal.SIGKILL
    shell.kill(-pid, signal.SIGKILL)
    end(shell, pid)
    eventually(lambda: not those())


@pytest.mark.parametrize("name", ["floods", "raves"])
def test_who_floods_services_or_raves(shell: Process, name: str) -> None:
    pid = start(shell, name)
    for _ in range(50):
        works(shell)
    shell.kill(pid, signal.SIGKILL)
    end(shell, pid)
    works(shell)
