"""symlink(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/symlink.html."""

import errno
import os
import stat
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails

TARGETS = ["x", "/", "a/b/../c", "/absolute/path/", "é\udcff", " ", "t" * 1000, "/" + "t" * 4094]


@pytest.mark.parametrize("target", TARGETS)
def test_the_target_is_kept_as_it_is(p: Place, target: str) -> None:
    p.ada.symlink(target, "l")
    assert p.ada.readlink("l") == target
    found = p.root.lstat("l")
    assert stat.S_ISLNK(found.st_mode)
    assert found.st_size == len(target.encode("utf-8", "surrogateescape"))
    assert (found.st_uid, found.st_gid, found.st_nlink) == (1000, 100, 1)
    assert p.mode("l") == 0o777


def test_targets_that_can_be_none(p: Place) -> None:
    fails(errno.ENOENT, p.root.symlink, "", "l")
    fails(errno.ENAMETOOLONG, p.root.symlink, "t" * 4096, "l")
    fails(errno.EINVAL, p.root.symlink, "a\0b", "l")
    assert p.root.listdir(".") == ()


def test_a_new_name_must_be_new(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
        fails(errno.EEXIST, p.root.symlink, "t", kind)
    fails(errno.EEXIST, p.root.symlink, "t", ".")
    fails(errno.EEXIST, p.root.symlink, "t", "directory/")
    fails(errno.ENOENT, p.root.symlink, "t", "new/")


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
        fails(code, p.root.symlink, "t", path)


def test_permissions(p: Place) -> None:
    p.folder("d", 0o755)
    fails(errno.EACCES, p.ada.symlink, "t", "d/l")
    p.root.symlink("f", "l")  # the bits of the link itself mean nothing
    p.file("f", b"x", 0o600)
    fails(errno.EACCES, p.ada.open, "l", os.O_RDONLY)
    assert p.ada.readlink("l") == "f"


def test_times(p: Place, aged: Any) -> None:
    p.folder("d")
    aged.set("d")
    p.root.symlink("t", "d/l")
    assert aged.changed("d") == "m"
    assert aged.changed("d/l") == "am"


def test_dir_fd_and_what_the_target_is(p: Place) -> None:
    p.folder("d")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.symlink("t", "l", dir_fd=fd)
    p.root.symlink("t", "m", True, dir_fd=fd)
    assert p.root.readlink("d/m") == "t"
    fails(errno.EEXIST, p.root.symlink, "t", "l", dir_fd=fd)
    fails(errno.EBADF, p.root.symlink, "t", "l", dir_fd=999)
