"""What a file system has acknowledged outlives it."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import System, boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.check import MemoryImage, Severity, check
from twinos import ServerDied

ROOT = Path(__file__).parents[2]
STRIDE = 29


def kill(system: System, name: str = "FileSystem") -> None:
    for server in system.status():
        if name in server.services:
            os.kill(server.pid, signal.SIGKILL)


@pytest.mark.parametrize("log", [[], ["0"]], ids=["log", "ordered"])
def test_killed_at_each_step_nobody_notices(log: list[str]) -> None:
    """Every step: `python -m tests.servers.crashing 1 2000 1`."""
    command = [sys.executable, "-m", "tests.servers.crashing", "3", "2000", str(STRIDE), *log]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 400


def test_open_files_and_what_goes_with_them(tmp_path: Path) -> None:
    image = tmp_path / "image"
    config = {Disk: {"image": str(image), "blocks": 4096}}
    with boot("microkernel", FileSystem, config=config) as system:
        files = system[FileSystem]
        with system.user(uid=7, gid=8) as user:
            files.mkdir("/home")
            files.chown("/home", 7, 8)
            theirs = user[FileSystem]
            theirs.chdir("/home")
            theirs.umask(0o077)
            descriptor = theirs.open("mine", os.O_RDWR | os.O_CREAT | os.O_APPEND)
            theirs.write(descriptor, b"one ")
            for number in range(4):
                kill(system)
                theirs.write(descriptor, b"%d " % number)
                if number % 2:
                    kill(system, "Disk")
                assert theirs.getcwd() == "/home"
            assert theirs.pread(descriptor, 99, 0) == b"one 0 1 2 3 "
            found = theirs.fstat(descriptor)
            assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o700, 7, 8)
            assert theirs.lseek(descriptor, 0, os.SEEK_CUR) == 12
        kill(system)
        with pytest.raises(OSError, match="descriptor") as caught:
            files.close(descriptor)
        assert caught.value.errno == errno.EBADF
    found_wrong = check(MemoryImage(bytearray(image.read_bytes())))
    assert not any(each.severity is Severity.ERROR for each in found_wrong)


def test_access_times_are_kept() -> None:
    with boot("microkernel", FileSystem) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_RDWR | os.O_CREAT)
        files.write(descriptor, b"abc")
        files.utime("/a", (5, 6))
        files.pread(descriptor, 3, 0)
        before = files.stat("/a").st_atime
        assert before > 6
        kill(system)
        assert files.stat("/a").st_atime == before


def test_a_large_file_and_a_full_disk() -> None:
    data = os.urandom(700_000)
    with boot("microkernel", FileSystem, config={Disk: {"blocks": 1024}}) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_RDWR | os.O_CREAT)
        assert files.write(descriptor, data) == len(data)
        kill(system)
        written = files.write(descriptor, data)
        assert 0 < written < len(data)
        kill(system)
        assert files.lseek(descriptor, 0, os.SEEK_CUR) == len(data) + written
        assert files.pread(descriptor, 1 << 21, 0) == data + data[:written]
        with pytest.raises(OSError, match="No space"):
            files.write(descriptor, data)


def test_a_disk_that_is_only_read(tmp_path: Path) -> None:
    image = tmp_path / "image"
    config = {Disk: {"image": str(image), "blocks": 1024}}
    with boot("microkernel", FileSystem, config=config) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_RDWR | os.O_CREAT)
        files.write(descriptor, b"abcdef")
    reading = {Disk: {"image": str(image), "read_only": True}}
    with boot("microkernel", FileSystem, config=reading) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_RDONLY)
        assert files.read(descriptor, 2) == b"ab"
        kill(system)
        assert files.read(descriptor, 2) == b"cd"
        for _ in range(5000):
            files.lseek(descriptor, 1, os.SEEK_SET)
        kill(system)
        assert files.read(descriptor, 9) == b"bcdef"


def test_without_stability_a_loss_is_told() -> None:
    with boot("microkernel", FileSystem, stable=False) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_RDWR | os.O_CREAT)
        kill(system)
        with pytest.raises(ServerDied):
            files.fstat(descriptor)
        with pytest.raises(OSError, match="descriptor"):
            files.fstat(descriptor)


def test_locks_are_kept() -> None:
    with boot("microkernel", FileSystem) as system, system.user() as other:
        files, theirs = system[FileSystem], other[FileSystem]
        descriptor = files.open("/a", os.O_RDWR | os.O_CREAT)
        files.write(descriptor, b"x" * 100)
        files.flock(descriptor, fcntl.LOCK_EX)
        files.lockf(descriptor, os.F_LOCK, 10)
        again = theirs.open("/a", os.O_RDWR)
        for sync in (False, True):
            if sync:
                files.sync()
            kill(system)
            with pytest.raises(BlockingIOError):
                theirs.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
            theirs.lseek(again, 100, os.SEEK_SET)
            with pytest.raises(OSError, match=r"unavailable|denied"):
                theirs.lockf(again, os.F_TLOCK, 10)
        files.flock(descriptor, fcntl.LOCK_UN)
        theirs.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
