"""Which times which operation marks for update: section 4.9 of the base definitions.

`a` for access, `m` for modification, `c` for change of status, of the file and of its directory.
The host's clock moves by itself; ours is moved by hand.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.posix.world import ROOT, can_be_others, host
from tests.servers.images import Bound, mounted
from twinos import Caller

CASES = [
    ("stat", ("d/f",), "", ""),
    ("lstat", ("d/l",), "", ""),
    ("access", ("d/f", os.R_OK), "", ""),
    ("listdir", ("d",), "", "a"),
    ("readlink", ("d/l",), "", ""),
    ("chmod", ("d/f", 0o600), "c", ""),
    ("chmod", ("d", 0o700), "", "c"),
    ("chown", ("d/f", 1, 1), "c", ""),
    ("utime", ("d/f",), "amc", ""),
    ("truncate", ("d/f", 1), "mc", ""),
    ("truncate", ("d/f", 100), "mc", ""),
    ("link", ("d/f", "d/g"), "c", "mc"),
    ("link", ("d/f", "e/g"), "c", ""),
    ("rename", ("d/f", "d/f"), "", ""),
    ("rename", ("d/f", "d/same"), "", ""),
    ("rename", ("d/l", "d/m"), "", "mc"),
    ("rename", ("d/f", "e/f"), "gone", "mc"),
    ("unlink", ("d/same",), "c", "mc"),
    ("mkdir", ("d/x",), "", "mc"),
    ("rmdir", ("d/sub",), "", "mc"),
    ("symlink", ("t", "d/x"), "", "mc"),
    ("mkfifo", ("d/x",), "", "mc"),
    ("mknod", ("d/x",), "", "mc"),
    ("open", ("d/f", os.O_RDONLY), "", ""),
    ("open", ("d/f", os.O_RDWR | os.O_CREAT), "", ""),
    ("open", ("d/x", os.O_RDWR | os.O_CREAT), "", "mc"),
    ("open", ("d/f", os.O_WRONLY | os.O_TRUNC), "mc", ""),
    ("read", ("fd", 1), "a", ""),
    ("read", ("fd", 0), "", ""),
    ("pread", ("fd", 1, 0), "a", ""),
    ("write", ("fd", b"x"), "mc", ""),
    ("write", ("fd", b""), "", ""),
    ("pwrite", ("fd", b"x", 5000), "mc", ""),
    ("writev", ("fd", (b"x", b"y")), "mc", ""),
    ("ftruncate", ("fd", 0), "mc", ""),
    ("ftruncate", ("fd", 8), "mc", ""),
    ("posix_fallocate", ("fd", 0, 9000), "mc", ""),
    ("fchmod", ("fd", 0o600), "c", ""),
    ("fchown", ("fd", 1, 1), "c", ""),
    ("lseek", ("fd", 3, 0), "", ""),
    ("fsync", ("fd",), "", ""),
    ("dup", ("fd",), "", ""),
    ("close", ("fd",), "", ""),
]


class Clock:
    """Time that goes on."""

    def __init__(self, files: Any) -> None:
        self._files = files
        self.now = 1_500_000_000
        files._time = lambda: self.now

    def tick(self) -> None:
        self.now += 100


class HostClock:
    """The host stamps files in steps of a few milliseconds: wait for the next."""

    def __init__(self, user: Any) -> None:
        self._user = user
        user.open("clock", os.O_CREAT)

    def tick(self) -> None:
        self._user.utime("clock")
        now = self._user.stat("clock").st_ctime_ns
        while self._user.stat("clock").st_ctime_ns == now:
            self._user.utime("clock")


@pytest.fixture(params=["host", "ours"])
def timed(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Any]:
    if request.param == "ours":
        with mounted(blocks=1000) as files:
            yield Bound(files, Caller(1)), Clock(files)
        return
    if reason := can_be_others():
        pytest.skip(reason)
    with host(str(tmp_path)) as world:
        yield world.user(ROOT), HostClock(world.user(ROOT))


def times(user: Any, path: str) -> dict[str, int]:
    found = user.lstat(path)
    return {"a": found.st_atime_ns, "m": found.st_mtime_ns, "c": found.st_ctime_ns}


@pytest.mark.parametrize(("name", "arguments", "of_file", "of_directory"), CASES)
def test_marked(timed: Any, name: str, arguments: Any, of_file: str, of_directory: str) -> None:
    user, clock = timed
    for path in ("d", "d/sub", "e"):
        user.mkdir(path)
    fd = user.open("d/f", os.O_CREAT | os.O_RDWR)
    user.pwrite(fd, b"12345678", 0)
    user.link("d/f", "d/same")
    user.symlink("f", "d/l")
    clock.tick()  # else the host thinks that an access is known already
    user.utime("d/f")
    user.utime("d")
    before = times(user, "d/f"), times(user, "d")
    clock.tick()
    getattr(user, name)(*[fd if argument == "fd" else argument for argument in arguments])
    for path, old, expected in (("d/f", before[0], of_file), ("d", before[1], of_directory)):
        if expected != "gone":
            new = times(user, path)
            assert "".join(letter for letter in "amc" if new[letter] != old[letter]) == expected


def test_a_moved_file_changes_status(timed: Any) -> None:
    user, clock = timed
    user.mkdir("d")
    user.open("f", os.O_CREAT)
    before = times(user, "f")
    clock.tick()
    user.rename("f", "d/f")
    after = times(user, "d/f")
    assert [letter for letter in "amc" if before[letter] != after[letter]] == ["c"]


def test_a_new_file_has_one_time_and_so_has_its_directory(timed: Any) -> None:
    user, clock = timed
    user.mkdir("d")
    clock.tick()
    user.open("d/f", os.O_CREAT)
    found = times(user, "d/f")
    assert len(set(found.values())) == 1
    assert times(user, "d")["m"] == found["m"]


def test_a_nameless_file_keeps_time(timed: Any) -> None:
    user, clock = timed
    fd = user.open("f", os.O_CREAT | os.O_RDWR)
    user.unlink("f")
    before = user.fstat(fd)
    clock.tick()
    user.write(fd, b"x")
    after = user.fstat(fd)
    assert after.st_mtime_ns > before.st_mtime_ns
    assert after.st_ctime_ns > before.st_ctime_ns
