"""unlink(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/unlink.html."""

import errno
import os
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "directory"])
def test_a_name_goes(p: Place, kind: str) -> None:
    p.make(kind, "x")
    p.root.unlink("x")
    fails(errno.ENOENT, p.root.lstat, "x")
    fails(errno.ENOENT, p.root.unlink, "x")
    p.make(kind, "x")
    p.root.remove("x")
    assert p.root.listdir(".") == ()


def test_the_file_stays_while_it_has_a_name(p: Place) -> None:
    p.file("a", b"x")
    p.root.link("a", "b")
    p.root.unlink("a")
    assert p.root.stat("b").st_nlink == 1
    assert p.read("b") == b"x"


def test_the_file_stays_while_it_is_open(p: Place) -> None:
    """Clause: "the removal of the file contents shall be postponed until all references ..."."""
    p.file("f", b"content")
    fd = p.root.open("f", os.O_RDWR)
    other = p.root.open("f", os.O_RDONLY)
    p.root.unlink("f")
    assert p.root.fstat(fd).st_nlink == 0
    p.root.pwrite(fd, b"C", 0)
    p.root.pwrite(fd, b"x" * 10_000, 100_000)
    p.root.fsync(fd)
    assert p.root.pread(other, 7, 0) == b"Content"
    p.root.close(fd)
    assert p.root.fstat(other).st_size == 110_000
    p.file("f", b"another")
    assert p.root.pread(other, 7, 0) == b"Content"
    assert p.read("f") == b"another"
    p.root.fchmod(other, 0o640)
    assert p.root.fstat(other).st_mode & 0o777 == 0o640


def test_directories(p: Place) -> None:
    p.folder("d")
    fails(errno.EISDIR, p.root.unlink, "d")
    fails(errno.EISDIR, p.root.unlink, "d/")
    fails(errno.EISDIR, p.root.unlink, ".")
    fails(errno.EISDIR, p.root.unlink, "..")
    fails(errno.EISDIR, p.root.unlink, "/")
    fails(errno.EISDIR, p.root.unlink, "d/.")
    fails(errno.EISDIR, p.ada.unlink, "d")


def test_symbolic_links_are_not_followed(p: Place) -> None:
    p.file("f")
    p.folder("d")
    p.root.symlink("f", "l")
    p.root.symlink("d", "m")
    p.root.unlink("l")
    fails(errno.ENOTDIR, p.root.unlink, "m/")
    p.root.unlink("m")
    assert sorted(p.root.listdir(".")) == ["d", "f"]


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("absent/x", errno.ENOENT),
        ("absent/", errno.ENOENT),
        ("f/", errno.ENOTDIR),
        ("f/x", errno.ENOTDIR),
        ("loop/x", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
        ("x/" * 2048, errno.ENAMETOOLONG),
    ):
        fails(code, p.root.unlink, path)


def test_permissions(p: Place) -> None:
    p.folder("d", 0o755)
    p.file("d/f", mode=0o666)
    fails(errno.EACCES, p.ada.unlink, "d/f")
    p.root.chmod("d", 0o766)
    fails(errno.EACCES, p.ada.unlink, "d/f")
    fails(errno.EACCES, p.ada.unlink, "d/absent")
    p.root.chmod("d", 0o773)
    p.root.chmod("d/f", 0)
    p.ada.unlink("d/f")  # the file itself is not asked


def test_sticky_directories(p: Place) -> None:
    p.folder("s", 0o1777)
    p.file("s/ada", mode=0o666, who=p.ada)
    p.file("s/bob", mode=0o666, who=p.bob)
    fails(errno.EPERM, p.eve.unlink, "s/ada")
    fails(errno.EPERM, p.bob.unlink, "s/ada")
    p.ada.unlink("s/ada")
    p.root.chown("s", 1002, -1)
    p.eve.unlink("s/bob")


def test_times(p: Place, aged: Any) -> None:
    p.folder("d")
    p.file("d/f")
    p.root.link("d/f", "g")
    aged.set("d", "g")
    p.root.unlink("d/f")
    assert (aged.changed("d"), aged.changed("g")) == ("m", "")


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.file("d/f")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.unlink("f", dir_fd=fd)
    fails(errno.ENOENT, p.root.unlink, "f", dir_fd=fd)
    fails(errno.EBADF, p.root.unlink, "f", dir_fd=999)
    fails(errno.ENOENT, p.root.remove, "f", dir_fd=fd)
