"""open(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/open.html."""

import errno
import os
import stat
from itertools import product
from typing import Any

import pytest

from tests.posix.conftest import KINDS, Place, fails
from tests.posix.world import LINUX, Credentials


def test_the_lowest_descriptor_that_is_free(p: Place) -> None:
    """Clause: "the lowest numbered unused file descriptor"."""
    p.file("f")
    first, second, third = (p.root.open("f", os.O_RDONLY) for _ in range(3))
    assert (second, third) == (first + 1, first + 2)
    p.root.close(second)
    p.root.close(first)
    assert p.root.open("f", os.O_RDONLY) == first
    assert p.root.open("f", os.O_RDONLY) == second
    assert p.root.open("f", os.O_RDONLY) == third + 1


def test_o_creat_makes_a_file_of_the_effective_user(p: Place) -> None:
    p.ada.umask(0o027)
    p.ada.open("f", os.O_CREAT | os.O_WRONLY, 0o777)
    found = p.root.stat("f")
    assert (found.st_uid, found.st_gid, found.st_size, found.st_nlink) == (1000, 100, 0, 1)
    assert p.mode("f") == 0o750


def test_the_mode_of_a_new_file_does_not_bind_its_maker(p: Place) -> None:
    fd = p.ada.open("f", os.O_CREAT | os.O_RDWR, 0)
    assert p.ada.write(fd, b"x") == 1
    fails(errno.EACCES, p.ada.open, "f", os.O_RDONLY)
    fails(errno.EACCES, p.ada.open, "f", os.O_RDONLY | os.O_CREAT, 0o777)


def test_o_creat_of_a_file_that_is_there_opens_it(p: Place) -> None:
    p.file("f", b"content", 0o640)
    fd = p.root.open("f", os.O_CREAT | os.O_RDWR, 0o777)
    assert p.root.read(fd, 10) == b"content"
    assert p.mode("f") == 0o640


def test_o_creat_sets_times_of_the_directory(p: Place, aged: Any) -> None:
    p.folder("d")
    aged.set("d")
    p.root.open("d/f", os.O_CREAT | os.O_WRONLY)
    assert aged.changed("d") == "m"
    assert p.root.stat("d").st_mtime == p.root.stat("d/f").st_mtime or p.is_host
    aged.set("d", "d/f")
    p.root.open("d/f", os.O_CREAT | os.O_WRONLY)
    assert aged.changed("d") + aged.changed("d/f") == ""


def test_set_group_id_directories_hand_their_group_down(p: Place) -> None:
    p.folder("d", 0o2777)
    p.root.chown("d", -1, 200)
    p.root.chmod("d", 0o2777)
    p.ada.open("d/f", os.O_CREAT | os.O_WRONLY, 0o666)
    assert p.root.stat("d/f").st_gid == 200
    p.ada.open("d/g", os.O_CREAT | os.O_WRONLY, 0o2755)  # of a group that ada is not in
    assert p.mode("d/g") == 0o755
    p.eve.open("d/h", os.O_CREAT | os.O_WRONLY, 0o2755)
    assert p.mode("d/h") == 0o2755


def test_o_excl(p: Place) -> None:
    for kind in KINDS:
        p.make(kind, kind)
        fails(errno.EEXIST, p.root.open, kind, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    p.root.symlink(
        "file", "to-file"
    )  # "a symbolic link ... regardless of the contents of the link"
    fails(errno.EEXIST, p.root.open, "to-file", os.O_CREAT | os.O_EXCL)
    p.root.open("new", os.O_CREAT | os.O_EXCL)
    assert p.root.open("file", os.O_EXCL | os.O_RDONLY) >= 3


def test_o_trunc(p: Place, aged: Any) -> None:
    p.file("f", b"content", 0o666)
    aged.set("f")
    fd = p.root.open("f", os.O_RDWR)
    p.root.open("f", os.O_WRONLY | os.O_TRUNC)
    assert p.root.read(fd, 10) == b""
    assert p.root.stat("f").st_size == 0
    assert "m" in aged.changed("f")
    assert p.mode("f") == 0o666


def test_o_trunc_clears_set_id_bits_unless_the_superuser_does_it(p: Place) -> None:
    p.file("f", b"x", 0o6777)
    p.root.open("f", os.O_WRONLY | os.O_TRUNC)
    assert p.mode("f") == 0o6777
    p.ada.open("f", os.O_WRONLY | os.O_TRUNC)
    assert p.mode("f") == 0o777


def test_o_trunc_needs_write_permission(p: Place) -> None:
    p.file("f", b"content", 0o644)
    fails(errno.EACCES, p.ada.open, "f", os.O_RDONLY | os.O_TRUNC)
    assert p.root.stat("f").st_size == 7


def test_o_append(p: Place) -> None:
    p.file("f", b"1234")
    fd = p.root.open("f", os.O_RDWR | os.O_APPEND)
    assert p.root.read(fd, 2) == b"12"
    p.root.write(fd, b"5")
    assert p.root.lseek(fd, 0, os.SEEK_CUR) == 5
    p.root.lseek(fd, 0, os.SEEK_SET)
    p.root.write(fd, b"6")
    assert p.read("f") == b"123456"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC])
def test_each_class_of_users_has_its_own_bits(p: Place, flags: int) -> None:
    access = {os.O_RDONLY: 4, os.O_WRONLY: 2, os.O_RDWR: 6}[flags & os.O_ACCMODE]
    needed = access | (2 if flags & os.O_TRUNC else 0)
    p.file("f", b"x")
    p.root.chown("f", 1000, 300)
    eve, ada = p.eve, p.ada
    in_group = p.user(Credentials(1003, 300))
    for bits in range(8):
        for user, shift in ((ada, 6), (in_group, 3), (eve, 0)):
            others = 0o777 & ~(7 << shift)
            p.root.chmod("f", bits << shift | others)
            if bits & needed == needed:
                user.close(user.open("f", flags))
            else:
                fails(errno.EACCES, user.open, "f", flags)
    p.root.chmod("f", 0)
    p.root.close(p.root.open("f", flags))


def test_search_permission_on_the_way(p: Place) -> None:
    p.folder("d")
    p.file("d/f", mode=0o666)
    p.root.chmod("d", 0o666)
    fails(errno.EACCES, p.ada.open, "d/f", os.O_RDONLY)
    fails(errno.EACCES, p.ada.open, "d/new", os.O_CREAT)
    fails(errno.EACCES, p.ada.open, "d/absent", os.O_RDONLY)
    p.root.chmod("d", 0o711)
    p.ada.close(p.ada.open("d/f", os.O_RDONLY))
    fails(errno.EACCES, p.ada.open, "d", os.O_RDONLY)
    fails(errno.EACCES, p.ada.open, "d/new", os.O_CREAT)
    p.root.chmod("d", 0o722)  # writing needs search as well
    fails(errno.EACCES, p.ada.open, "d/new", os.O_CREAT)


def test_directories(p: Place) -> None:
    p.folder("d")
    fd = p.root.open("d", os.O_RDONLY)
    fails(errno.EISDIR, p.root.read, fd, 1)
    fails(errno.EBADF, p.root.write, fd, b"x")
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_CREAT):
        fails(errno.EISDIR, p.root.open, "d", flags)
        fails(errno.EISDIR, p.root.open, ".", flags)
    p.root.open("d", os.O_RDONLY | os.O_DIRECTORY)
    fails(errno.EISDIR, p.ada.open, "d", os.O_WRONLY)  # before EACCES


def test_o_directory(p: Place) -> None:
    for kind in KINDS:
        if kind != "directory":
            p.make(kind, kind)
            code = errno.ENOENT if kind == "link" else errno.ENOTDIR
            fails(code, p.root.open, kind, os.O_DIRECTORY | os.O_RDONLY)
    fails(errno.ENOENT, p.root.open, "absent", os.O_DIRECTORY)


def test_o_nofollow(p: Place) -> None:
    p.file("f")
    p.folder("d")
    p.file("d/f")
    p.root.symlink("f", "l")
    p.root.symlink("d", "ld")
    fails(errno.ELOOP, p.root.open, "l", os.O_RDONLY | os.O_NOFOLLOW)
    fails(errno.ELOOP, p.root.open, "l", os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT)
    fails(errno.ENOTDIR, p.root.open, "ld", os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    p.root.open("ld/f", os.O_RDONLY | os.O_NOFOLLOW)  # only the last name counts
    p.root.open("f", os.O_RDONLY | os.O_NOFOLLOW)


def test_symbolic_links_are_followed(p: Place) -> None:
    p.folder("d")
    p.root.symlink("d/new", "l")
    fails(errno.ENOENT, p.root.open, "l", os.O_RDONLY)
    p.root.open("l", os.O_CREAT | os.O_WRONLY)
    assert p.root.listdir("d") == ("new",)
    p.root.symlink("nowhere/f", "m")
    fails(errno.ENOENT, p.root.open, "m", os.O_CREAT)


def test_loops(p: Place) -> None:
    p.root.symlink("b", "a")
    p.root.symlink("a", "b")
    for flags in (os.O_RDONLY, os.O_CREAT | os.O_WRONLY):
        fails(errno.ELOOP, p.root.open, "a", flags)
        fails(errno.ELOOP, p.root.open, "a/x", flags)


def test_names_that_lead_nowhere(p: Place) -> None:
    p.file("f")
    fails(errno.ENOENT, p.root.open, "", os.O_RDONLY)
    fails(errno.ENOENT, p.root.open, "", os.O_CREAT)
    fails(errno.ENOENT, p.root.open, "absent", os.O_RDWR)
    fails(errno.ENOENT, p.root.open, "absent/f", os.O_CREAT)
    fails(errno.ENOTDIR, p.root.open, "f/g", os.O_CREAT)
    fails(errno.ENOTDIR, p.root.open, "f/", os.O_RDONLY)
    fails(errno.EISDIR, p.root.open, "new/", os.O_CREAT)
    fails(errno.ENOENT, p.root.open, "new/", os.O_RDONLY)
    fails(errno.EINVAL, p.root.open, "a\0b", os.O_CREAT)


def test_lengths(p: Place) -> None:
    longest = "n" * p.name_max
    p.root.open(longest, os.O_CREAT)
    fails(errno.ENAMETOOLONG, p.root.open, longest + "n", os.O_CREAT)
    fails(errno.ENAMETOOLONG, p.root.open, longest + "n/f", os.O_RDONLY)
    p.root.open("./" * 2046 + "xyz", os.O_CREAT)  # 4,095 bytes
    fails(errno.ENAMETOOLONG, p.root.open, "./" * 2046 + "wxyz", os.O_CREAT)


def test_special_files_have_nobody_at_the_other_end(p: Place) -> None:
    p.make("socket", "s")
    fails(errno.ENXIO, p.root.open, "s", os.O_RDONLY)
    p.make("fifo", "f")
    fails(errno.ENXIO, p.root.open, "f", os.O_WRONLY | os.O_NONBLOCK)


def test_a_fifo_that_nobody_writes_to(p: Place) -> None:
    p.make("fifo", "f")
    fd = p.root.open("f", os.O_RDONLY | os.O_NONBLOCK)
    assert stat.S_ISFIFO(p.root.fstat(fd).st_mode)
    assert p.root.read(fd, 10) == b""
    fails(errno.ESPIPE, p.root.lseek, fd, 0, os.SEEK_SET)
    fails(errno.ESPIPE, p.root.pread, fd, 10, 0)
    fails(errno.EBADF, p.root.write, fd, b"x")
    fails(errno.EINVAL, p.root.ftruncate, fd, 0)
    p.root.unlink("f")
    p.root.close(fd)


def test_a_file_without_a_name(p: Place) -> None:
    p.folder("d", 0o777)
    fd = p.ada.open("d", os.O_TMPFILE | os.O_RDWR, 0o666)
    assert p.ada.write(fd, b"nobody sees it") == 14
    found = p.ada.fstat(fd)
    assert (found.st_nlink, found.st_size, found.st_uid) == (0, 14, 1000)
    assert stat.S_IMODE(found.st_mode) == 0o644
    assert p.root.listdir("d") == ()
    assert p.ada.pread(fd, 99, 7) == b"sees it"
    p.ada.close(fd)
    p.root.rmdir("d")


def test_where_no_file_without_a_name_can_be(p: Place) -> None:
    p.folder("d")
    p.file("f", mode=0o666)
    fails(errno.EACCES, p.ada.open, "d", os.O_TMPFILE | os.O_RDWR)
    fails(errno.EINVAL, p.root.open, "d", os.O_TMPFILE | os.O_RDONLY)
    fails(errno.EINVAL, p.root.open, "d", os.O_TMPFILE | os.O_RDWR | os.O_CREAT)
    fails(errno.ENOTDIR, p.root.open, "f", os.O_TMPFILE | os.O_RDWR)
    fails(errno.ENOENT, p.root.open, "absent", os.O_TMPFILE | os.O_RDWR)


def test_a_removed_working_directory(p: Place) -> None:
    p.folder("d")
    p.root.chdir("d")
    p.root.rmdir(f"{p.path}/d")
    fails(errno.ENOENT, p.root.open, "f", os.O_CREAT | os.O_WRONLY)
    fails(errno.ENOENT, p.root.open, "f", os.O_RDONLY)
    p.root.open(".", os.O_RDONLY)


def test_dir_fd(p: Place) -> None:
    p.folder("d")
    p.file("d/f", b"in d")
    fd = p.root.open("d", os.O_RDONLY)
    p.root.rename("d", "e")
    assert p.root.read(p.root.open("f", os.O_RDONLY, dir_fd=fd), 9) == b"in d"
    p.root.open("new", os.O_CREAT, dir_fd=fd)
    p.root.open("../up", os.O_CREAT, dir_fd=fd)
    assert sorted(p.root.listdir(".")) == ["e", "up"]
    p.root.open(f"{p.path}/up", os.O_RDONLY, dir_fd=999)  # not needed, so not looked at
    fails(errno.EBADF, p.root.open, "f", os.O_RDONLY, dir_fd=999)
    file = p.root.open("up", os.O_RDONLY)
    fails(errno.ENOTDIR, p.root.open, "f", os.O_RDONLY, dir_fd=file)
    fails(errno.ENOENT, p.root.open, "", os.O_RDONLY, dir_fd=fd)
    p.root.unlink("e/f")
    p.root.unlink("e/new")
    p.root.rmdir("e")
    fails(errno.ENOENT, p.root.open, "new", os.O_CREAT, dir_fd=fd)


def test_search_permission_through_dir_fd(p: Place) -> None:
    p.folder("d", 0o755)
    p.file("d/f")
    fd = p.ada.open("d", os.O_RDONLY)
    p.root.chmod("d", 0o700)
    fails(errno.EACCES, p.ada.open, "f", os.O_RDONLY, dir_fd=fd)


@pytest.mark.parametrize("kind", KINDS)
def test_o_path_is_a_place_and_no_more(p: Place, kind: str) -> None:
    p.make(kind, "x")
    fd = p.ada.open("x", os.O_PATH | os.O_NOFOLLOW | os.O_RDWR)
    assert p.ada.fstat(fd).st_ino == p.root.lstat("x").st_ino
    for operation, *arguments in (
        (p.ada.read, 1),
        (p.ada.write, b"x"),
        (p.ada.pread, 1, 0),
        (p.ada.ftruncate, 0),
        (p.ada.lseek, 0, os.SEEK_SET),
        (p.ada.fchmod, 0o777),
        (p.ada.fchown, -1, -1),
        (p.ada.fsync,),
    ):
        fails(errno.EBADF, operation, fd, *arguments)
    p.ada.close(p.ada.dup(fd))
    if kind == "directory":
        fails(errno.EBADF, p.ada.listdir, fd)
        p.ada.fchdir(fd)
        assert p.ada.stat(".", dir_fd=fd).st_ino == p.ada.fstat(fd).st_ino
    else:
        fails(errno.ENOTDIR, p.ada.fchdir, fd)
    if kind == "link":
        assert p.ada.readlink("", dir_fd=fd) == "nowhere"


def test_o_path_makes_and_cuts_nothing(p: Place) -> None:
    p.file("f", b"content")
    p.root.open("f", os.O_PATH | os.O_TRUNC | os.O_WRONLY)
    assert p.read("f") == b"content"
    fails(errno.ENOENT, p.root.open, "new", os.O_PATH | os.O_CREAT)
    fails(errno.ENOTDIR, p.root.open, "f", os.O_PATH | os.O_DIRECTORY)


def test_o_noatime_is_for_owners(p: Place, aged: Any) -> None:
    p.file("f", b"x", 0o666)
    fails(errno.EPERM, p.ada.open, "f", os.O_RDONLY | os.O_NOATIME)
    fd = p.root.open("f", os.O_RDONLY | os.O_NOATIME)
    aged.set("f")
    assert p.root.read(fd, 1) == b"x"
    assert aged.changed("f") == ""


FLAGS = (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY, os.O_NOFOLLOW, os.O_SYNC)
COMBINED = [
    sum(flag for flag, there in zip(FLAGS, chosen, strict=True) if there)
    for chosen in product([False, True], repeat=len(FLAGS))
]


@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_all_flags_together(p: Place, access: int) -> None:
    """What POSIX and Linux say of each combination, on a file, a directory, a link, and nothing."""
    for flags in COMBINED:
        if flags & os.O_CREAT and flags & os.O_DIRECTORY and p.is_host and LINUX < (6, 4):
            continue
        for target in ("file", "directory", "to-file", "to-directory", "dangling", "absent"):
            _prepare(p)
            expected = _expected(target, access | flags)
            if expected:
                fails(expected, p.root.open, target, access | flags, 0o644)
            else:
                p.root.close(p.root.open(target, access | flags, 0o644))
            cut = target in {"file", "to-file"} and not expected and flags & os.O_TRUNC
            assert p.root.stat("file").st_size == (0 if cut else 1), (target, oct(access | flags))


def _prepare(p: Place) -> None:
    if not p.root.access("file", os.F_OK):
        p.file("file")
        p.folder("directory")
        for name, target in (("file", "file"), ("directory", "directory"), ("made", "made")):
            p.root.symlink(target, "dangling" if name == "made" else f"to-{name}")
        p.root.unlink("dangling")
        p.root.symlink("made", "dangling")
    p.root.truncate("file", 1)
    for name in ("made", "absent"):
        if p.root.access(name, os.F_OK):
            p.root.unlink(name)


def _expected(target: str, flags: int) -> int:
    creates, exclusive = flags & os.O_CREAT, flags & os.O_EXCL
    is_link = target in {"to-file", "to-directory", "dangling"}
    directory = target in {"directory", "to-directory"}
    if creates and flags & os.O_DIRECTORY:
        return errno.EINVAL  # Linux since 6.4
    if creates and exclusive:
        return 0 if target == "absent" else errno.EEXIST
    if is_link and flags & os.O_NOFOLLOW:
        return errno.ENOTDIR if flags & os.O_DIRECTORY else errno.ELOOP
    if target in {"dangling", "absent"}:
        return 0 if creates else errno.ENOENT
    if directory and (flags & os.O_ACCMODE or flags & os.O_TRUNC or creates):
        return errno.EISDIR
    if not directory and flags & os.O_DIRECTORY:
        return errno.ENOTDIR
    return 0
