"""mknod(), mkfifo(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/mknod.html."""

import errno
import os
import stat
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


@pytest.mark.parametrize("kind", [0, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK])
def test_what_anybody_may_make(p: Place, kind: int) -> None:
    p.ada.umask(0o026)
    p.ada.mknod("x", kind | 0o766)
    found = p.root.stat("x")
    assert stat.S_IFMT(found.st_mode) == (kind or stat.S_IFREG)
    assert (p.mode("x"), found.st_uid, found.st_gid) == (0o740, 1000, 100)
    assert (found.st_nlink, found.st_size, found.st_rdev) == (1, 0, 0)


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK])
def test_devices_are_the_superusers(p: Place, kind: int) -> None:
    fails(errno.EPERM, p.ada.mknod, "x", kind | 0o666, 0x0103)
    p.file("f")
    p.folder("d", 0o755)
    for path, code in (("f", errno.EEXIST), ("absent/x", errno.ENOENT), ("d/x", errno.EACCES)):
        fails(code, p.ada.mknod, path, kind | 0o666, 0x0103)
    p.root.mknod("x", kind | 0o600, 0x0103)
    found = p.root.stat("x")
    assert stat.S_IFMT(found.st_mode) == kind
    assert found.st_rdev == 0x0103


def test_kinds_that_it_does_not_make(p: Place) -> None:
    fails(errno.EPERM, p.root.mknod, "x", stat.S_IFDIR | 0o700)
    fails(errno.EINVAL, p.root.mknod, "x", stat.S_IFLNK | 0o700)
    fails(errno.EINVAL, p.root.mknod, "x", 0o170000 | 0o700)


def test_a_new_name_must_be_new(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
        fails(errno.EEXIST, p.root.mknod, kind)
        fails(errno.EEXIST, p.root.mkfifo, kind)
    fails(errno.ENOENT, p.root.mknod, "new/")
    fails(errno.ENOENT, p.root.mkfifo, "new/")


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent/x", errno.ENOENT),
        ("f/x", errno.ENOTDIR),
        ("loop/x", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.mknod, path)
        fails(code, p.root.mkfifo, path)


def test_permissions(p: Place) -> None:
    p.folder("d", 0o755)
    fails(errno.EACCES, p.ada.mkfifo, "d/x")
    fails(errno.EACCES, p.ada.mknod, "d/x")


def test_times(p: Place, aged: Any) -> None:
    p.folder("d")
    aged.set("d")
    p.root.mkfifo("d/p")
    assert aged.changed("d") == "m"


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.mknod("f", dir_fd=fd)
    p.root.mkfifo("p", 0o600, dir_fd=fd)
    assert sorted(p.root.listdir("d")) == ["f", "p"]
    fails(errno.EBADF, p.root.mkfifo, "p", dir_fd=999)
