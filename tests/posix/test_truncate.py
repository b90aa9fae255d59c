"""truncate(), ftruncate(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/truncate.html."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails

SIZES = (0, 1, 1023, 1024, 1025, 4096, 5000, 7168, 8000, 20_000, 269_312, 300_000, 100, 0)


def test_shorter_and_longer(p: Place) -> None:
    """What was cut off does not come back."""
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    expected = bytearray(b"x" * 12_345)
    p.root.write(fd, bytes(expected))
    for size in (*SIZES, 12_345):
        del expected[size:]
        expected.extend(bytes(size - len(expected)))
        p.root.ftruncate(fd, size)
        assert p.root.fstat(fd).st_size == size
        assert p.root.pread(fd, 400_000, 0) == expected
    p.root.pwrite(fd, b"y" * 10, 12_000)
    p.root.truncate("f", 12_005)
    p.root.truncate("f", 12_020)
    assert p.read("f")[12_000:] == b"y" * 5 + bytes(15)


def test_the_position_stays(p: Place) -> None:
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR)
    p.root.write(fd, b"0123456789")
    p.root.ftruncate(fd, 2)
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 10
    p.root.write(fd, b"x")
    assert p.read("f") == b"01" + bytes(8) + b"x"


@pytest.mark.parametrize("size", [0, 3, 9])
def test_times_and_set_id_bits(p: Place, aged: Any, size: int) -> None:
    p.file("f", b"123", 0o6777, who=p.ada)
    aged.set("f")
    p.root.truncate("f", size)
    assert p.mode("f") == 0o6777
    assert "a" not in aged.changed("f")
    assert size == 3 or aged.changed("f") == "m"
    p.ada.truncate("f", 5)
    assert p.mode("f") == 0o777


def test_permissions(p: Place) -> None:
    p.file("f", b"123", 0o644)
    fails(errno.EACCES, p.ada.truncate, "f", 0)
    fd = p.ada.open("f", os.O_RDONLY)
    fails(errno.EINVAL, p.ada.ftruncate, fd, 0)
    fails(errno.EINVAL, p.ada.truncate, fd, 0)
    p.root.chmod("f", 0o666)
    fd = p.ada.open("f", os.O_WRONLY)
    p.root.chmod("f", 0)
    p.ada.ftruncate(fd, 1)
    p.ada.truncate(fd, 2)
    assert p.root.stat("f").st_size == 2


def test_what_has_no_size(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
    fails(errno.EISDIR, p.root.truncate, "directory", 0)
    fails(errno.EINVAL, p.root.truncate, "fifo", 0)
    fails(errno.EINVAL, p.root.truncate, "socket", 0)
    fails(errno.ENOENT, p.root.truncate, "link", 0)
    fails(errno.EINVAL, p.root.ftruncate, p.root.open("directory", os.O_RDONLY), 0)


def test_numbers_that_will_not_do(p: Place) -> None:
    p.file("f", b"x")
    fd = p.root.open("f", os.O_RDWR)
    fails(errno.EINVAL, p.root.truncate, "f", -1)
    fails(errno.EINVAL, p.root.truncate, "absent", -1)
    fails(errno.EINVAL, p.root.ftruncate, fd, -1)
    fails(errno.EINVAL, p.root.ftruncate, 999, -1)
    fails(errno.EBADF, p.root.ftruncate, 999, 0)
    fails(errno.EFBIG, p.root.ftruncate, fd, 2**63 - 1)
    fails(errno.EFBIG, p.root.truncate, "f", 2**63 - 1)
    assert p.root.stat("f").st_size == 1


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("f/", errno.ENOTDIR),
        ("f/x", errno.ENOTDIR),
        ("loop", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.truncate, path, 0)


def test_links_are_followed(p: Place) -> None:
    p.file("f", b"12345")
    p.root.symlink("f", "l")
    p.root.truncate("l", 2)
    assert p.read("f") == b"12"
    assert p.root.readlink("l") == "f"
