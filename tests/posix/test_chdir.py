"""chdir(), fchdir(), getcwd(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/chdir.html."""

import errno
import os

from tests.posix.conftest import KINDS, Place, fails


def test_here_and_back(p: Place) -> None:
    p.folder("d")
    p.folder("d/e")
    p.root.chdir("d/e")
    assert p.root.getcwd() == f"{p.path}/d/e"
    p.file("f")
    p.root.chdir("..")
    assert p.root.listdir("e") == ("f",)
    p.root.chdir("/")
    assert p.root.getcwd() == "/"
    p.root.chdir("../../..")
    assert p.root.getcwd() == "/"


def test_each_caller_has_one(p: Place) -> None:
    p.folder("d")
    p.ada.chdir("d")
    assert p.ada.getcwd() == f"{p.path}/d"
    assert p.root.getcwd() == p.path
    p.ada.chdir("..")


def test_by_descriptor(p: Place) -> None:
    p.folder("d")
    p.file("f")
    fd, file = p.root.open("d", os.O_RDONLY), p.root.open("f", os.O_RDONLY)
    p.root.fchdir(fd)
    assert p.root.getcwd() == f"{p.path}/d"
    p.root.rename("../d", "../e")
    p.root.chdir(fd)
    assert p.root.getcwd() == f"{p.path}/e"
    fails(errno.ENOTDIR, p.root.fchdir, file)
    fails(errno.EBADF, p.root.fchdir, 999)
    fails(errno.EBADF, p.root.chdir, 999)


def test_only_directories(p: Place) -> None:
    for kind in KINDS:
        if kind not in {"directory", "link"}:
            p.make(kind, kind)
            fails(errno.ENOTDIR, p.root.chdir, kind)
    p.folder("d")
    p.root.symlink("d", "l")
    p.root.chdir("l")
    assert p.root.getcwd() == f"{p.path}/d"


def test_names_that_lead_nowhere(p: Place) -> None:
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("loop", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.chdir, path)
    assert p.root.getcwd() == p.path


def test_search_permission(p: Place) -> None:
    p.folder("d", 0o666)
    p.folder("d/e", 0o777)
    fails(errno.EACCES, p.ada.chdir, "d")
    fails(errno.EACCES, p.ada.chdir, "d/e")
    fd = p.ada.open("d", os.O_RDONLY)
    fails(errno.EACCES, p.ada.fchdir, fd)
    p.root.chmod("d", 0o711)
    p.ada.chdir("d/e")
    p.root.chmod("d", 0)
    fails(errno.EACCES, p.ada.stat, "../e")  # the way back is closed
    p.ada.open("f", os.O_CREAT)
    p.ada.chdir(p.path)


def test_a_working_directory_without_permission(p: Place) -> None:
    p.folder("d", 0o777)
    p.ada.chdir("d")
    p.root.chmod("d", 0o600)
    fails(errno.EACCES, p.ada.stat, "f")
    fails(errno.EACCES, p.ada.stat, ".")
    assert p.ada.getcwd() == f"{p.path}/d"
    p.ada.chdir(p.path)


def test_getcwd_of_what_is_gone(p: Place) -> None:
    p.folder("d")
    p.root.chdir("d")
    p.root.rmdir("../d")
    fails(errno.ENOENT, p.root.getcwd)
    p.root.chdir(p.path)
