"""close(), dup(), dup2(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/dup.html."""

import errno
import os

from tests.posix.conftest import Place, fails


def test_a_copy_shares_the_position(p: Place) -> None:
    p.file("f", b"0123456789")
    fd = p.root.open("f", os.O_RDWR)
    copy = p.root.dup(fd)
    p.root.read(fd, 3)
    assert p.root.read(copy, 2) == b"34"
    p.root.lseek(copy, 8, os.SEEK_SET)
    assert p.root.read(fd, 9) == b"89"
    p.root.close(fd)
    p.root.lseek(copy, 0, os.SEEK_SET)
    assert p.root.read(copy, 1) == b"0"
    another = p.root.open("f", os.O_RDONLY)
    assert p.root.lseek(another, 0, os.SEEK_CUR) == 0


def test_the_lowest_that_is_free(p: Place) -> None:
    p.file("f")
    first, second, third = (p.root.open("f", os.O_RDONLY) for _ in range(3))
    p.root.close(second)
    assert p.root.dup(third) == second
    assert p.root.dup(first) == third + 1


def test_dup2(p: Place) -> None:
    p.file("f", b"f")
    p.file("g", b"g")
    fd, other = p.root.open("f", os.O_RDONLY), p.root.open("g", os.O_RDONLY)
    assert p.root.dup2(fd, other) == other
    assert p.root.pread(other, 1, 0) == b"f"
    assert p.root.dup2(fd, 500) == 500
    assert p.root.pread(500, 1, 0) == b"f"
    assert p.root.dup2(fd, fd) == fd
    assert p.root.pread(fd, 1, 0) == b"f"
    p.root.close(fd)
    assert p.root.pread(500, 1, 0) == b"f"


def test_dup2_closes_what_was_there(p: Place) -> None:
    p.file("f")
    p.file("g", b"g")
    fd, last = p.root.open("f", os.O_RDONLY), p.root.open("g", os.O_RDONLY)
    p.root.unlink("g")
    p.root.dup2(fd, last)
    assert p.root.fstat(last).st_ino == p.root.stat("f").st_ino


def test_what_is_not_open(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDONLY)
    fails(errno.EBADF, p.root.dup, 999)
    fails(errno.EBADF, p.root.dup, -1)
    fails(errno.EBADF, p.root.dup2, 999, fd)
    fails(errno.EBADF, p.root.dup2, 999, 999)
    fails(errno.EBADF, p.root.dup2, fd, -1)
    fails(errno.EBADF, p.root.dup2, fd, 2**31 - 1)
    fails(errno.EBADF, p.root.close, 999)
    fails(errno.EBADF, p.root.close, -1)
    p.root.close(fd)
    fails(errno.EBADF, p.root.close, fd)
    fails(errno.EBADF, p.root.fstat, fd)


def test_closerange(p: Place) -> None:
    p.file("f")
    opened = [p.root.open("f", os.O_RDONLY) for _ in range(5)]
    p.root.close(opened[2])
    p.root.closerange(opened[1], opened[4])
    p.root.fstat(opened[0])
    p.root.fstat(opened[4])
    for fd in opened[1:4]:
        fails(errno.EBADF, p.root.fstat, fd)
    p.root.closerange(500, 100)
    assert p.root.open("f", os.O_RDONLY) == opened[1]


def test_o_append_belongs_to_the_open_file(p: Place) -> None:
    fd = p.root.open("f", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    copy = p.root.dup(fd)
    p.root.write(fd, b"1")
    p.root.lseek(copy, 0, os.SEEK_SET)
    p.root.write(copy, b"2")
    assert p.read("f") == b"12"


def test_callers_have_their_own(p: Place) -> None:
    p.file("f", mode=0o644)
    fd = p.root.open("f", os.O_RDONLY)
    p.ada.closerange(3, 1024)
    fails(errno.EBADF, p.ada.fstat, fd + 7)
    p.root.fstat(fd)
