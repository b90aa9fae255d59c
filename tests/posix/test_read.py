"""read(), pread(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/read.html."""

import errno
import os
from typing import Any

from tests.posix.conftest import Place, fails

PLACES = (0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 7167, 7168, 12_287, 19_999, 20_000, 30_000)
LENGTHS = (0, 1, 1024, 1025, 4096, 5000, 20_000, 100_000)


def test_positions(p: Place) -> None:
    p.file("f", b"0123456789")
    fd = p.root.open("f", os.O_RDONLY)
    assert p.root.read(fd, 4) == b"0123"
    assert p.root.pread(fd, 2, 8) == b"89"
    assert p.root.read(fd, 4) == b"4567"
    assert p.root.read(fd, 4) == b"89"
    assert p.root.read(fd, 4) == b""
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 10
    assert p.root.read(fd, 0) == b""


def test_every_part(p: Place) -> None:
    data = bytes(number * 31 % 251 for number in range(20_000))
    p.file("f", data)
    fd = p.root.open("f", os.O_RDONLY)
    for place in PLACES:
        for length in LENGTHS:
            assert p.root.pread(fd, length, place) == data[place : place + length]


def test_holes_are_zeros(p: Place) -> None:
    """Clause: "... reads ... of bytes in the gap shall return bytes with the value 0"."""
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    p.root.pwrite(fd, b"x", 100_000)
    p.root.pwrite(fd, b"y", 5000)
    assert p.root.pread(fd, 200_000, 0) == bytes(5000) + b"y" + bytes(94_999) + b"x"


def test_past_the_end(p: Place) -> None:
    p.file("f", b"x")
    fd = p.root.open("f", os.O_RDONLY)
    assert p.root.pread(fd, 10, 1) == b""
    assert p.root.pread(fd, 10, 1 << 40) == b""


def test_what_another_wrote_is_seen_at_once(p: Place) -> None:
    p.file("f", b"old", 0o666)
    fd = p.root.open("f", os.O_RDONLY)
    other = p.ada.open("f", os.O_WRONLY)
    p.ada.write(other, b"newer")
    assert p.root.read(fd, 9) == b"newer"


def test_descriptors_that_will_not_do(p: Place) -> None:
    p.file("f", b"x")
    fd = p.root.open("f", os.O_WRONLY)
    fails(errno.EBADF, p.root.read, fd, 1)
    fails(errno.EBADF, p.root.pread, fd, 1, 0)
    for bad in (-1, 999, 2**31 - 1):
        fails(errno.EBADF, p.root.read, bad, 1)
        fails(errno.EBADF, p.root.pread, bad, 1, 0)
    p.root.close(fd)
    fails(errno.EBADF, p.root.read, fd, 1)


def test_numbers_that_will_not_do(p: Place) -> None:
    p.file("f", b"x")
    fd = p.root.open("f", os.O_RDONLY)
    fails(errno.EINVAL, p.root.pread, fd, 1, -1)
    fails(errno.EINVAL, p.root.pread, 999, 1, -1)
    fails(errno.EINVAL, p.root.read, fd, -1)
    fails(errno.EINVAL, p.root.pread, fd, -1, 0)


def test_directories(p: Place) -> None:
    fd = p.root.open(".", os.O_RDONLY)
    fails(errno.EISDIR, p.root.read, fd, 10)
    fails(errno.EISDIR, p.root.pread, fd, 10, 0)


def test_times(p: Place, aged: Any) -> None:
    p.file("f", b"x" * 10)
    fd = p.root.open("f", os.O_RDONLY)
    for operation, *arguments in ((p.root.read, 1), (p.root.pread, 1, 5)):
        aged.set("f")
        operation(fd, *arguments)
        assert aged.changed("f") == "a"
