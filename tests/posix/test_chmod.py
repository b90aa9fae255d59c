"""chmod(), fchmod(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/chmod.html."""

import errno
import os
import stat
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "link"])
def test_every_mode(p: Place, kind: str) -> None:
    p.make(kind, "x")
    before = stat.S_IFMT(p.root.stat("x").st_mode)
    for bit in range(12):
        p.root.chmod("x", 1 << bit)
        assert p.root.stat("x").st_mode == before | 1 << bit
    p.root.chmod("x", 0o7777)
    assert p.mode("x") == 0o7777
    p.root.chmod("x", stat.S_IFIFO | 0o644)  # the type is not what is set
    assert p.root.stat("x").st_mode == before | 0o644


def test_by_descriptor(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDONLY)
    p.root.fchmod(fd, 0o751)
    assert p.mode("f") == 0o751
    p.root.chmod(fd, 0o640)
    assert p.mode("f") == 0o640
    p.root.unlink("f")
    p.root.fchmod(fd, 0o600)
    assert p.root.fstat(fd).st_mode & 0o777 == 0o600
    fails(errno.EBADF, p.root.fchmod, 999, 0o600)
    fails(errno.EBADF, p.root.chmod, 999, 0o600)
    fails(errno.EBADF, p.root.fchmod, -1, 0o600)


def test_links(p: Place) -> None:
    p.file("f", mode=0o600)
    p.root.symlink("f", "l")
    p.root.chmod("l", 0o644)
    assert p.mode("f") == 0o644
    assert p.mode("l") == 0o777
    p.root.symlink("nowhere", "dangling")
    fails(errno.ENOENT, p.root.chmod, "dangling", 0o600)


def test_only_owners(p: Place) -> None:
    p.file("f", mode=0o666, who=p.ada)
    p.ada.chmod("f", 0)
    p.ada.chmod("f", 0o666)
    fails(errno.EPERM, p.bob.chmod, "f", 0o666)
    fails(errno.EPERM, p.bob.fchmod, p.bob.open("f", os.O_RDWR), 0o666)
    p.root.chmod("f", 0o600)
    assert p.mode("f") == 0o600


def test_set_group_id_is_for_members(p: Place) -> None:
    """Clause: "... the S_ISGID bit ... shall be cleared upon successful return"."""
    p.file("f", who=p.ada)
    p.root.chown("f", -1, 300)
    p.ada.chmod("f", 0o2755)
    assert p.mode("f") == 0o2755
    p.root.chown("f", -1, 200)
    p.ada.chmod("f", 0o6755)
    assert p.mode("f") == 0o4755
    p.ada.fchmod(p.ada.open("f", os.O_RDONLY), 0o2700)
    assert p.mode("f") == 0o700
    p.root.chmod("f", 0o2755)
    assert p.mode("f") == 0o2755


def test_the_sticky_bit_of_a_file(p: Place) -> None:
    p.file("f", who=p.ada)
    p.ada.chmod("f", 0o1644)
    assert p.mode("f") == 0o1644


def test_descriptors_keep_what_they_allow(p: Place) -> None:
    p.file("f", b"x", who=p.ada)
    fd = p.ada.open("f", os.O_RDWR)
    p.ada.chmod("f", 0)
    assert p.ada.read(fd, 1) == b"x"
    assert p.ada.write(fd, b"y") == 1
    fails(errno.EACCES, p.ada.open, "f", os.O_RDONLY)


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
        fails(code, p.root.chmod, path, 0o600)
    p.folder("d", 0o600)
    p.file("d/f", who=p.root)
    p.root.chown("d/f", 1000, -1)
    fails(errno.EACCES, p.ada.chmod, "d/f", 0o600)


def test_times(p: Place, aged: Any) -> None:
    p.file("f")
    aged.set("f", ".")
    p.root.chmod("f", 0o600)
    assert aged.changed("f") + aged.changed(".") == ""


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.file("d/f")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.chmod("f", 0o604, dir_fd=fd)
    assert p.mode("d/f") == 0o604
    fails(errno.EBADF, p.root.chmod, "f", 0o600, dir_fd=999)
