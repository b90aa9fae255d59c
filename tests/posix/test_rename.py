"""rename(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/rename.html."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_moves_and_the_file_stays(p: Place, kind: str) -> None:
    p.make(kind, "a")
    before = p.root.lstat("a")
    p.root.rename("a", "b")
    after = p.root.lstat("b")
    assert (before.st_ino, before.st_mode, before.st_nlink) == (
        after.st_ino,
        after.st_mode,
        after.st_nlink,
    )
    fails(errno.ENOENT, p.root.lstat, "a")
    p.folder("d")
    p.root.rename("b", "d/c")
    assert p.root.lstat("d/c").st_ino == before.st_ino
    assert p.root.listdir(".") == ("d",)


@pytest.mark.parametrize("old", KINDS)
@pytest.mark.parametrize("new", KINDS)
def test_over_what_is_there(p: Place, old: str, new: str) -> None:
    p.make(old, "old")
    p.make(new, "new")
    number = p.root.lstat("old").st_ino
    if old != "directory" and new == "directory":
        fails(errno.EISDIR, p.root.rename, "old", "new")
    elif old == "directory" and new != "directory":
        fails(errno.ENOTDIR, p.root.rename, "old", "new")
    else:
        p.root.rename("old", "new")
        assert p.root.listdir(".") == ("new",)
        assert p.root.lstat("new").st_ino == number
        return
    assert sorted(p.root.listdir(".")) == ["new", "old"]


def test_what_is_replaced_lives_on_while_it_is_open(p: Place) -> None:
    p.file("old", b"old")
    p.file("new", b"new")
    fd = p.root.open("new", os.O_RDONLY)
    p.root.rename("old", "new")
    assert p.root.read(fd, 9) == b"new"
    assert p.root.fstat(fd).st_nlink == 0
    assert p.read("new") == b"old"


def test_two_names_of_one_file(p: Place) -> None:
    """Clause: for one existing file it "shall return successfully and perform no other action"."""
    p.file("a", b"x")
    p.root.link("a", "b")
    p.folder("d")
    p.root.link("a", "d/c")
    p.root.rename("a", "b")
    p.root.rename("a", "a")
    p.root.rename("b", "d/c")
    assert sorted(p.root.listdir(".")) == ["a", "b", "d"]
    assert p.root.stat("a").st_nlink == 3


def test_a_directory_over_an_empty_one(p: Place) -> None:
    p.folder("a")
    p.file("a/f")
    p.folder("b")
    p.folder("c")
    p.file("c/f")
    fails(errno.ENOTEMPTY, p.root.rename, "a", "c")
    links = p.root.stat(".").st_nlink
    p.root.rename("a", "b")
    assert p.root.listdir("b") == ("f",)
    assert p.root.stat(".").st_nlink == links - 1
    fails(errno.ENOTEMPTY, p.root.rename, "b", "c")


def test_link_counts_follow_a_directory(p: Place) -> None:
    for path in ("a", "b", "a/x"):
        p.folder(path)
    p.root.rename("a/x", "b/x")
    assert (p.root.stat("a").st_nlink, p.root.stat("b").st_nlink) == (2, 3)
    assert p.root.stat("b/x/..").st_ino == p.root.stat("b").st_ino
    p.folder("a/x")
    p.root.rename("b/x", "a/x")
    assert (p.root.stat("a").st_nlink, p.root.stat("b").st_nlink) == (3, 2)
    assert p.root.stat("a/x/..").st_ino == p.root.stat("a").st_ino


def test_not_into_itself(p: Place) -> None:
    """Clause: EINVAL, "the old directory pathname names an ancestor directory of the new"."""
    p.folder("a")
    p.folder("a/b")
    p.folder("a/b/c")
    for target in ("a/new", "a/b", "a/b/new", "a/b/c", "a/b/c/new"):
        fails(errno.EINVAL, p.root.rename, "a", target)
    p.root.symlink("a/b", "l")
    fails(errno.EINVAL, p.root.rename, "a", "l/new")
    p.root.rename("a", "a")


def test_not_over_an_ancestor(p: Place) -> None:
    p.folder("a")
    p.folder("a/b")
    p.file("a/b/f")
    fails(errno.ENOTEMPTY, p.root.rename, "a/b", "a")
    fails(errno.ENOTEMPTY, p.root.rename, "a/b/f", "a")
    fails(errno.ENOTEMPTY, p.root.rename, "a/b/f", "a/b")


@pytest.mark.parametrize("name", [".", "..", "d/.", "d/..", "./", "d/./", "/", "/."])
def test_dot_and_dot_dot(p: Place, name: str) -> None:
    p.folder("d")
    p.folder("e")
    p.file("f")
    fails(errno.EBUSY, p.root.rename, name, "new")
    fails(errno.EBUSY, p.root.rename, "e", name)
    fails(errno.EBUSY, p.root.rename, "f", name)


def test_slashes_at_the_end(p: Place) -> None:
    p.file("f")
    p.folder("d")
    p.root.symlink("d", "l")
    for old, new in (("f/", "g"), ("f", "g/"), ("f", "d/"), ("f", "f/")):
        fails(errno.ENOTDIR, p.root.rename, old, new)
    p.root.rename("d/", "e/")
    assert p.root.stat("e").st_nlink == 2
    fails(errno.ENOTDIR, p.root.rename, "l/", "m")
    fails(errno.ENOTDIR, p.root.rename, "e", "l/")


def test_symbolic_links_are_not_followed(p: Place) -> None:
    p.file("f", b"f")
    p.file("g", b"g")
    p.root.symlink("f", "l")
    p.root.rename("l", "m")
    assert p.root.readlink("m") == "f"
    p.root.rename("g", "m")
    assert p.read("m") == b"g"
    assert p.read("f") == b"f"


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.folder("d")
    long = "n" * (p.name_max + 1)
    for old, new, code in (
        ("absent", "x", errno.ENOENT),
        ("", "x", errno.ENOENT),
        ("f", "", errno.ENOENT),
        ("f", "absent/x", errno.ENOENT),
        ("absent/x", "x", errno.ENOENT),
        ("f/x", "x", errno.ENOTDIR),
        ("d", "f/x", errno.ENOTDIR),
        (long, "x", errno.ENAMETOOLONG),
        ("f", long, errno.ENAMETOOLONG),
        ("f", "d/" + long, errno.ENAMETOOLONG),
    ):
        fails(code, p.root.rename, old, new)
        fails(code, p.root.replace, old, new)


def test_loops(p: Place) -> None:
    p.root.symlink("loop", "loop")
    p.file("f")
    fails(errno.ELOOP, p.root.rename, "loop/x", "y")
    fails(errno.ELOOP, p.root.rename, "f", "loop/x")
    p.root.rename("loop", "pool")


def test_permissions(p: Place) -> None:
    p.folder("closed", 0o755)
    p.file("closed/f")
    p.folder("open", 0o777)
    p.file("open/g")
    fails(errno.EACCES, p.ada.rename, "closed/f", "open/f")
    fails(errno.EACCES, p.ada.rename, "open/g", "closed/g")
    fails(errno.EACCES, p.ada.rename, "open/g", "closed/f")
    p.ada.rename("open/g", "open/h")  # of a file that is not one's own: the directory decides
    p.root.chmod("open", 0o766)
    fails(errno.EACCES, p.ada.rename, "open/h", "open/i")


def test_a_directory_that_moves_must_be_writable(p: Place) -> None:
    """Clause: EACCES, "write permission is required and is denied for a directory ... itself"."""
    p.folder("a", 0o777)
    p.folder("b", 0o777)
    p.folder("a/d", 0o755)
    fails(errno.EACCES, p.ada.rename, "a/d", "b/d")
    p.ada.rename("a/d", "a/e")  # its `..` stays
    p.root.chmod("a/e", 0o777)
    p.ada.rename("a/e", "b/e")


def test_sticky_directories(p: Place) -> None:
    p.folder("s", 0o1777)
    p.folder("o", 0o777)
    p.file("s/ada", who=p.ada)
    p.file("s/bob", who=p.bob)
    p.file("o/bob", who=p.bob)
    fails(errno.EPERM, p.bob.rename, "s/ada", "s/x")
    fails(errno.EPERM, p.bob.rename, "s/ada", "o/x")
    fails(errno.EPERM, p.bob.rename, "s/bob", "s/ada")
    fails(errno.EPERM, p.bob.rename, "o/bob", "s/ada")
    p.bob.rename("s/bob", "s/mine")
    p.bob.rename("o/bob", "s/mine")
    p.root.chown("s", 1001, -1)
    p.bob.rename("s/ada", "s/x")  # the owner of the directory may


def test_times(p: Place, aged: Any) -> None:
    p.file("f")
    for path in ("a", "b"):
        p.folder(path)
    p.file("a/f")
    aged.set("a", "b", "a/f")
    p.root.rename("a/f", "b/g")
    assert [aged.changed(path) for path in ("a", "b", "b/g")] == ["m", "m", ""]
    aged.set("b", "b/g")
    p.root.rename("b/g", "b/g")
    assert aged.changed("b") == ""


def test_dir_fds(p: Place) -> None:
    p.folder("a")
    p.folder("b")
    p.file("a/f")
    old, new = (p.root.open(path, os.O_RDONLY) for path in ("a", "b"))
    p.root.rename("f", "g", src_dir_fd=old, dst_dir_fd=new)
    p.root.rename("g", "h", src_dir_fd=new, dst_dir_fd=new)
    p.root.rename("b/h", "i", dst_dir_fd=old)
    assert p.root.listdir("a") == ("i",)
    fails(errno.EBADF, p.root.rename, "f", "g", src_dir_fd=999)
    fails(errno.EBADF, p.root.rename, "a/i", "g", dst_dir_fd=999)
    file = p.root.open("a/i", os.O_RDONLY)
    fails(errno.ENOTDIR, p.root.rename, "a/i", "g", dst_dir_fd=file)


def test_into_a_directory_that_was_removed(p: Place) -> None:
    p.folder("d")
    p.file("f")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.rmdir("d")
    fails(errno.ENOENT, p.root.rename, "f", "g", dst_dir_fd=fd)


def test_working_directories_move_along(p: Place) -> None:
    p.folder("a")
    p.folder("b")
    p.root.chdir("a")
    p.root.rename("../a", "../b/c")
    assert p.root.getcwd() == f"{p.path}/b/c"
    p.root.open("f", os.O_CREAT)
    p.root.chdir(p.path)
    assert p.root.listdir("b/c") == ("f",)


def test_a_name_of_many_kinds_in_turn(p: Place) -> None:
    """The same name again and again: nothing is remembered wrongly."""
    for number in range(4):
        p.file("new", b"%d" % number)
        p.root.rename("new", "x")
        assert p.read("x") == b"%d" % number
    p.root.unlink("x")
    p.folder("d")
    p.file("d/f", b"inner")
    p.root.rename("d", "x")
    assert p.read("x/f") == b"inner"
    fails(errno.ENOENT, p.root.stat, "d/f")
