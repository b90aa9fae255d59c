"""readdir() and its like: https://pubs.opengroup.org/onlinepubs/9699919799/functions/readdir.html."""

import errno
import os
import stat
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails


def test_all_names_and_no_dots(p: Place) -> None:
    names = ["a", "é", "\udcff", "-", " ", "n" * 60, ".hidden", "..."]
    for name in names:
        p.file(name)
    assert sorted(p.root.listdir(".")) == sorted(names)
    assert sorted(p.root.listdir(p.path)) == sorted(names)
    assert sorted(p.root.listdir()) == sorted(names)


def test_scandir(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
    found = {entry[0]: entry[1:3] for entry in p.root.scandir(".")}
    for kind in KINDS:
        status = p.root.lstat(kind)
        assert tuple(found.pop(kind)) == (status.st_ino, stat.S_IFMT(status.st_mode))
    assert found == {}


def test_by_descriptor(p: Place) -> None:
    p.folder("d")
    p.file("d/f")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.rename("d", "e")
    for _ in range(2):
        assert p.root.listdir(fd) == ("f",)
        assert [entry[0] for entry in p.root.scandir(fd)] == ["f"]
    fails(errno.EBADF, p.root.listdir, 999)
    fails(errno.ENOTDIR, p.root.listdir, p.root.open("e/f", os.O_RDONLY))


def test_only_directories(p: Place) -> None:
    p.file("f")
    p.root.symlink("nowhere", "dangling")
    p.root.symlink("loop", "loop")
    for path, code in (
        ("f", errno.ENOTDIR),
        ("f/", errno.ENOTDIR),
        ("", errno.ENOENT),
        ("absent", errno.ENOENT),
        ("dangling", errno.ENOENT),
        ("loop", errno.ELOOP),
        ("n" * (p.name_max + 1), errno.ENAMETOOLONG),
    ):
        fails(code, p.root.listdir, path)
        fails(code, p.root.scandir, path)


def test_permissions(p: Place) -> None:
    p.folder("d", 0o711)
    p.file("d/f")
    fails(errno.EACCES, p.ada.listdir, "d")
    fails(errno.EACCES, p.ada.scandir, "d")
    p.root.chmod("d", 0o744)
    assert p.ada.listdir("d") == ("f",)
    fails(errno.EACCES, p.ada.stat, "d/f")
    fd = p.ada.open("d", os.O_RDONLY)
    p.root.chmod("d", 0)
    assert p.ada.listdir(fd) == ("f",)


def test_times(p: Place, aged: Any) -> None:
    p.folder("d")
    p.file("d/f")
    for operation in (p.root.listdir, p.root.scandir):
        aged.set("d")
        operation("d")
        assert aged.changed("d") == "a"


def test_names_that_come_and_go(p: Place) -> None:
    p.folder("d")
    expected = set()
    for number in range(200):
        p.file(f"d/{number}")
        expected.add(f"{number}")
        if number % 3 == 0:
            p.root.unlink(f"d/{number // 2}") if f"{number // 2}" in expected else None
            expected.discard(f"{number // 2}")
        if number % 5 == 0 and f"{number}" in expected:
            p.root.rename(f"d/{number}", f"d/r{number}")
            expected.remove(f"{number}")
            expected.add(f"r{number}")
    assert set(p.root.listdir("d")) == expected
    assert len(p.root.listdir("d")) == len(expected)


# What `os` has not: reading a directory in pieces.


@pytest.fixture
def ours(p: Place) -> Place:
    if p.is_host:
        pytest.skip("the host's readdir is inside of os.scandir")
    return p


def pieces(p: Place, fd: int, count: int) -> list[str]:
    names, offset = [], 0
    while found := p.root.readdir(fd, offset, count):
        assert len(found) <= count
        names += [entry.name for entry in found]
        offset = found[-1].d_off
    return names


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_in_pieces(ours: Place, count: int) -> None:
    p = ours
    p.folder("d")
    for number in range(40):
        p.file(f"d/{number}")
    fd = p.root.open("d", os.O_RDONLY)
    assert sorted(pieces(p, fd, count)) == sorted(f"{number}" for number in range(40))


def test_pieces_stay_right_while_names_come_and_go(ours: Place) -> None:
    """Clause: an entry that is neither added nor removed meanwhile "shall be returned" once."""
    p = ours
    p.folder("d")
    for number in range(60):
        p.file(f"d/{number}")
    fd = p.root.open("d", os.O_RDONLY)
    seen, offset, step = [], 0, 0
    while found := p.root.readdir(fd, offset, 3):
        seen += [entry.name for entry in found]
        offset = found[-1].d_off
        p.root.unlink(f"d/{2 * step}")
        p.file(f"d/new{step}")
        if step % 4 == 0:
            p.root.rename(f"d/{59 - 2 * step}", f"d/x{step}")
        step += 1
        if step == 28:
            break
    steady = {f"{number}" for number in range(1, 60, 2)} - {
        f"{59 - 2 * at}" for at in range(0, 28, 4)
    }
    assert steady <= set(seen) | {entry.name for entry in p.root.readdir(fd, offset, 1000)}
    assert len(seen) == len(set(seen))


def test_while_a_directory_is_emptied(ours: Place) -> None:
    """As `rm -r` does it: read some, remove them, read on."""
    p = ours
    p.folder("d")
    for number in range(50):
        p.file(f"d/{number}")
    fd = p.root.open("d", os.O_RDONLY)
    offset = 0
    while found := p.root.readdir(fd, offset, 7):
        for entry in found:
            p.root.unlink(entry.name, dir_fd=fd)
        offset = found[-1].d_off
    p.root.rmdir("d")
    assert p.root.readdir(fd, 0) == ()


def test_pieces_of_what_is_no_directory(ours: Place) -> None:
    p = ours
    p.file("f")
    fails(errno.ENOTDIR, p.root.readdir, p.root.open("f", os.O_RDONLY))
    fails(errno.EBADF, p.root.readdir, 999)
    fd = p.root.open(".", os.O_RDONLY)
    fails(errno.EINVAL, p.root.readdir, fd, -1)
    fails(errno.EINVAL, p.root.readdir, fd, 0, 0)
    entry = p.root.readdir(fd)[0]
    assert (entry.is_file(), entry.is_dir(), entry.is_symlink()) == (True, False, False)
    assert entry.inode() == entry.d_ino == p.root.stat("f").st_ino


def test_a_listing_loses_nothing_of_many(p: Place) -> None:
    p.folder("d")
    for number in range(1500):
        p.root.mknod(f"d/{number}")
    assert len(set(p.root.listdir("d"))) == 1500
    assert len(p.root.scandir("d")) == 1500
