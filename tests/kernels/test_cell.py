"""A server in its cell: whoever takes it over has its pipes and regions, and nothing else."""

import ctypes
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from kernels import boot, cell
from servers.clock import Clock
from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.conftest import KERNELS, Kernel, reap_orphans
from tests.kernels.services import Bugs, Mailbox
from twinos import Region, ServerDied, Service, WiringError, op

try:
    cell.check()
except WiringError as reason:
    pytest.skip(str(reason), allow_module_level=True)

CELLS = [kernel for kernel in KERNELS if kernel.remote]


def _fork() -> None:
    if not os.fork():
        os._exit(0)


def _trace(victim: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, victim, None, None):  # PTRACE_ATTACH
        raise OSError(ctypes.get_errno(), "ptrace")


ATTEMPTS: dict[str, Callable[[str, int], Any]] = {
    "read a file": lambda path, _: open(path, "rb"),  # noqa: SIM115 (it can't be)
    "read a public file": lambda *_: os.open("/etc/passwd", os.O_RDONLY),
    "list a directory": lambda *_: os.listdir("/"),
    "make a file": lambda path, _: os.open(path + ".new", os.O_CREAT | os.O_WRONLY),
    "remove a file": lambda path, _: os.unlink(path),
    "rename a file": lambda path, _: os.rename(path, path + ".old"),
    "truncate a file": lambda path, _: os.truncate(path, 0),
    "make a directory": lambda path, _: os.mkdir(path + ".d"),
    "change modes": lambda path, _: os.chmod(path, 0o777),
    "open a terminal": lambda *_: os.open("/dev/tty", os.O_RDWR),
    "read its own memory as a file": lambda *_: os.open("/proc/self/mem", os.O_RDWR),
    "make a socket": lambda *_: socket.socket(),
    "make a local socket": lambda *_: socket.socket(socket.AF_UNIX),
    "make two sockets": lambda *_: socket.socketpair(),
    "fork": lambda *_: _fork(),
    "run a program": lambda *_: os.execv("/bin/true", ["true"]),  # noqa: S606 (it can't be)
    "start a program": lambda *_: os.posix_spawn("/bin/true", ["true"], {}),
    "signal its client": lambda _, victim: os.kill(victim, signal.SIGUSR1),
    "signal the kernel": lambda *_: os.kill(os.getppid(), signal.SIGKILL),
    "signal everybody": lambda *_: os.kill(-1, signal.SIGKILL),
    "hold its client": lambda _, victim: os.pidfd_open(victim),
    "trace its client": lambda _, victim: _trace(victim),
    "become the superuser": lambda *_: os.setresuid(0, 0, 0),
    "change its root": lambda *_: os.chroot("/"),
    "leave its namespace": lambda *_: os.unshare(0) if hasattr(os, "unshare") else _trace(1),
}


class Traitor(Service):
    """Somebody has taken it over."""

    def __init__(self, store: Region) -> None:
        if not store.size:
            store.resize(8)
        self._store = store

    @op
    def attempt(self, name: str, path: str, victim: int) -> int:
        """The errno with which it failed; 0: it did not."""
        try:
            ATTEMPTS[name](path, victim)
        except OSError as error:
            return error.errno or -1
        return 0

    @op
    def work(self, number: int) -> int:
        """What it may: count in its region, and use threads."""
        thread = threading.Thread(target=self._count, args=(number,))
        thread.start()
        thread.join()
        return self._store.memory[0]

    def _count(self, number: int) -> None:
        self._store.memory[0] += number


@pytest.fixture(params=CELLS, ids=lambda kernel: kernel.name)
def locked(request: pytest.FixtureRequest) -> Kernel:
    kernel: Kernel = request.param
    return kernel


def test_a_traitor_gets_nothing_of_the_host(locked: Kernel, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    secret.chmod(0o666)
    before = os.stat(secret)
    with locked.boot(Traitor, sandbox=True) as system:
        traitor = system[Traitor]
        told = {name: traitor.attempt(name, str(secret), os.getpid()) for name in ATTEMPTS}
        assert not [name for name, code in told.items() if not code]
        assert traitor.work(7) == 7, "it still does its work"
    after = os.stat(secret)
    assert (after.st_mode, after.st_size, after.st_nlink) == (before.st_mode, 4, 1)
    assert sorted(tmp_path.iterdir()) == [secret]


def test_the_attempts_would_succeed_outside(tmp_path: Path) -> None:
    """Or the test above could not fail."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    with boot("microkernel", Traitor) as system:
        free = ("read a file", "list a directory", "make a file", "make a socket", "fork")
        told = [system[Traitor].attempt(name, str(secret), os.getpid()) for name in free]
        assert told == [0] * len(free)
    reap_orphans()


def test_a_server_in_a_cell_is_nobody(locked: Kernel) -> None:
    with locked.boot(Traitor, sandbox=True) as system:
        for server in system.status():
            status = Path(f"/proc/{server.pid}/status").read_text()
            words = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            assert (words["NoNewPrivs"], words["Seccomp"]) == ("1", "2")
            if not os.getuid():
                assert words["Uid"].split() == [str(cell.NOBODY)] * 4
                assert words["CapEff"] == "0000000000000000"


def test_files_work_from_a_cell_and_only_the_disk_holds_the_image(tmp_path: Path) -> None:
    image = tmp_path / "image"
    config: Any = {Disk: {"image": str(image), "blocks": 512}}
    with boot("microkernel", FileSystem, Clock, config=config, sandbox=True) as system:
        fs = system[FileSystem]
        fd = fs.open("/file", os.O_CREAT | os.O_RDWR)
        data = os.urandom(100_000)  # in a store, and through the pipe
        assert fs.write(fd, data) == len(data)
        assert fs.pread(fd, len(data), 0) == data
        with pytest.raises(FileNotFoundError):
            fs.stat("/none")
        system[Clock].sleep(0.001)
        fs.sync()
        holders = {
            server.services
            for server in system.status()
            for entry in os.listdir(f"/proc/{server.pid}/fd")
            if os.readlink(f"/proc/{server.pid}/fd/{entry}") == str(image)
        }
        assert holders == {("Disk",)}
    with boot("monolithic", FileSystem, config=config) as system:
        assert system[FileSystem].stat("/file").st_size == len(data)


def test_a_server_comes_back_into_a_cell(locked: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    if locked.panics:
        pytest.skip("a monolithic kernel does not come back")
    with locked.boot(Bugs, Mailbox, sandbox=True) as system, system.user() as friend:
        for _ in range(3):
            with pytest.raises(ServerDied, match="ZeroDivisionError"):
                system[Bugs].divide(0)
            system[Bugs].null()
        for server in system.status():
            assert "Seccomp:\t2" in Path(f"/proc/{server.pid}/status").read_text()
        friend[Mailbox].put(b"x")
        assert system[Mailbox].take() == b"x"
    capfd.readouterr()


def test_there_must_be_servers_to_lock_in() -> None:
    with pytest.raises(WiringError, match="a sandbox is for servers"):
        boot("monolithic", Clock, sandbox=True)


def test_a_host_that_can_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "can_filter_calls", lambda: False)
    with pytest.raises(WiringError, match="needs the package pyseccomp"):
        boot("microkernel", Clock, sandbox=True)
    monkeypatch.setattr(cell, "landlock_version", lambda: -1)
    with pytest.raises(WiringError, match="needs Landlock"):
        boot("microkernel", Clock, sandbox=True)


class _Part(ctypes.Structure):
    """Where some bytes are: iovec of process_vm_readv(2)."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


LIBC = ctypes.CDLL(None, use_errno=True)
SECRET = ctypes.create_string_buffer(b"known")
"""In a process that was forked from here it has the same address."""
_DUMPABLE = 4
_PIDFD_GETFD = 438


def _done(returned: int) -> int:
    if returned < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return returned


def _read_memory(victim: int) -> None:
    found = ctypes.create_string_buffer(8)
    here, there = (_Part(ctypes.addressof(each), 5) for each in (found, SECRET))
    _done(LIBC.process_vm_readv(victim, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    assert found.value == b"known"


def _take_descriptor(victim: int) -> None:
    os.close(_done(LIBC.syscall(_PIDFD_GETFD, os.pidfd_open(victim), 0, 0)))


def _trace_and_leave(victim: int) -> None:
    _trace(victim)
    os.waitpid(victim, 0)
    LIBC.ptrace(17, victim, None, None)  # PTRACE_DETACH


LOOKS: dict[str, Callable[[int], Any]] = {
    "list its descriptors": lambda victim: os.listdir(f"/proc/{victim}/fd"),
    "open one of them": lambda victim: os.close(os.open(f"/proc/{victim}/fd/0", os.O_RDONLY)),
    "open its memory": lambda victim: os.close(os.open(f"/proc/{victim}/mem", os.O_RDWR)),
    "read its memory": _read_memory,
    "take a descriptor": _take_descriptor,
    "trace it": _trace_and_leave,
}


def looked(sandbox: bool) -> set[tuple[str, str]]:
    """What of that somebody of the same, common user of the host gets done, and with whom."""
    for needed in ("ctypes.util", "encodings.ascii", "pyseccomp"):
        import_module(needed)  # it may not be able to read them later
    if not os.getuid():
        os.setgroups([])
        os.setresgid(cell.NOBODY, cell.NOBODY, cell.NOBODY)
        os.setresuid(cell.NOBODY, cell.NOBODY, cell.NOBODY)
    LIBC.prctl(_DUMPABLE, 1, 0, 0, 0)  # as a process is that has always been so
    done = set()
    with boot("microkernel", Clock, sandbox=sandbox) as system:
        nucleus = system._kernel._nucleus.pid  # type: ignore[attr-defined]  # of a microkernel
        (server,) = system.status()
        for whose, victim in (("the kernel", nucleus), ("a server", server.pid)):
            for name, look in LOOKS.items():
                with suppress(OSError):
                    look(victim)
                    done.add((name, whose))
        assert system[Clock].null() is None  # type: ignore[func-returns-value]  # that is the case
    return done


@pytest.mark.parametrize("sandbox", [True, False])
def test_nobody_looks_into_a_cell(sandbox: bool) -> None:
    """And everybody of the same user looks into what is none, or this test could not fail."""
    source, sink = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with os.fdopen(sink, "w") as file:
                json.dump(sorted(looked(sandbox)), file)
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source) as file:
        told = json.load(file)
    os.waitpid(pid, 0)
    everything = sorted([name, whose] for name in LOOKS for whose in ("a server", "the kernel"))
    assert told == ([] if sandbox else everything)
