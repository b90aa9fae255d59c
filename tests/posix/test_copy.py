"""sendfile() and copy_file_range(), which are Linux's: see their manual pages."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import Place, fails

DATA = bytes(number * 7 % 253 for number in range(30_000))


@pytest.fixture
def pair(p: Place) -> tuple[int, int]:
    p.file("f", DATA)
    return p.root.open("f", os.O_RDWR), p.root.open("g", os.O_CREAT | os.O_RDWR)


def position(p: Place, fd: int) -> Any:
    return p.root.lseek(fd, 0, os.SEEK_CUR)


def test_sendfile(p: Place, pair: tuple[int, int]) -> None:
    source, target = pair
    p.root.lseek(source, 100, os.SEEK_SET)
    assert p.root.sendfile(target, source, None, 5000) == 5000
    assert (position(p, source), position(p, target)) == (5100, 5000)
    assert p.root.sendfile(target, source, 0, 10) == 10
    assert (position(p, source), position(p, target)) == (5100, 5010)
    assert p.root.pread(target, 9999, 0) == DATA[100:5100] + DATA[:10]
    assert p.root.sendfile(target, source, 29_990, 99) == 10
    assert p.root.sendfile(target, source, 40_000, 99) == 0
    assert p.root.sendfile(target, source, 0, 0) == 0


def test_what_sendfile_refuses(p: Place, pair: tuple[int, int]) -> None:
    source, target = pair
    fails(errno.EBADF, p.root.sendfile, 999, source, 0, 1)
    fails(errno.EBADF, p.root.sendfile, target, 999, 0, 1)
    fails(errno.EBADF, p.root.sendfile, p.root.open("g", os.O_RDONLY), source, 0, 1)
    fails(errno.EBADF, p.root.sendfile, target, p.root.open("f", os.O_WRONLY), 0, 1)
    fails(errno.EINVAL, p.root.sendfile, target, source, -5, 1)
    fails(errno.EINVAL, p.root.sendfile, p.root.open("g", os.O_WRONLY | os.O_APPEND), source, 0, 1)


def test_copy_file_range(p: Place, pair: tuple[int, int]) -> None:
    source, target = pair
    p.root.lseek(source, 100, os.SEEK_SET)
    assert p.root.copy_file_range(source, target, 5000) == 5000
    assert (position(p, source), position(p, target)) == (5100, 5000)
    assert p.root.copy_file_range(source, target, 10, 0, 8000) == 10
    assert (position(p, source), position(p, target)) == (5100, 5000)
    assert p.root.copy_file_range(source, target, 10, offset_dst=0) == 10
    assert position(p, source) == 5110
    expected = DATA[5100:5110] + DATA[110:5100] + bytes(3000) + DATA[:10]
    assert p.root.pread(target, 9999, 0) == expected
    assert p.root.copy_file_range(source, target, 99, 29_990, 0) == 10
    assert p.root.copy_file_range(source, target, 99, 40_000, 0) == 0
    assert p.root.copy_file_range(source, target, 0) == 0


def test_within_one_file(p: Place, pair: tuple[int, int]) -> None:
    source, _ = pair
    assert p.root.copy_file_range(source, source, 1000, 0, 5000) == 1000
    assert p.root.pread(source, 1000, 5000) == DATA[:1000]
    fails(errno.EINVAL, p.root.copy_file_range, source, source, 1000, 0, 999)
    fails(errno.EINVAL, p.root.copy_file_range, source, source, 1000, 999, 0)
    assert p.root.copy_file_range(source, source, 1000, 1000, 0) == 1000


def test_what_copy_file_range_refuses(p: Place, pair: tuple[int, int]) -> None:
    source, target = pair
    fails(errno.EBADF, p.root.copy_file_range, 999, target, 1)
    fails(errno.EBADF, p.root.copy_file_range, source, 999, 1)
    fails(errno.EBADF, p.root.copy_file_range, source, p.root.open("g", os.O_RDONLY), 1)
    fails(errno.EBADF, p.root.copy_file_range, p.root.open("f", os.O_WRONLY), target, 1)
    appending = p.root.open("g", os.O_WRONLY | os.O_APPEND)
    fails(errno.EBADF, p.root.copy_file_range, source, appending, 1)
    directory = p.root.open(".", os.O_RDONLY)
    fails(errno.EISDIR, p.root.copy_file_range, directory, target, 1)
    fails(errno.EISDIR, p.root.copy_file_range, source, directory, 1)


def test_times_and_set_id_bits(p: Place, pair: tuple[int, int], aged: Any) -> None:
    source, _ = pair
    p.root.chmod("g", 0o6777)
    p.root.chmod("f", 0o666)
    target = p.ada.open("g", os.O_WRONLY)
    mine = p.ada.open("f", os.O_RDONLY)
    aged.set("f", "g")
    assert p.ada.copy_file_range(mine, target, 10) == 10
    assert (aged.changed("f"), aged.changed("g")) == ("a", "m")
    assert p.mode("g") == 0o777
    del source
