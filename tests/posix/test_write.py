"""write(), pwrite(), writev(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/write.html."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import Place, fails

PLACES = (0, 1, 1000, 1023, 1024, 4095, 4096, 7168, 9999, 10_000, 15_000, 270_000)
LENGTHS = (1, 24, 1024, 1025, 4096, 4097, 9000)


def test_positions(p: Place) -> None:
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    assert p.root.write(fd, b"0123") == 4
    assert p.root.pwrite(fd, b"xy", 1) == 2
    assert p.root.write(fd, b"4") == 1
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 5
    assert p.root.pread(fd, 9, 0) == b"0xy34"


@pytest.mark.parametrize("place", PLACES)
def test_every_part(p: Place, place: int) -> None:
    expected = bytearray(b"o" * 10_000)
    p.file("f", bytes(expected))
    fd = p.root.open("f", os.O_RDWR)
    for number, length in enumerate(LENGTHS):
        data = bytes([number + 1]) * length
        assert p.root.pwrite(fd, data, place) == length
        expected.extend(bytes(max(0, place + length - len(expected))))
        expected[place : place + length] = data
        assert p.root.pread(fd, 300_000, 0) == expected
    p.root.fsync(fd)
    assert p.read("f") == expected


def test_nothing(p: Place, aged: Any) -> None:
    """Clause: zero bytes "may detect and return errors", and do nothing else."""
    p.file("f", b"x", 0o6777)
    fd = p.root.open("f", os.O_RDWR)
    aged.set("f")
    assert p.root.write(fd, b"") == 0
    assert p.root.pwrite(fd, b"", 1000) == 0
    assert aged.changed("f") == ""
    assert p.root.stat("f").st_size == 1
    fails(errno.EBADF, p.root.write, p.root.open("f", os.O_RDONLY), b"")


def test_appending(p: Place) -> None:
    """Clause: "the file offset shall be set to the end of the file prior to each write"."""
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    other = p.root.open("f", os.O_WRONLY)
    p.root.write(fd, b"aa")
    p.root.pwrite(other, b"b", 9)
    p.root.lseek(fd, 0, os.SEEK_SET)
    p.root.write(fd, b"cc")
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 12
    assert p.root.pread(fd, 99, 0) == b"aa" + bytes(7) + b"bcc"
    p.root.pwrite(fd, b"d", 0)  # Linux: "appends data to the end of the file, regardless"
    assert p.root.pread(fd, 99, 0)[-3:] == b"ccd"
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 12


def test_set_id_bits_go(p: Place) -> None:
    p.file("f", b"x")
    for before, after in ((0o6777, 0o777), (0o4766, 0o766), (0o2777, 0o777)):
        p.root.chmod("f", before)
        p.root.write(p.root.open("f", os.O_WRONLY), b"y")
        assert p.mode("f") == before
        p.ada.write(p.ada.open("f", os.O_WRONLY), b"y")
        assert p.mode("f") == after
    p.root.chown("f", 1000, 100)
    p.root.chmod("f", 0o6755)
    p.ada.pwrite(p.ada.open("f", os.O_WRONLY), b"y", 0)  # the owner's own
    assert p.mode("f") == 0o755


def test_descriptors_that_will_not_do(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDONLY)
    for operation, *arguments in (
        (p.root.write, b"x"),
        (p.root.pwrite, b"x", 0),
        (p.root.writev, (b"x",)),
        (p.root.pwritev, (b"x",), 0),
    ):
        fails(errno.EBADF, operation, fd, *arguments)
        fails(errno.EBADF, operation, 999, *arguments)
        fails(errno.EBADF, operation, -1, *arguments)


def test_numbers_that_will_not_do(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDWR)
    fails(errno.EINVAL, p.root.pwrite, fd, b"x", -1)
    fails(errno.EINVAL, p.root.pwrite, 999, b"x", -1)
    fails(errno.EINVAL, p.root.pwritev, fd, (b"x",), -2)
    fails(errno.EINVAL, p.root.writev, fd, (b"x",) * 1025)
    fails(errno.EFBIG, p.root.pwrite, fd, b"x", 2**63 - 2)
    assert p.root.fstat(fd).st_size == 0


def test_vectors(p: Place) -> None:
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    assert p.root.writev(fd, (b"ab", b"", b"c" * 5000)) == 5002
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 5002
    assert p.root.pwritev(fd, (b"x", b"yz"), 1) == 3
    assert p.root.pread(fd, 5, 0) == b"axyzc"
    assert p.root.writev(fd, ()) == 0
    assert p.root.pwritev(fd, (b"end",), 0, os.RWF_APPEND) == 3
    assert p.root.pread(fd, 9, 5002) == b"end"
    assert p.root.pwritev(fd, (b"s",), 0, os.RWF_SYNC | os.RWF_DSYNC) == 1
    fails(errno.EOPNOTSUPP, p.root.pwritev, fd, (b"s",), 0, 1 << 30)


def test_appending_nothing_moves_nothing(p: Place) -> None:
    p.file("f", b"12345")
    fd = p.root.open("f", os.O_WRONLY | os.O_APPEND)
    assert p.root.write(fd, b"") == p.root.writev(fd, ()) == 0
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 0


def test_durable(p: Place) -> None:
    for number, flag in enumerate((os.O_SYNC, os.O_DSYNC)):
        fd = p.root.open(f"{number}", os.O_CREAT | os.O_RDWR | flag)
        assert p.root.write(fd, b"x") == 1
        assert p.root.pread(fd, 9, 0) == b"x"


def test_times(p: Place, aged: Any) -> None:
    p.file("f", b"x" * 10)
    fd = p.root.open("f", os.O_RDWR)
    for operation, *arguments in (
        (p.root.write, b"y"),
        (p.root.pwrite, b"y", 5),
        (p.root.writev, (b"y",)),
        (p.root.pwritev, (b"y",), 3),
    ):
        aged.set("f")
        operation(fd, *arguments)
        assert aged.changed("f") == "m"
