"""What is kept of blocks, inodes and names, and that it is bounded and told."""

import os
import random
from typing import Any

import pytest

from kernels import boot
from lab.crash.judge import mounted
from lab.crash.recorder import Recorder
from servers.disk import Extent
from servers.filesystem import FileSystem
from tests.servers.images import write_file
from tests.servers.oracle import outcome
from twinos import Caller

ME = Caller(1)
MIB = 1 << 20


class Counting(Recorder):
    """A disk that counts what is asked of it."""

    reads = 0

    def read(self, block: int, count: int = 1) -> bytes:
        self.reads += 1
        return super().read(block, count)

    def readv(self, extents: tuple[Extent, ...]) -> bytes:
        self.reads += 1
        return super().readv(extents)


@pytest.fixture
def crowd() -> Any:
    """A disk with a directory of 300 files, mounted anew."""
    disk = Recorder(bytes(3000 * 1024))
    files: Any = mounted(disk)
    files.mkdir(ME, "/d")
    for number in range(300):
        files.close(ME, files.open(ME, f"/d/{number}", os.O_CREAT))
    files._stopping()
    return Counting(disk.contents())


def test_what_was_looked_up_once_is_known_also_that_it_does_not_exist(crowd: Any) -> None:
    files: Any = mounted(crowd)
    assert outcome(files.stat, ME, "/d/none")[0] == "error"
    reads = crowd.reads
    for number in range(300, 400):
        assert outcome(files.stat, ME, f"/d/{number}")[0] == "error"
        assert not files.access(ME, f"/d/no/{number}", os.F_OK)
    assert crowd.reads == reads
    for number in range(300):
        files.stat(ME, f"/d/{number}")
    reads = crowd.reads
    for number in range(300):
        files.stat(ME, f"/d/{number}")
    assert crowd.reads == reads
    use = files.memory()
    assert use.names == 301
    assert use.inodes == 302
    assert 0 < use.used < use.limit


def test_names_that_come_are_known_to_exist(crowd: Any) -> None:
    files: Any = mounted(crowd)
    assert outcome(files.stat, ME, "/d/new")[0] == "error"
    files.mkdir(ME, "/d/new")
    assert files.stat(ME, "/d/new").st_nlink == 2
    files.rename(ME, "/d/new", "/d/newer")
    assert outcome(files.stat, ME, "/d/new")[0] == "error"


def test_what_is_kept_is_bounded_whatever_is_done(rng: random.Random) -> None:
    with boot("monolithic", FileSystem, config={FileSystem: {"memory": 2 * MIB}}) as system:
        files = system[FileSystem]
        large = files.open("/large", os.O_CREAT | os.O_RDWR)
        largest = 0
        for number in range(1500):
            kind = rng.randrange(5)
            if kind == 0:
                outcome(files.mkdir, f"/{number % 40}")
            elif kind == 1:
                outcome(write_file, files, f"/{number % 40}/{number}", rng.randbytes(3000))
            elif kind == 2:
                files.pwrite(large, rng.randbytes(40_000), rng.randrange(20 * MIB))
            elif kind == 3:
                files.pread(large, 200_000, rng.randrange(20 * MIB))
            else:
                outcome(files.listdir, f"/{rng.randrange(40)}")
            use = files.memory()
            assert use.limit <= 2 * MIB + 2048
            largest = max(largest, use.used)
        assert MIB < largest < 3 * MIB
        files.sync()
        assert files.memory().unwritten == 0


def test_what_is_written_is_not_on_the_disk_until_it_is_synced(crowd: Any) -> None:
    files: Any = mounted(crowd)
    descriptor = files.open(ME, "/new", os.O_CREAT | os.O_WRONLY)
    files.write(ME, descriptor, b"x" * 10_000)
    assert files.memory().unwritten == 3
    files.fsync(ME, descriptor)
    assert files.memory().unwritten == 0
