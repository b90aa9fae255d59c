"""Pathname resolution: https://pubs.opengroup.org/onlinepubs/9699919799/basedefs/V1_chap04.html#tag_04_13."""

import errno
import os

import pytest

from tests.posix.conftest import Place, fails


def test_dots_and_slashes(p: Place) -> None:
    p.folder("d")
    p.file("d/f")
    number = p.root.stat("d/f").st_ino
    for path in (
        "d//f",
        "./d/./f",
        "d/../d/f",
        f"{p.path}/d/f",
        f"//{p.path}///d//f",
        f"/../..{p.path}/d/f",
        "d/../../" + p.path[1:] + "/d/f",
    ):
        assert p.root.stat(path).st_ino == number
    top = p.root.stat("/").st_ino
    for path in ("/..", "/../..", "/.", "//", "../" * 40):
        assert p.root.stat(path).st_ino == top


def test_a_slash_at_the_end_asks_for_a_directory(p: Place) -> None:
    p.file("f")
    p.folder("d")
    p.root.symlink("f", "lf")
    p.root.symlink("d", "ld")
    for path in ("d/", "d//", "d/.", "ld/", "ld/."):
        p.root.stat(path)
    for path in ("f/", "f//", "f/.", "f/..", "lf/", "lf/.", "lf/.."):
        fails(errno.ENOTDIR, p.root.stat, path)
    assert p.root.lstat("ld/").st_ino == p.root.stat("d").st_ino
    fails(errno.ENOTDIR, p.root.lstat, "lf/")


def test_links_in_the_middle(p: Place) -> None:
    p.folder("d")
    p.folder("d/e")
    p.file("d/f")
    p.root.symlink("d", "l")
    p.root.symlink("../d/e", "d/m")
    p.root.symlink(f"{p.path}/l/m", "n")
    assert p.root.stat("l/f").st_ino == p.root.stat("d/f").st_ino
    assert p.root.stat("l/m/..").st_ino == p.root.stat("d").st_ino
    assert p.root.stat("n/../f").st_ino == p.root.stat("d/f").st_ino
    assert p.root.stat("l/..").st_ino == p.root.stat(".").st_ino  # of where it led
    p.root.symlink("l/", "slashed")
    assert p.root.stat("slashed").st_ino == p.root.stat("d").st_ino
    p.root.symlink("d/f/", "wrong")
    fails(errno.ENOTDIR, p.root.stat, "wrong")


def test_forty_links(p: Place) -> None:
    p.file("0")
    for number in range(41):
        p.root.symlink(f"{number}", f"{number + 1}")
    p.root.stat("40")
    fails(errno.ELOOP, p.root.stat, "41")
    p.root.lstat("41")
    p.folder("d")
    p.root.symlink(".", "d/s")
    p.root.stat("d/" + "s/" * 40)
    fails(errno.ELOOP, p.root.stat, "d/" + "s/" * 41)


@pytest.mark.parametrize(
    "name", ["a", "é", "名", "\udcff\udc80", " ", "\n", "a\\b", "*", "-rf", "." * 3]
)
def test_names_of_all_kinds(p: Place, name: str) -> None:
    p.file(name, b"x")
    assert p.root.listdir(".") == (name,)
    assert p.read(name) == b"x"
    p.root.rename(name, name * 2)
    p.root.unlink(name * 2)


def test_one_name_for_the_same_bytes(p: Place) -> None:
    """`os.fsencode` maps both strings to the same bytes."""
    p.file("é")
    p.root.stat("\udcc3\udca9")
    fails(errno.EEXIST, p.root.mkdir, "\udcc3\udca9")
    assert p.root.listdir(".") == ("é",)


def test_zeros(p: Place) -> None:
    for operation, *more in (
        (p.root.stat,),
        (p.root.mkdir,),
        (p.root.unlink,),
        (p.root.chdir,),
        (p.root.truncate, 0),
        (p.root.listdir,),
    ):
        fails(errno.EINVAL, operation, "a\0b", *more)
    assert p.root.listdir(".") == ()


def test_the_longest_name(p: Place) -> None:
    """Clause: no truncation (_POSIX_NO_TRUNC)."""
    longest = "n" * p.name_max
    p.file(longest)
    fails(errno.ENOENT, p.root.stat, longest[:-1])
    for path in (longest + "n", longest + "n/x", "é" * (p.name_max // 2 + 1)):
        fails(errno.ENAMETOOLONG, p.root.stat, path)
        fails(errno.ENAMETOOLONG, p.root.mkdir, path)
    p.file("é" * (p.name_max // 2))


def test_the_longest_path(p: Place) -> None:
    p.root.stat("./" * 2047 + "/")  # 4,095 bytes
    for path in ("./" * 2048, "/" * 4096, "x/" * 10_000, "n" * 100_000):
        fails(errno.ENAMETOOLONG, p.root.stat, path)
        fails(errno.ENAMETOOLONG, p.root.mkdir, path)
    p.folder("d")
    p.root.stat("d/../" * 819)


def test_a_link_with_a_long_target(p: Place) -> None:
    p.root.symlink("./" * 2047 + ".", "l")
    p.root.stat("l")
    p.root.symlink("n" * 4095, "m")
    fails(errno.ENAMETOOLONG, p.root.stat, "m")


def test_what_comes_first(p: Place) -> None:
    """The errors on the way, in its order."""
    p.file("f")
    p.folder("closed", 0o600)
    p.folder("closed/d", 0o777)
    fails(errno.ENOTDIR, p.ada.stat, "f/" + "n" * 300)
    fails(errno.EACCES, p.ada.stat, "closed/" + "n" * 20)
    fails(errno.EACCES, p.ada.stat, "closed/d/absent")
    fails(errno.ENOENT, p.ada.stat, "absent/closed")
    fails(errno.EACCES, p.ada.mkdir, "closed/d/x")


def test_remembered_ways_are_forgotten_in_time(p: Place) -> None:
    p.folder("a")
    p.folder("a/b", 0o755)
    p.file("a/b/f", b"1")
    p.root.symlink("a", "l")
    assert p.ada.stat("l/b/f").st_size == 1
    p.root.chmod("a/b", 0o700)
    fails(errno.EACCES, p.ada.stat, "l/b/f")
    p.root.chmod("a/b", 0o755)
    p.root.rename("a/b", "a/c")
    fails(errno.ENOENT, p.ada.stat, "l/b/f")
    p.root.unlink("l")
    p.folder("l")
    p.root.rename("a/c", "l/b")
    assert p.ada.stat("l/b/f").st_size == 1
    p.root.rename("l", "k")
    p.root.symlink("k/b", "l")
    fails(errno.ENOENT, p.ada.stat, "l/b/f")
    assert p.ada.stat("l/f").st_size == 1
    p.root.chown("k", 1001, 0)
    p.root.chmod("k", 0o700)
    fails(errno.EACCES, p.ada.stat, "l/f")
    assert p.bob.stat("l/f").st_size == 1


def test_permission_is_asked_in_every_directory(p: Place) -> None:
    path = "."
    for number in range(6):
        path += f"/{number}"
        p.folder(path)
    p.file(path + "/f")
    for number in range(6):
        middle = "/".join(f"{at}" for at in range(number + 1))
        p.ada.stat(path + "/f")
        p.root.chmod(middle, 0o766)
        fails(errno.EACCES, p.ada.stat, path + "/f")
        fails(errno.EACCES, p.ada.open, path + "/f", os.O_RDONLY)
        p.root.chmod(middle, 0o711)
