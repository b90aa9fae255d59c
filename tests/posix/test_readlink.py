"""readlink(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/readlink.html."""

import errno
import os
from typing import Any

from tests.posix.conftest import KINDS, Place, fails


def test_only_of_a_link(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
        if kind == "link":
            assert p.root.readlink(kind) == "nowhere"
        else:
            fails(errno.EINVAL, p.root.readlink, kind)
    fails(errno.EINVAL, p.root.readlink, ".")
    fails(errno.EINVAL, p.root.readlink, "/")


def test_a_slash_at_the_end_follows(p: Place) -> None:
    p.folder("d")
    p.root.symlink("d", "l")
    p.root.symlink("nowhere", "m")
    fails(errno.EINVAL, p.root.readlink, "l/")
    fails(errno.ENOENT, p.root.readlink, "m/")


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("f/x", errno.ENOTDIR),
        ("loop/x", errno.ELOOP),
        ("loop/", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.readlink, path)
    assert p.root.readlink("loop") == "loop"


def test_permissions(p: Place) -> None:
    p.folder("d", 0o700)
    p.root.symlink("t", "d/l")
    fails(errno.EACCES, p.ada.readlink, "d/l")
    p.root.chmod("d", 0o711)
    assert p.ada.readlink("d/l") == "t"


def test_times(p: Place, aged: Any) -> None:
    p.root.symlink("t", "l")
    aged.set("l")
    p.root.readlink("l")
    assert aged.changed("l") == "a"


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.root.symlink("t", "d/l")
    fd = p.root.open("d", os.O_RDONLY)
    assert p.root.readlink("l", dir_fd=fd) == "t"
    fails(errno.EBADF, p.root.readlink, "l", dir_fd=999)
    fails(errno.ENOENT, p.root.readlink, "", dir_fd=fd)
