"""chown(), fchown(), lchown(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/chown.html."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


def owner(p: Place, path: str) -> tuple[int, int]:
    found = p.root.lstat(path)
    return found.st_uid, found.st_gid


@pytest.mark.parametrize("kind", KINDS)
def test_owner_and_group(p: Place, kind: str) -> None:
    p.make(kind, "x")
    p.root.lchown("x", 5, 6)
    assert owner(p, "x") == (5, 6)
    p.root.chown("x", 7, -1, follow_symlinks=False)
    assert owner(p, "x") == (7, 6)
    p.root.lchown("x", -1, 8)
    assert owner(p, "x") == (7, 8)
    p.root.lchown("x", -1, -1)
    assert owner(p, "x") == (7, 8)
    p.root.lchown("x", 60_000, 65_534)
    assert owner(p, "x") == (60_000, 65_534)


def test_by_descriptor(p: Place) -> None:
    p.file("f")
    fd = p.root.open("f", os.O_RDONLY)
    p.root.fchown(fd, 5, 6)
    assert owner(p, "f") == (5, 6)
    p.root.chown(fd, 7, 8)
    assert owner(p, "f") == (7, 8)
    fails(errno.EBADF, p.root.fchown, 999, 1, 1)
    fails(errno.EINVAL, p.root.chown, fd, 1, 1, follow_symlinks=False)


def test_links(p: Place) -> None:
    p.file("f")
    p.root.symlink("f", "l")
    p.root.chown("l", 5, 5)
    assert (owner(p, "f"), owner(p, "l")) == ((5, 5), (0, 0))
    p.root.lchown("l", 6, 6)
    assert (owner(p, "f"), owner(p, "l")) == ((5, 5), (6, 6))
    p.root.symlink("nowhere", "dangling")
    fails(errno.ENOENT, p.root.chown, "dangling", 1, 1)
    p.root.lchown("dangling", 1, 1)


def test_an_owner_may_choose_among_the_own_groups(p: Place) -> None:
    """Clause: _POSIX_CHOWN_RESTRICTED."""
    p.file("f", who=p.ada)
    p.ada.chown("f", -1, 300)
    p.ada.chown("f", 1000, 100)
    p.ada.chown("f", -1, 100)
    fails(errno.EPERM, p.ada.chown, "f", -1, 200)
    fails(errno.EPERM, p.ada.chown, "f", 1001, -1)
    fails(errno.EPERM, p.ada.chown, "f", 0, -1)
    fails(errno.EPERM, p.bob.chown, "f", -1, 100)
    fails(errno.EPERM, p.bob.chown, "f", 1001, -1)
    p.root.chown("f", -1, 200)
    p.ada.chown("f", -1, 200)  # it has it already
    assert owner(p, "f") == (1000, 200)


def test_whose_ids_stay_may_ask_for_that(p: Place) -> None:
    p.file("f", mode=0o666)
    p.bob.chown("f", -1, -1)
    fails(errno.EPERM, p.bob.chown, "f", 0, 0)


@pytest.mark.parametrize("by", ["ada", "root"])
def test_set_id_bits_go(p: Place, by: str) -> None:
    """Of an executable file; without group execution S_ISGID means something else, and stays."""
    p.file("f", who=p.ada)
    for before, after in ((0o6777, 0o777), (0o4711, 0o711), (0o2755, 0o755)):
        p.root.chmod("f", before)
        getattr(p, by).chown("f", -1, 300)
        assert p.mode("f") == after
    p.root.chown("f", -1, 100)
    p.root.chmod("f", 0o2745)
    getattr(p, by).chown("f", 1000, 100)
    assert p.mode("f") == 0o2745
    p.root.chmod("f", 0o6777)
    getattr(p, by).chown("f", -1, -1)
    assert p.mode("f") == 0o777


def test_set_id_bits_of_directories_stay(p: Place) -> None:
    p.folder("d", 0o777)
    p.root.chown("d", 1000, 100)
    p.root.chmod("d", 0o6777)
    p.ada.chown("d", -1, 300)
    p.root.chown("d", 5, 5)
    assert p.mode("d") == 0o6777


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
        fails(code, p.root.chown, path, 1, 1)
    p.folder("d", 0o600)
    p.file("d/f")
    p.root.chown("d/f", 1000, -1)
    fails(errno.EACCES, p.ada.chown, "d/f", -1, 100)


def test_times(p: Place, aged: Any) -> None:
    p.file("f")
    aged.set("f", ".")
    p.root.chown("f", 1, 1)
    assert aged.changed("f") + aged.changed(".") == ""


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.root.symlink("t", "d/l")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.chown("l", 5, 6, dir_fd=fd, follow_symlinks=False)
    assert owner(p, "d/l") == (5, 6)
    fails(errno.ENOENT, p.root.chown, "l", 5, 6, dir_fd=fd)
    fails(errno.EBADF, p.root.chown, "l", 5, 6, dir_fd=999)
