"""stat(), lstat(), fstat(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/stat.html."""

import errno
import os
import stat

import pytest

from tests.posix.conftest import KINDS, Place, fails

TYPES = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "link": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "device": stat.S_IFCHR,
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(p: Place, kind: str) -> None:
    p.make(kind, "x")
    found = p.root.lstat("x")
    assert stat.S_IFMT(found.st_mode) == TYPES[kind]
    assert found.st_nlink == (2 if kind == "directory" else 1)
    assert (found.st_uid, found.st_gid) == (0, 0)
    assert found.st_dev == p.root.stat(".").st_dev
    assert found.st_ino > 0
    if kind == "device":
        assert found.st_rdev == 0x0103
    if kind not in {"directory", "link"}:
        assert found.st_size == found.st_blocks == 0


def test_sizes_and_blocks(p: Place) -> None:
    p.file("f", b"x" * 10_000)
    found = p.root.stat("f")
    assert found.st_size == 10_000
    assert 10_000 <= found.st_blocks * 512 <= 12_288
    assert found.st_blksize >= 512
    p.root.truncate("f", 1_000_000)
    assert p.root.stat("f").st_size == 1_000_000
    assert p.root.stat("f").st_blocks * 512 <= 16_384


def test_links(p: Place) -> None:
    p.file("f", b"12345")
    p.root.symlink("f", "l")
    p.root.symlink("l", "m")
    assert p.root.stat("m").st_size == 5
    assert p.root.lstat("m").st_size == 1
    assert p.root.stat("m", follow_symlinks=False).st_size == 1
    p.root.symlink("nowhere", "dangling")
    fails(errno.ENOENT, p.root.stat, "dangling")
    p.root.lstat("dangling")


def test_by_descriptor(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDONLY)
    number = p.root.stat("f").st_ino
    assert p.root.fstat(fd).st_ino == p.root.stat(fd).st_ino == number
    fails(errno.EBADF, p.root.fstat, 999)
    fails(errno.EBADF, p.root.stat, 999)
    fails(errno.EINVAL, p.root.stat, fd, follow_symlinks=False)


def test_the_file_itself_needs_no_permission(p: Place) -> None:
    p.file("f", mode=0)
    assert p.ada.stat("f").st_mode & 0o777 == 0
    p.folder("d", 0o600)
    p.file("d/f")
    fails(errno.EACCES, p.ada.stat, "d/f")
    fails(errno.EACCES, p.ada.lstat, "d/.")
    p.ada.stat("d")


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("absent/x", errno.ENOENT),
        ("f/", errno.ENOTDIR),
        ("f/.", errno.ENOTDIR),
        ("f/x", errno.ENOTDIR),
        ("loop", errno.ELOOP),
        ("loop/", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
        ("x/" * 2048, errno.ENAMETOOLONG),
        ("x\0", errno.EINVAL),
    ):
        fails(code, p.root.stat, path)


def test_numbers_tell_files_apart(p: Place) -> None:
    for number in range(20):
        p.file(f"{number}")
    numbers = {p.root.stat(f"{number}").st_ino for number in range(20)}
    assert len(numbers) == 20


def test_times_agree_with_themselves(p: Place) -> None:
    p.file("f", b"x")
    found = p.root.stat("f")
    for name in ("st_atime", "st_mtime", "st_ctime"):
        assert abs(getattr(found, name) - getattr(found, name + "_ns") / 1e9) < 1e-3


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.file("d/f", b"123")
    p.root.symlink("f", "d/l")
    fd = p.root.open("d", os.O_RDONLY)
    assert p.root.stat("f", dir_fd=fd).st_size == 3
    assert p.root.stat("l", dir_fd=fd).st_size == 3
    assert p.root.lstat("l", dir_fd=fd).st_size == 1
    assert p.root.stat("l", dir_fd=fd, follow_symlinks=False).st_size == 1
    assert p.root.stat("..", dir_fd=fd).st_ino == p.root.stat(".").st_ino
    fails(errno.EBADF, p.root.stat, "f", dir_fd=999)
    fails(errno.ENOTDIR, p.root.stat, "f", dir_fd=p.root.open("d/f", os.O_RDONLY))
    fails(errno.EINVAL, p.root.stat, fd, dir_fd=fd)
