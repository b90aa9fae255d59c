"""lseek(): https://pubs.opengroup.org/onlinepubs/9799919799/functions/lseek.html."""

import errno
import os
from typing import Any

from tests.posix.conftest import Place, fails

DATA, HOLE = os.SEEK_DATA, os.SEEK_HOLE


def test_from_where(p: Place, aged: Any) -> None:
    p.file("f", b"0123456789")
    fd = p.root.open("f", os.O_RDONLY)
    aged.set("f")
    assert p.root.lseek(fd, 4, os.SEEK_SET) == 4
    assert p.root.lseek(fd, 3, os.SEEK_CUR) == 7
    assert p.root.lseek(fd, -6, os.SEEK_CUR) == 1
    assert p.root.lseek(fd, -1, os.SEEK_END) == 9
    assert p.root.read(fd, 5) == b"9"
    assert p.root.lseek(fd, 5, os.SEEK_END) == 15
    aged.set("f")
    assert p.root.read(fd, 5) == b""
    assert p.root.stat("f").st_size == 10


def test_nowhere(p: Place) -> None:
    p.file("f", b"0123456789")
    fd = p.root.open("f", os.O_RDONLY)
    p.root.lseek(fd, 4, os.SEEK_SET)
    fails(errno.EINVAL, p.root.lseek, fd, -1, os.SEEK_SET)
    fails(errno.EINVAL, p.root.lseek, fd, -5, os.SEEK_CUR)
    fails(errno.EINVAL, p.root.lseek, fd, -11, os.SEEK_END)
    fails(errno.EINVAL, p.root.lseek, fd, 2**63 - 1, os.SEEK_CUR)
    fails(errno.EINVAL, p.root.lseek, fd, 0, 9)
    fails(errno.EINVAL, p.root.lseek, fd, 0, -1)
    fails(errno.EBADF, p.root.lseek, 999, 0, os.SEEK_SET)
    fails(errno.EBADF, p.root.lseek, -1, 0, os.SEEK_SET)
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 4


def test_a_gap_has_no_data_before_it_is_written(p: Place) -> None:
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    p.root.lseek(fd, 50_000, os.SEEK_SET)
    assert p.root.fstat(fd).st_size == 0
    p.root.write(fd, b"x")
    assert p.root.fstat(fd).st_size == 50_001
    assert p.root.fstat(fd).st_blocks * 512 < 20_000


def test_data_and_holes(p: Place) -> None:
    """In whole pages, so that the host's blocks and ours agree."""
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    for place in (8192, 40_960, 409_600):
        p.root.pwrite(fd, b"x" * 4096, place)
    p.root.ftruncate(fd, 500_000)
    for place, data, hole in (
        (0, 8192, 0),
        (5000, 8192, 5000),
        (8192, 8192, 12_288),
        (8200, 8200, 12_288),
        (12_288, 40_960, 12_288),
        (45_056, 409_600, 45_056),
        (409_601, 409_601, 413_696),
    ):
        assert p.root.lseek(fd, place, DATA) == data
        assert p.root.lseek(fd, place, HOLE) == hole
    fails(errno.ENXIO, p.root.lseek, fd, 413_696, DATA)
    assert p.root.lseek(fd, 413_696, HOLE) == 413_696
    for beyond in (500_000, 500_001, 2**40):
        fails(errno.ENXIO, p.root.lseek, fd, beyond, DATA)
        fails(errno.ENXIO, p.root.lseek, fd, beyond, HOLE)


def test_the_end_counts_as_a_hole(p: Place) -> None:
    """Clause: "... an implicit hole ... at the end of all files"."""
    p.file("f", b"x" * 10)
    fd = p.root.open("f", os.O_RDONLY)
    assert p.root.lseek(fd, 0, DATA) == 0
    assert p.root.lseek(fd, 0, HOLE) == 10
    assert p.root.lseek(fd, 9, HOLE) == 10
    fails(errno.ENXIO, p.root.lseek, fd, 10, HOLE)
    fails(errno.ENXIO, p.root.lseek, fd, 10, DATA)
    empty = p.root.open("e", os.O_CREAT | os.O_RDWR)
    fails(errno.ENXIO, p.root.lseek, empty, 0, DATA)


def test_a_hole_that_is_cut_and_grown(p: Place) -> None:
    p.file("f", b"x" * 40_960)
    fd = p.root.open("f", os.O_RDWR)
    p.root.ftruncate(fd, 8192)
    p.root.ftruncate(fd, 40_960)
    assert p.root.lseek(fd, 0, HOLE) == 8192
    fails(errno.ENXIO, p.root.lseek, fd, 8192, DATA)
    assert p.root.pread(fd, 99_999, 0) == b"x" * 8192 + bytes(32_768)
