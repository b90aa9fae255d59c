"""link(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/link.html."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "directory"])
def test_one_more_name(p: Place, kind: str) -> None:
    p.make(kind, "a")
    p.root.link("a", "b")
    one, other = p.root.lstat("a"), p.root.lstat("b")
    assert one.st_ino == other.st_ino
    assert one.st_nlink == other.st_nlink == 2
    assert one.st_mode == other.st_mode
    p.root.unlink("a")
    assert p.root.lstat("b").st_nlink == 1


def test_one_file_with_two_names(p: Place) -> None:
    p.file("a", b"1")
    p.root.link("a", "b")
    fd = p.root.open("a", os.O_WRONLY)
    p.root.write(fd, b"23")
    assert p.read("b") == b"23"
    p.root.chmod("b", 0o600)
    assert p.mode("a") == 0o600


def test_a_link_to_a_symbolic_link(p: Place) -> None:
    p.file("f")
    p.root.symlink("f", "l")
    p.root.link("l", "m")
    assert p.root.readlink("m") == "f"
    p.root.symlink("nowhere", "dangling")
    p.root.link("dangling", "too")
    here = p.root.open(".", os.O_RDONLY)
    p.root.link("l", "n", src_dir_fd=here, dst_dir_fd=here, follow_symlinks=True)
    assert p.root.lstat("n").st_ino == p.root.stat("f").st_ino
    fails(errno.ENOENT, p.root.link, "dangling", "x", src_dir_fd=here, follow_symlinks=True)


def test_a_new_name_must_be_new(p: Place) -> None:
    p.file("f")
    for kind in KINDS:
        p.make(kind, kind)
        fails(errno.EEXIST, p.root.link, "f", kind)
    fails(errno.EEXIST, p.root.link, "f", "f")
    fails(errno.EEXIST, p.root.link, "f", ".")
    fails(errno.EEXIST, p.root.link, "f", "directory/")
    assert p.root.stat("f").st_nlink == 1


def test_no_name_for_a_directory(p: Place) -> None:
    p.folder("d")
    fails(errno.EPERM, p.root.link, "d", "e")
    fails(errno.EPERM, p.root.link, ".", "e")
    fails(errno.EEXIST, p.root.link, "d", "d")


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    long = "n" * (p.name_max + 1)
    p.root.symlink("loop", "loop")
    for old, new, code in (
        ("absent", "x", errno.ENOENT),
        ("", "x", errno.ENOENT),
        ("f", "", errno.ENOENT),
        ("f", "absent/x", errno.ENOENT),
        ("f", "new/", errno.ENOENT),
        ("f/", "x", errno.ENOTDIR),
        ("f/x", "x", errno.ENOTDIR),
        ("f", "f/x", errno.ENOTDIR),
        (long, "x", errno.ENAMETOOLONG),
        ("f", long, errno.ENAMETOOLONG),
        ("loop/x", "x", errno.ELOOP),
        ("f", "loop/x", errno.ELOOP),
    ):
        fails(code, p.root.link, old, new)
    assert p.root.stat("f").st_nlink == 1


def test_permissions(p: Place) -> None:
    p.folder("d", 0o755)
    p.file("f", who=p.ada)
    fails(errno.EACCES, p.ada.link, "f", "d/f")
    p.folder("hidden", 0o700)
    p.file("hidden/f", mode=0o666)
    fails(errno.EACCES, p.ada.link, "hidden/f", "g")
    p.ada.link("f", "g")


def test_times(p: Place, aged: Any) -> None:
    p.file("f")
    p.folder("d")
    aged.set("d", "f")
    p.root.link("f", "d/f")
    assert aged.changed("d") == "m"
    assert aged.changed("f") == ""
    assert p.root.stat("f").st_ctime > 1_000_000_000


def test_dir_fds(p: Place) -> None:
    p.folder("a")
    p.folder("b")
    p.file("a/f")
    old, new = (p.root.open(path, os.O_RDONLY) for path in ("a", "b"))
    p.root.link("f", "g", src_dir_fd=old, dst_dir_fd=new)
    assert p.root.stat("b/g").st_nlink == 2
    fails(errno.EBADF, p.root.link, "f", "g", src_dir_fd=999)
    fails(errno.ENOTDIR, p.root.link, "a/f", "g", dst_dir_fd=p.root.open("a/f", os.O_RDONLY))
    p.root.unlink("b/g")
    p.root.rmdir("b")
    fails(errno.ENOENT, p.root.link, "a/f", "g", dst_dir_fd=new)
