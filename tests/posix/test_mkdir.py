"""mkdir(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/mkdir.html."""

import errno
import os
import stat
from typing import Any

from tests.posix.conftest import KINDS, Place, fails


def test_a_new_directory(p: Place) -> None:
    p.ada.umask(0o027)
    p.ada.mkdir("d", 0o777)
    found = p.root.stat("d")
    assert stat.S_ISDIR(found.st_mode)
    assert (found.st_uid, found.st_gid, found.st_nlink) == (1000, 100, 2)
    assert p.mode("d") == 0o750
    assert p.root.listdir("d") == ()
    assert p.root.stat("d/.").st_ino == found.st_ino
    assert p.root.stat("d/..").st_ino == p.root.stat(".").st_ino


def test_bits_of_the_mode(p: Place) -> None:
    """Linux heeds the sticky bit and no set-id bits."""
    p.root.umask(0)
    for number, mode in enumerate((0o7777, 0o1777, 0o2755, 0o4700, 0)):
        p.root.mkdir(f"{number}", mode)
        assert p.mode(f"{number}") == mode & 0o1777


def test_set_group_id_is_inherited(p: Place) -> None:
    p.folder("d")
    p.root.chown("d", -1, 200)
    p.root.chmod("d", 0o2777)
    p.ada.mkdir("d/e")
    assert p.root.stat("d/e").st_gid == 200
    assert p.mode("d/e") == 0o2755


def test_a_new_name_must_be_new(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
        fails(errno.EEXIST, p.root.mkdir, kind)
    fails(errno.EEXIST, p.root.mkdir, "link/")
    for path in ("directory/", ".", "..", "/", "directory/.", "directory/.."):
        fails(errno.EEXIST, p.root.mkdir, path)
    p.root.mkdir("new/")
    p.root.mkdir("newer//")


def test_a_dangling_link_is_a_name(p: Place) -> None:
    """Clause: EEXIST, "if path names a symbolic link, mkdir() shall fail"."""
    p.root.symlink("target", "l")
    fails(errno.EEXIST, p.root.mkdir, "l")
    fails(errno.EEXIST, p.root.mkdir, "l/")
    fails(errno.ENOENT, p.root.stat, "target")


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent/x", errno.ENOENT),
        ("absent/.", errno.ENOENT),
        ("f/x", errno.ENOTDIR),
        ("loop/x", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
        ("x" + "/" * 4096, errno.ENAMETOOLONG),
    ):
        fails(code, p.root.mkdir, path)
    p.root.mkdir("n" * p.name_max)


def test_permissions(p: Place) -> None:
    p.folder("d", 0o755)
    fails(errno.EACCES, p.ada.mkdir, "d/e")
    p.root.chmod("d", 0o766)
    fails(errno.EACCES, p.ada.mkdir, "d/e")
    fails(errno.EEXIST, p.ada.mkdir, "d")
    p.folder("e", 0o700)
    p.folder("e/f", 0o777)
    fails(errno.EACCES, p.ada.mkdir, "e/f/g")


def test_times(p: Place, aged: Any) -> None:
    p.folder("d")
    aged.set("d")
    p.root.mkdir("d/e")
    assert aged.changed("d") == "m"


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.mkdir("e", dir_fd=fd)
    p.root.mkdir("e/f", 0o700, dir_fd=fd)
    assert p.mode("d/e/f") == 0o700
    fails(errno.EEXIST, p.root.mkdir, "e", dir_fd=fd)
    fails(errno.EBADF, p.root.mkdir, "g", dir_fd=999)


def test_deep(p: Place) -> None:
    """Deeper than a path is long."""
    for _ in range(60):
        p.root.mkdir("n" * 60)
        p.root.chdir("n" * 60)
    assert len(p.root.getcwd()) > 3600
    for _ in range(60):
        p.root.chdir("..")
        p.root.rmdir("n" * 60)
    assert p.root.listdir(".") == ()
