"""utimensat(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/utimensat.html."""

import errno
import os
import time
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails

SECOND = 10**9


def times(p: Place, path: str) -> tuple[int, int]:
    found = p.root.lstat(path)
    return int(found.st_atime), int(found.st_mtime)


@pytest.mark.parametrize("kind", KINDS)
def test_both_times(p: Place, kind: str) -> None:
    p.make(kind, "x")
    p.root.utime("x", ns=(5 * SECOND, 7 * SECOND), follow_symlinks=False)
    assert times(p, "x") == (5, 7)
    p.root.utime("x", (8.0, 9.0), follow_symlinks=False)
    assert times(p, "x") == (8, 9)
    p.root.utime("x", ns=(0, ((1 << 32) - 1) * SECOND), follow_symlinks=False)
    assert times(p, "x") == (0, (1 << 32) - 1)


@pytest.mark.parametrize("arguments", [{}, {"times": None}])
def test_now(p: Place, arguments: Any) -> None:
    p.file("f")
    p.root.utime("f", (5.0, 5.0))
    before = int(time.time())
    p.root.utime("f", **arguments)
    access, change = times(p, "f")
    assert before - 1 <= access == change <= time.time()


def test_change_of_status(p: Place) -> None:
    p.file("f")
    p.root.utime("f", (5.0, 5.0))
    assert p.root.stat("f").st_ctime > 1_000_000_000


def test_links(p: Place) -> None:
    p.file("f")
    p.root.symlink("f", "l")
    p.root.utime("l", (5.0, 6.0))
    assert times(p, "f") == (5, 6)
    p.root.utime("l", (7.0, 8.0), follow_symlinks=False)
    assert (times(p, "f"), times(p, "l")) == ((5, 6), (7, 8))


def test_by_descriptor(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDONLY)
    p.root.utime(fd, (5.0, 6.0))
    assert times(p, "f") == (5, 6)
    fails(errno.EBADF, p.root.utime, 999)
    fails(errno.EINVAL, p.root.utime, fd, follow_symlinks=False)


def test_permissions(p: Place) -> None:
    """To now: who may write. To anything else: who owns."""
    p.file("writable", mode=0o666)
    p.file("mine", mode=0, who=p.ada)
    p.file("other", mode=0o644)
    p.ada.utime("writable")
    fails(errno.EPERM, p.ada.utime, "writable", (1.0, 1.0))
    p.ada.utime("mine")
    p.ada.utime("mine", (1.0, 1.0))
    fails(errno.EACCES, p.ada.utime, "other")
    fails(errno.EPERM, p.ada.utime, "other", (1.0, 1.0))


def test_one_form_at_a_time(p: Place) -> None:
    p.file("f")
    fails(errno.EINVAL, p.root.utime, "f", (1.0, 1.0), ns=(1, 1))
    fails(errno.EINVAL, p.root.utime, "f", (float("nan"), 1.0))


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("f/", errno.ENOTDIR),
        ("loop", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.utime, path)
    p.folder("d", 0o600)
    fails(errno.EACCES, p.ada.utime, "d/f")


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.file("d/f")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.utime("f", (5.0, 6.0), dir_fd=fd)
    assert times(p, "d/f") == (5, 6)
    fails(errno.EBADF, p.root.utime, "f", dir_fd=999)
