"""rmdir(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/rmdir.html."""

import errno
import os
from typing import Any

from tests.posix.conftest import KINDS, Place, fails


def test_an_empty_directory_goes(p: Place) -> None:
    links = p.root.stat(".").st_nlink
    p.folder("d")
    assert p.root.stat(".").st_nlink == links + 1
    p.root.rmdir("d")
    assert p.root.stat(".").st_nlink == links
    fails(errno.ENOENT, p.root.rmdir, "d")
    p.folder("d")
    p.root.rmdir("d/")


def test_only_an_empty_one(p: Place) -> None:
    for kind in KINDS:
        p.folder(f"of-{kind}")
        p.make(kind, f"of-{kind}/x")
        fails(errno.ENOTEMPTY, p.root.rmdir, f"of-{kind}")


def test_only_a_directory(p: Place) -> None:
    for kind in KINDS:
        if kind != "directory":
            p.make(kind, kind)
            fails(errno.ENOTDIR, p.root.rmdir, kind)
            fails(errno.ENOTDIR, p.root.rmdir, kind + "/")
    p.folder("d")
    p.root.symlink("d", "l")
    fails(errno.ENOTDIR, p.root.rmdir, "l")
    fails(errno.ENOTDIR, p.root.rmdir, "l/")


def test_dots(p: Place) -> None:
    """Clause: EINVAL, "the path argument contains a last component that is dot"."""
    p.folder("d")
    p.folder("d/e")
    fails(errno.EINVAL, p.root.rmdir, "d/e/.")
    fails(errno.EINVAL, p.root.rmdir, ".")
    fails(errno.ENOTEMPTY, p.root.rmdir, "d/e/..")
    fails(errno.ENOTEMPTY, p.root.rmdir, "..")
    fails(errno.EBUSY, p.root.rmdir, "/")


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("absent/x", errno.ENOENT),
        ("f/x", errno.ENOTDIR),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.rmdir, path)


def test_permissions(p: Place) -> None:
    p.folder("d", 0o755)
    p.folder("d/e", 0o777)
    fails(errno.EACCES, p.ada.rmdir, "d/e")
    p.root.chmod("d", 0o777)
    p.ada.rmdir("d/e")
    p.folder("s", 0o1777)
    p.folder("s/ada", who=p.ada)
    fails(errno.EPERM, p.bob.rmdir, "s/ada")
    p.ada.rmdir("s/ada")
    p.folder("closed", 0o700)
    p.folder("closed/e", 0o777)
    fails(errno.EACCES, p.ada.rmdir, "closed/e")


def test_one_that_somebody_is_in(p: Place) -> None:
    p.folder("d")
    p.ada.chdir("d")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.rmdir("d")
    assert p.root.fstat(fd).st_nlink == 0
    assert p.ada.listdir(".") == ()
    assert p.root.listdir(fd) == ()
    fails(errno.ENOENT, p.ada.getcwd)
    fails(errno.ENOENT, p.ada.mkdir, "x")
    fails(errno.ENOENT, p.ada.listdir, "x")
    fails(errno.ENOENT, p.root.symlink, "t", "x", dir_fd=fd)
    fails(errno.EINVAL, p.ada.rmdir, ".")
    p.folder("d")
    fails(errno.ENOENT, p.ada.getcwd)  # another of the same name
    p.ada.chdir(p.path)


def test_the_way_out_of_one_that_is_gone(p: Place) -> None:
    for path in ("d", "d/e", "d/e/f"):
        p.folder(path)
    number = p.root.stat("d").st_ino
    top = p.root.stat(".").st_ino
    p.root.chdir("d/e/f")
    for path in ("d/e/f", "d/e", "d"):
        p.root.rmdir(f"{p.path}/{path}")
    p.folder(f"{p.path}/other")  # perhaps in the same place
    assert p.root.stat("../..").st_ino == number
    assert p.root.stat("../..").st_nlink == 0
    assert p.root.stat("../../..").st_ino == top
    assert p.root.listdir("../../..") == ("other",)
    fails(errno.ENOENT, p.root.mkdir, "../x")
    fails(errno.ENOENT, p.root.getcwd)
    p.root.chdir("../../..")
    assert p.root.getcwd() == p.path


def test_times(p: Place, aged: Any) -> None:
    p.folder("d")
    p.folder("d/e")
    aged.set("d")
    p.root.rmdir("d/e")
    assert aged.changed("d") == "m"


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.folder("d/e")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.rmdir("e", dir_fd=fd)
    fails(errno.ENOENT, p.root.rmdir, "e", dir_fd=fd)
    fails(errno.EBADF, p.root.rmdir, "e", dir_fd=999)
