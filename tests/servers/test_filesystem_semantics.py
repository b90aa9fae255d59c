"""What POSIX says, where the host can't be the oracle: times, limits, callers, odd arguments."""

import errno
import os
import stat
from collections.abc import Iterator
from functools import partial
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.filesystem import FileSystem
from tests.servers.images import mounted
from tests.servers.oracle import outcome
from twinos import Caller, Op, operations

ROOT = Caller(1)
ADA = Caller(2, "ada", 1000, 100, (300,))
BOB = Caller(3, "bob", 1001, 100)


@pytest.fixture
def files() -> Iterator[Any]:
    with mounted(blocks=2000) as files:
        yield files


@pytest.fixture
def clock(files: FileSystem) -> Any:
    """The file system's time, which a test moves."""
    now = [1_000_000]
    files._time = lambda: now[0]
    return now


def fails(code: int, operation: Any, *arguments: Any) -> None:
    assert outcome(operation, *arguments) == ("error", code)


def make(files: FileSystem, path: str, data: bytes = b"", who: Caller = ROOT) -> Any:
    descriptor = files.open(who, path, os.O_CREAT | os.O_RDWR)
    files.write(who, descriptor, data)
    return descriptor


def times(files: FileSystem, path: str) -> Any:
    status = files.lstat(ROOT, path)
    return status.st_atime, status.st_mtime, status.st_ctime


def test_utime_takes_seconds_and_nanoseconds_and_keeps_what_the_format_can(
    files: FileSystem,
) -> None:
    make(files, "f")
    for arguments, expected in [
        ({"times": (1.9, 2.1)}, (1, 2)),
        ({"ns": (3 * 10**9 + 5, 4)}, (3, 0)),
        ({"times": (-5.0, 1e18)}, (0, 0xFFFF_FFFF)),
    ]:
        files.utime(ROOT, "f", **arguments)
        assert times(files, "f")[:2] == expected
    fails(errno.EINVAL, partial(files.utime, ns=(1, 1)), ROOT, "f", (1.0, 1.0))
    fails(errno.EINVAL, files.utime, ROOT, "f", (float("nan"), 0.0))
    fails(errno.EINVAL, files.utime, ROOT, "f", (0.0, float("inf")))


# Descriptors and positions.


def test_descriptors_made_by_dup_share_a_position(files: FileSystem) -> None:
    first = make(files, "f", b"0123456789")
    second = files.dup(ROOT, first)
    assert files.dup2(ROOT, first, 1) == 1
    files.lseek(ROOT, second, 4, os.SEEK_SET)
    assert files.read(ROOT, first, 2) == b"45"
    files.close(ROOT, first)
    assert files.read(ROOT, 1, 2) == b"67"
    assert files.dup2(ROOT, second, second) == second
    files.unlink(ROOT, "f")
    files.close(ROOT, second)
    assert files.read(ROOT, 1, 9) == b"89"
    other = make(files, "g")
    files.dup2(ROOT, other, 1)
    fails(errno.EBADF, files.dup2, ROOT, 99, 1)
    fails(errno.EBADF, files.dup2, ROOT, other, -1)
    fails(errno.EBADF, files.dup2, ROOT, other, 1024)


def test_appending_goes_to_the_end_wherever_that_is(files: FileSystem) -> None:
    first = files.open(ROOT, "f", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    second = files.open(ROOT, "f", os.O_WRONLY | os.O_APPEND)
    files.write(ROOT, first, b"aa")
    files.write(ROOT, second, b"bb")
    files.lseek(ROOT, first, 0, os.SEEK_SET)
    files.write(ROOT, first, b"cc")
    assert files.pread(ROOT, first, 9, 0) == b"aabbcc"


def test_holes_are_found_and_cost_nothing(files: FileSystem) -> None:
    descriptor = make(files, "f")
    end = 400_000
    for place in (0, 20_480, 300_000):
        files.pwrite(ROOT, descriptor, b"x" * 4096, place)
    files.ftruncate(ROOT, descriptor, end)

    def seek(place: Any, whence: Any) -> Any:
        return files.lseek(ROOT, descriptor, place, whence)

    for _ in range(2):  # in memory, and then on the disk
        assert seek(0, os.SEEK_DATA) == 0
        assert seek(0, os.SEEK_HOLE) == 4096
        assert seek(5000, os.SEEK_DATA) == 20_480
        assert seek(20_490, os.SEEK_DATA) == 20_490
        assert 299_000 - 4096 <= seek(25_000, os.SEEK_DATA) <= 300_000
        assert 304_096 <= seek(301_000, os.SEEK_HOLE) <= 304_096 + 4096
        assert seek(399_999, os.SEEK_HOLE) == 399_999
        fails(errno.ENXIO, seek, 310_000, os.SEEK_DATA)
        fails(errno.ENXIO, seek, end, os.SEEK_HOLE)
        fails(errno.ENXIO, seek, -1, os.SEEK_DATA)
        assert files.fstat(ROOT, descriptor).st_blocks * 512 <= 5 * 4096 + 1024
        files._make_room()
        files.sync()
    assert bytes(files.pread(ROOT, descriptor, end, 0)).count(b"x") == 3 * 4096


def test_a_file_that_grows_again_has_forgotten_what_it_was(files: FileSystem) -> None:
    descriptor = make(files, "f", b"s" * 10_000)
    files.sync()
    files._make_room()
    files.ftruncate(ROOT, descriptor, 1500)
    files.ftruncate(ROOT, descriptor, 3000)
    files.pwrite(ROOT, descriptor, b"e", 9999)
    assert files.pread(ROOT, descriptor, 10_000, 0) == b"s" * 1500 + bytes(8499) + b"e"


# Names and paths.


def test_names(files: FileSystem) -> None:
    longest = "n" * 60
    make(files, longest)
    make(files, "é" * 30)
    make(files, "\udcff\udcfe")
    fails(errno.ENAMETOOLONG, files.stat, ROOT, longest + "n")
    fails(errno.ENAMETOOLONG, make, files, "é" * 31)
    fails(errno.ENAMETOOLONG, files.rename, ROOT, longest, longest + "n")
    fails(errno.EINVAL, files.stat, ROOT, "a\0b")
    fails(errno.ENOENT, files.stat, ROOT, "")
    fails(errno.EILSEQ, files.stat, ROOT, "\ud800")
    assert set(files.listdir(ROOT)) == {longest, "é" * 30, "\udcff\udcfe"}
    # What `os.fsencode` makes the same bytes of is the same name.
    assert files.stat(ROOT, "\udcc3\udca9" * 30) == files.stat(ROOT, "é" * 30)
    files._make_room()
    assert set(files.listdir(ROOT)) == {longest, "é" * 30, "\udcff\udcfe"}


def test_paths(files: FileSystem) -> None:
    files.mkdir(ROOT, "d")
    assert files.stat(ROOT, "/../../d/../d/./") == files.stat(ROOT, "d")
    assert files.stat(ROOT, "./" * 2040 + "d") == files.stat(ROOT, "d")
    fails(errno.ENAMETOOLONG, files.stat, ROOT, "./" * 2048)
    fails(errno.ENAMETOOLONG, files.stat, ROOT, "d/" * 10_000)
    assert not files.access(ROOT, "d/" * 10_000, os.F_OK)


def test_links_lead_forty_times(files: FileSystem) -> None:
    make(files, "0")
    for number in range(41):
        files.symlink(ROOT, f"{number}", f"{number + 1}")
    files.stat(ROOT, "40")
    fails(errno.ELOOP, files.stat, ROOT, "41")
    files.symlink(ROOT, "self/self", "self")
    fails(errno.ELOOP, files.open, ROOT, "self", os.O_CREAT)
    files.symlink(ROOT, "t" * 4095, "long")
    assert files.readlink(ROOT, "long") == "t" * 4095
    fails(errno.ENAMETOOLONG, files.symlink, ROOT, "t" * 4096, "longer")
    fails(errno.ENAMETOOLONG, files.stat, ROOT, "long")


def test_a_dangling_link_is_where_a_file_is_made(files: FileSystem) -> None:
    files.mkdir(ROOT, "d")
    files.symlink(ROOT, "d/new", "l")
    fails(errno.EEXIST, files.open, ROOT, "l", os.O_CREAT | os.O_EXCL)
    fails(errno.ELOOP, files.open, ROOT, "l", os.O_CREAT | os.O_NOFOLLOW)
    make(files, "l", b"x")
    assert files.listdir(ROOT, "d") == ("new",)


def test_remembered_paths_are_forgotten_in_time(files: FileSystem) -> None:
    for path in ("a", "a/b", "c", "c/b"):
        files.mkdir(ROOT, path)
    make(files, "a/b/f", b"a")
    make(files, "c/b/f", b"cc")
    files.symlink(ROOT, "a", "l")

    def size(path: str = "l/b/f", who: Caller = ROOT) -> Any:
        return files.stat(who, path).st_size

    assert size() == 1
    files.unlink(ROOT, "l")
    fails(errno.ENOENT, size)
    files.symlink(ROOT, "c", "l")
    assert size() == 2
    files.rename(ROOT, "c", "e")
    fails(errno.ENOENT, size)
    files.rename(ROOT, "a", "c")
    assert size() == 1
    assert size(who=ADA) == 1
    files.chmod(ROOT, "c/b", 0o700)
    fails(errno.EACCES, size, "l/b/f", ADA)
    files.unlink(ROOT, "c/b/f")
    files.rmdir(ROOT, "c/b")
    files.mkdir(ROOT, "c/b")
    make(files, "c/b/f", b"new")
    assert size() == 3
    assert size(who=Caller(ADA.id, "ada", 0)) == 3  # whom the kernel has made somebody else


# Callers.


def test_each_caller_has_a_directory_and_a_umask(files: FileSystem) -> None:
    files.mkdir(ROOT, "home")
    files.chmod(ROOT, "home", 0o777)
    files.chdir(ADA, "home")
    assert (files.getcwd(ADA), files.getcwd(BOB)) == ("/home", "/")
    assert files.umask(ADA, 0o077) == 0o022
    make(files, "mine", who=ADA)
    files.mkdir(ADA, "sub")
    assert stat.S_IMODE(files.stat(ROOT, "/home/mine").st_mode) == 0o700
    fails(errno.EACCES, files.listdir, BOB, "/home/sub")
    assert files.umask(ADA, 0o7777) == 0o077
    assert files.umask(ADA, 0) == 0o777
    files._departed(ADA)
    assert files.getcwd(ADA) == "/"


def test_groups_and_the_sticky_bit(files: FileSystem) -> None:
    files.mkdir(ROOT, "tmp")
    files.chmod(ROOT, "tmp", 0o1777)
    make(files, "tmp/f", who=ADA)
    files.chown(ADA, "tmp/f", -1, 300)
    fails(errno.EPERM, files.chown, ADA, "tmp/f", -1, 400)
    fails(errno.EPERM, files.chown, ADA, "tmp/f", 1001, -1)
    fails(errno.EPERM, files.unlink, BOB, "tmp/f")
    fails(errno.EPERM, files.rename, BOB, "tmp/f", "tmp/g")
    files.chmod(ADA, "tmp/f", 0o060)
    assert not files.access(ADA, "tmp/f", os.R_OK)  # the owner is the owner first
    assert files.access(Caller(9, "eve", 5, 5, (300,)), "tmp/f", os.R_OK | os.W_OK)
    assert not files.access(BOB, "tmp/f", os.R_OK)
    assert files.access(ROOT, "tmp/f", os.R_OK)
    assert not files.access(ROOT, "tmp/f", os.X_OK)
    assert files.access(ROOT, "tmp", os.X_OK)
    files.unlink(ADA, "tmp/f")


def test_set_id_bits_go_when_somebody_writes(files: FileSystem) -> None:
    descriptor = make(files, "f", b"x")
    files.chmod(ROOT, "f", 0o6777)
    mine = files.open(ADA, "f", os.O_WRONLY)
    files.write(ROOT, descriptor, b"y")
    assert files.stat(ROOT, "f").st_mode & 0o6000 == 0o6000
    files.write(ADA, mine, b"z")
    assert files.stat(ROOT, "f").st_mode & 0o6000 == 0


def test_a_new_file_keeps_its_set_id_bits(files: FileSystem) -> None:
    files.chmod(ROOT, "/", 0o777)
    files.open(ADA, "f", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o4755)
    assert files.stat(ROOT, "f").st_mode & stat.S_ISUID


def test_a_set_group_id_directory_hands_its_group_down(files: FileSystem) -> None:
    files.mkdir(ROOT, "d")
    files.chown(ROOT, "d", -1, 500)
    files.chmod(ROOT, "d", 0o2777)
    make(files, "d/f", who=ADA)
    files.mkdir(ADA, "d/sub")
    assert files.stat(ROOT, "d/f").st_gid == 500
    assert files.stat(ROOT, "d/sub").st_gid == 500
    assert files.stat(ROOT, "d/sub").st_mode & stat.S_ISGID


def test_who_does_not_fit_into_the_format(files: FileSystem) -> None:
    files.chmod(ROOT, "/", 0o777)
    stranger = Caller(9, "stranger", 70_000, 1)
    fails(errno.EOVERFLOW, make, files, "f", b"", stranger)
    fails(errno.EOVERFLOW, files.mkdir, stranger, "d")
    make(files, "f")
    fails(errno.EINVAL, files.chown, ROOT, "f", 70_000, -1)


@pytest.mark.parametrize(
    "settings", [{"time": -1}, {"time": 2**32}, {"memory": 1000}, {"inodes": 0}, {"inodes": 10**6}]
)
def test_settings_that_will_not_do(settings: dict[str, int]) -> None:
    with pytest.raises(OSError, match=r"time|memory|blocks"), mounted(blocks=100, **settings):
        pass


# Kinds of files.


def test_devices_fifos_and_sockets(files: FileSystem) -> None:
    for name, mode, device in [
        ("c", stat.S_IFCHR, 0x1234),
        ("b", stat.S_IFBLK, 0xFFFF),
        ("p", stat.S_IFIFO, 0),
        ("s", stat.S_IFSOCK, 0),
        ("f", 0, 0),
    ]:
        files.mknod(ROOT, name, mode | 0o666, device)
        status = files.stat(ROOT, name)
        assert stat.S_IFMT(status.st_mode) == (mode or stat.S_IFREG)
        assert status.st_rdev == device
        assert status.st_blocks == 0
        if mode:
            fails(errno.ENXIO, files.open, ROOT, name, os.O_RDONLY)
            fails(errno.EINVAL, files.truncate, ROOT, name, 0)
            files.unlink(ROOT, name)
    fails(errno.EACCES, files.mknod, ADA, "x", stat.S_IFCHR)
    fails(errno.EPERM, files.mknod, ROOT, "x", stat.S_IFDIR)
    fails(errno.EINVAL, files.mknod, ROOT, "x", stat.S_IFLNK)
    fails(errno.EINVAL, files.mknod, ROOT, "x", stat.S_IFCHR, 1 << 16)


# Anything at all.

EXTREMES = [
    -(2**63),
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    1023,
    4096,
    2**31 - 1,
    2**31,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
]
ANY = {
    int: st.one_of(st.sampled_from(EXTREMES), st.integers(-(2**63), 2**64 - 1)),
    str: st.one_of(
        st.sampled_from(["", "/", ".", "..", "a", "d", "d/f", "l", "l/", "d/..", "x" * 5000]),
        st.text(st.sampled_from("a/.d\0\udc80é\ud800"), max_size=6),
    ),
    bytes: st.binary(max_size=40),
    bool: st.booleans(),
    float: st.floats(),
    type(None): st.none(),
}


def anything(kind: Any) -> Any:
    if kind in ANY:
        return ANY[kind]
    parts = get_args(kind)
    if get_origin(kind) is not tuple:
        return st.one_of(*map(anything, parts))
    if parts[-1] is Ellipsis:
        return st.lists(anything(parts[0]), max_size=3).map(tuple)
    return st.tuples(*map(anything, parts))


calls = st.one_of(
    [
        st.tuples(st.just(operation), *map(anything, operation.types))
        for operation in operations(FileSystem).values()
    ]
)


def call(files: FileSystem, operation: Op, arguments: Any) -> Any:
    positional = [ROOT] if operation.wants_caller else []
    named = {}
    for parameter, argument in zip(operation.parameters, arguments, strict=True):
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = argument
        else:
            positional.append(argument)
    return getattr(files, operation.name)(*positional, **named)


@settings(max_examples=100)
@given(st.lists(calls, min_size=5, max_size=60))
def test_any_arguments_give_a_result_or_an_errno(steps: Any) -> None:
    with mounted(blocks=600, memory=1 << 20) as files:
        files.mkdir(ROOT, "d")
        make(files, "d/f", b"x" * 5000)
        files.symlink(ROOT, "d", "l")
        for operation, *arguments in steps:
            found, result = outcome(call, files, operation, arguments)
            assert found == "result" or isinstance(result, int)
        files._stopping()


def test_a_read_of_anything_asks_for_no_more_than_there_is(files: FileSystem) -> None:
    descriptor = make(files, "f", b"x" * 10)
    assert files.pread(ROOT, descriptor, 2**62, 0) == b"x" * 10
    assert files.pread(ROOT, descriptor, 2**63 - 1, 2**62) == b""
    files.ftruncate(ROOT, descriptor, 0x7FFF_FFFF)
    assert len(files.pread(ROOT, descriptor, 2**62, 0)) <= 64 << 20
    fails(errno.EFBIG, files.ftruncate, ROOT, descriptor, 2**31)
    fails(errno.EINVAL, files.pwrite, ROOT, descriptor, b"x", 2**63)
    fails(errno.EFBIG, files.pwrite, ROOT, descriptor, b"x", 2**62)


def test_a_directory_does_not_move_into_itself_however_deep_that_is() -> None:
    with mounted(blocks=6000, inodes=2800) as files:
        for _ in range(2500):
            files.mkdir(ROOT, "d")
            files.chdir(ROOT, "d")
        fails(errno.EINVAL, files.rename, ROOT, "/d", "e")
        files.mkdir(ROOT, "/other")
        files.rename(ROOT, "/other", "e")
        fails(errno.ENAMETOOLONG, files.getcwd, ROOT)
