"""Where there is an end: descriptors, sizes, links."""

import errno
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.posix.conftest import OURS, fails

LARGEST = 0x7FFF_FFFF


@pytest.fixture(params=OURS)
def fs(request: pytest.FixtureRequest) -> Iterator[Any]:
    config: Any = {Disk: {"blocks": 8192}, FileSystem: {"descriptors": 10}}
    with OURS[request.param].boot(FileSystem, config=config) as system:
        yield system[FileSystem]


def test_open_files_of_a_caller(fs: Any) -> None:
    """EMFILE, and nothing is made."""
    opened = [fs.open("/", os.O_RDONLY) for _ in range(10)]
    for operation, *arguments in (
        (fs.open, "/", os.O_RDONLY),
        (fs.open, "/new", os.O_CREAT),
        (fs.dup, opened[0]),
    ):
        fails(errno.EMFILE, operation, *arguments)
    assert fs.listdir("/") == ()
    assert fs.dup2(opened[0], opened[1]) == opened[1]
    fs.close(opened[4])
    assert fs.dup(opened[0]) == opened[4]


def test_the_largest_size(fs: Any, rng: random.Random) -> None:
    """EFBIG; a write that begins before the end of what there can be comes short."""
    fd = fs.open("/f", os.O_CREAT | os.O_RDWR)
    fs.ftruncate(fd, LARGEST)
    fails(errno.EFBIG, fs.ftruncate, fd, LARGEST + 1)
    fails(errno.EFBIG, fs.truncate, "/f", LARGEST + 1)
    fails(errno.EFBIG, fs.pwrite, fd, b"x", LARGEST)
    fails(errno.EFBIG, fs.posix_fallocate, fd, LARGEST, 1)
    data = rng.randbytes(5000)
    assert fs.pwrite(fd, data, LARGEST - 3000) == 3000
    assert fs.pread(fd, 5000, LARGEST - 3000) == data[:3000]
    assert fs.lseek(fd, 0, os.SEEK_END) == LARGEST
    fails(errno.EFBIG, fs.write, fd, b"x")
    fails(errno.EINVAL, fs.lseek, fd, 1, os.SEEK_CUR)
    assert fs.lseek(fd, 0, os.SEEK_DATA) >= LARGEST - 8192
    assert fs.fstat(fd).st_blocks < 40
    fs.unlink("/f")


def test_sizes_where_the_block_map_grows(fs: Any) -> None:
    free = fs.statvfs("/").f_bfree
    fd = fs.open("/f", os.O_CREAT | os.O_RDWR)
    edges = [7 << 10, 263 << 10, (263 + 65_536) << 10]
    for edge in edges:
        assert fs.pwrite(fd, b"ab", edge - 1) == 2
    fs.fsync(fd)
    for edge in edges:
        assert fs.pread(fd, 4, edge - 2) == b"\0ab" + b"\0" * (edge != edges[-1])
    fs.truncate("/f", 0)
    assert fs.statvfs("/").f_bfree == free


def test_a_directory_has_only_so_many_directories() -> None:
    """EMLINK, at a count that is set: making 65,530 takes long."""
    from tests.servers.images import mounted
    from twinos import Caller

    who = Caller(1)
    with mounted(blocks=1000) as files:
        operations: Any = files
        operations.mkdir(who, "/d")
        operations.mkdir(who, "/e")
        operations.open(who, "/f", os.O_CREAT)
        operations._walker.find(operations._context(who), "/d").links = 65_530
        operations._walker.find(operations._context(who), "/f").links = 65_530
        fails(errno.EMLINK, operations.mkdir, who, "/d/x")
        fails(errno.EMLINK, operations.rename, who, "/e", "/d/e")
        fails(errno.EMLINK, operations.link, who, "/f", "/g")
        operations.rename(who, "/e", "/e2")
        assert sorted(operations.listdir(who, "/")) == ["d", "e2", "f"]
        assert operations.listdir(who, "/d") == ()
