"""posix_fallocate(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/posix_fallocate.html."""

import errno
import os

import pytest

from tests.posix.conftest import Place, fails


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (0, 20_000), (5000, 1), (9999, 2), (4096, 300_000), (100_000, 5000), (0, 1_500_000)],
)
def test_room_for_what_may_come(p: Place, offset: int, length: int) -> None:
    content = b"x" * 5000 + bytes(5000) + b"y" * 5000
    p.file("f", b"x" * 5000)
    fd = p.root.open("f", os.O_RDWR)
    p.root.pwrite(fd, b"y" * 5000, 10_000)
    p.root.posix_fallocate(fd, offset, length)
    size = max(15_000, offset + length)
    assert p.root.fstat(fd).st_size == size
    assert p.root.pread(fd, 2_000_000, 0) == content + bytes(size - 15_000)
    assert p.root.fstat(fd).st_blocks * 512 >= length
    p.root.fsync(fd)
    assert p.root.pread(fd, 2_000_000, 0) == content + bytes(size - 15_000)


def test_numbers_that_will_not_do(p: Place) -> None:
    p.file("f", b"x")
    fd = p.root.open("f", os.O_RDWR)
    fails(errno.EINVAL, p.root.posix_fallocate, fd, 0, 0)
    fails(errno.EINVAL, p.root.posix_fallocate, fd, -1, 1)
    fails(errno.EINVAL, p.root.posix_fallocate, fd, 0, -1)
    fails(errno.EBADF, p.root.posix_fallocate, 999, 0, 1)
    fails(errno.EBADF, p.root.posix_fallocate, p.root.open("f", os.O_RDONLY), 0, 1)
    fails(errno.EFBIG, p.root.posix_fallocate, fd, 2**63 - 2, 1)
    assert p.root.fstat(fd).st_size == 1


def test_advice(p: Place) -> None:
    p.file("f", b"x" * 100)
    fd = p.root.open("f", os.O_RDONLY)
    for advice in range(6):
        p.root.posix_fadvise(fd, 0, 100, advice)
    fails(errno.EINVAL, p.root.posix_fadvise, fd, 0, 100, 99)
    fails(errno.EINVAL, p.root.posix_fadvise, fd, 0, -1, 0)
    fails(errno.EBADF, p.root.posix_fadvise, 999, 0, 100, 0)
