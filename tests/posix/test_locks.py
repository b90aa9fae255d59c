"""fcntl(): https://pubs.opengroup.org/onlinepubs/9699919799/functions/fcntl.html; flock(2)."""

import errno
import fcntl
import os
import random
from typing import Any

import pytest

from servers.filesystem.locking import Flock
from tests.posix.conftest import Place, fails

READ, WRITE, UNLOCK = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
SET, GET = fcntl.F_SETLK, fcntl.F_GETLK


def opened(p: Place, *users: Any, flags: int = os.O_RDWR) -> list[int]:
    """The file `f`, 100 bytes long, open for everybody who is named."""
    p.file("f", b"x" * 100, 0o666)
    return [user.open("f", flags) for user in users]


def seen(user: Any, fd: int, lock: Flock) -> tuple[int, ...]:
    """What is in the way, without whose it is."""
    return tuple(user.fcntl(fd, GET, lock))[:4]


def test_those_who_read_share_and_who_writes_does_not(p: Place) -> None:
    a, b = opened(p, p.ada, p.bob)
    p.ada.fcntl(a, SET, Flock(READ, 0, 10, 10))
    p.bob.fcntl(b, SET, Flock(READ, 0, 15, 10))
    fails(errno.EAGAIN, p.bob.fcntl, b, SET, Flock(WRITE, 0, 19, 1))
    p.bob.fcntl(b, SET, Flock(WRITE, 0, 20, 5))
    fails(errno.EAGAIN, p.ada.fcntl, a, SET, Flock(READ, 0, 0, 21))
    assert seen(p.ada, a, Flock(READ, 0, 0, 0)) == (WRITE, 0, 20, 5)
    assert seen(p.bob, b, Flock(WRITE, 0, 0, 0)) == (READ, 0, 10, 10)
    assert seen(p.ada, a, Flock(WRITE, 0, 0, 15))[0] == UNLOCK


def test_one_caller_has_one_lock_on_a_byte(p: Place) -> None:
    a, b = opened(p, p.ada, p.bob)
    p.ada.fcntl(a, SET, Flock(WRITE, 0, 0, 30))
    p.ada.fcntl(a, SET, Flock(READ, 0, 10, 10))
    p.bob.fcntl(b, SET, Flock(READ, 0, 10, 10))
    assert seen(p.bob, b, Flock(READ, 0, 0, 0)) == (WRITE, 0, 0, 10)
    assert seen(p.bob, b, Flock(READ, 0, 15, 0)) == (WRITE, 0, 20, 10)
    p.ada.fcntl(a, SET, Flock(UNLOCK, 0, 5, 20))
    assert seen(p.bob, b, Flock(WRITE, 0, 0, 0)) == (WRITE, 0, 0, 5)
    assert seen(p.bob, b, Flock(WRITE, 0, 5, 0)) == (WRITE, 0, 25, 5)


def test_what_the_bytes_are_counted_from(p: Place) -> None:
    a, b = opened(p, p.ada, p.bob)
    p.ada.lseek(a, 40, os.SEEK_SET)
    p.ada.fcntl(a, SET, Flock(WRITE, os.SEEK_CUR, -10, 5))
    assert seen(p.bob, b, Flock(WRITE)) == (WRITE, 0, 30, 5)
    p.ada.fcntl(a, SET, Flock(UNLOCK))
    p.ada.fcntl(a, SET, Flock(WRITE, os.SEEK_END, -10, 0))
    assert seen(p.bob, b, Flock(WRITE)) == (WRITE, 0, 90, 0)
    p.ada.fcntl(a, SET, Flock(UNLOCK))
    p.ada.fcntl(a, SET, Flock(WRITE, os.SEEK_SET, 20, -5))
    assert seen(p.bob, b, Flock(WRITE)) == (WRITE, 0, 15, 5)
    for lock in (Flock(WRITE, 0, -1, 1), Flock(WRITE, 0, 4, -5), Flock(WRITE, 7), Flock(99)):
        fails(errno.EINVAL, p.ada.fcntl, a, SET, lock)
    fails(errno.EINVAL, p.ada.fcntl, a, GET, Flock(UNLOCK))
    fails(errno.EOVERFLOW, p.ada.fcntl, a, SET, Flock(WRITE, 0, 2**62, 2**63 - 1))


def test_locks_go_when_any_descriptor_of_the_file_is_closed(p: Place) -> None:
    a, b = opened(p, p.ada, p.bob)
    for close in (p.ada.close, lambda fd: p.ada.dup2(p.ada.open("/", os.O_RDONLY), fd)):
        p.ada.fcntl(a, SET, Flock(WRITE))
        fails(errno.EAGAIN, p.bob.fcntl, b, SET, Flock(READ))
        close(p.ada.open("f", os.O_RDONLY))
        p.bob.fcntl(b, SET, Flock(WRITE))
        p.bob.fcntl(b, SET, Flock(UNLOCK))


def test_a_lock_needs_a_file_that_is_open_for_it(p: Place) -> None:
    (a,) = opened(p, p.ada, flags=os.O_RDONLY)
    p.ada.fcntl(a, SET, Flock(READ))
    fails(errno.EBADF, p.ada.fcntl, a, SET, Flock(WRITE))
    fails(errno.EBADF, p.ada.lockf, a, os.F_TLOCK, 0)
    b = p.ada.open("f", os.O_WRONLY)
    fails(errno.EBADF, p.ada.fcntl, b, SET, Flock(READ))
    fails(errno.EBADF, p.ada.fcntl, 99, SET, Flock(READ))
    fails(errno.EBADF, p.ada.lockf, 99, os.F_TLOCK, 0)
    fails(errno.EBADF, p.ada.flock, 99, fcntl.LOCK_SH)


def test_lockf_begins_at_the_position(p: Place) -> None:
    a, b = opened(p, p.ada, p.bob)
    p.ada.lseek(a, 50, os.SEEK_SET)
    p.ada.lockf(a, os.F_TLOCK, 10)
    p.ada.lockf(a, os.F_TLOCK, -5)
    assert seen(p.bob, b, Flock(READ)) == (WRITE, 0, 45, 15)
    p.bob.lseek(b, 59, os.SEEK_SET)
    fails(errno.EACCES, p.bob.lockf, b, os.F_TEST, 1)
    fails(errno.EAGAIN, p.bob.lockf, b, os.F_TLOCK, 0)
    p.ada.lockf(a, os.F_TEST, 0)  # one's own are in nobody's way
    p.ada.lockf(a, os.F_ULOCK, 0)
    p.bob.lockf(b, os.F_TEST, 1)
    p.bob.lockf(b, os.F_LOCK, 0)
    assert seen(p.ada, a, Flock(READ)) == (WRITE, 0, 59, 0)
    fails(errno.EINVAL, p.bob.lockf, b, 17, 0)


def test_flock_belongs_to_the_open_file(p: Place) -> None:
    a, again, b = opened(p, p.ada, p.ada, p.bob)
    copy = p.ada.dup(a)
    now = fcntl.LOCK_NB
    p.ada.flock(a, fcntl.LOCK_EX | now)
    p.ada.flock(copy, fcntl.LOCK_EX | now)
    fails(errno.EAGAIN, p.ada.flock, again, fcntl.LOCK_SH | now)
    fails(errno.EAGAIN, p.bob.flock, b, fcntl.LOCK_EX | now)
    p.bob.fcntl(b, SET, Flock(WRITE))  # the two kinds don't know of each other
    p.ada.close(a)
    fails(errno.EAGAIN, p.bob.flock, b, fcntl.LOCK_SH | now)
    p.ada.close(copy)
    p.bob.flock(b, fcntl.LOCK_SH | now)
    p.ada.flock(again, fcntl.LOCK_SH | now)
    fails(errno.EAGAIN, p.ada.flock, again, fcntl.LOCK_EX | now)
    p.bob.flock(b, fcntl.LOCK_UN)
    p.ada.flock(again, fcntl.LOCK_EX | now)
    fails(errno.EINVAL, p.ada.flock, again, 0)


@pytest.mark.parametrize("seed", range(3))
def test_by_chance_everybody_sees_what_a_table_of_bytes_says(p: Place, seed: int) -> None:
    """The model: for each byte, who has it and how."""
    rng = random.Random(seed)
    users = (p.ada, p.bob, p.eve)
    fds = opened(p, *users)
    bytes_: list[dict[int, int]] = [{} for _ in range(40)]
    for _ in range(150):
        who, kind = rng.randrange(3), rng.choice([READ, WRITE, UNLOCK])
        start = rng.randrange(39)
        length = rng.randrange(1, 40 - start)
        part = bytes_[start : start + length]
        free = kind == UNLOCK or not any(
            other != who and WRITE in {kind, held} for byte in part for other, held in byte.items()
        )
        lock = Flock(kind, 0, start, length)
        if not free:
            fails(errno.EAGAIN, users[who].fcntl, fds[who], SET, lock)
            continue
        users[who].fcntl(fds[who], SET, lock)
        for byte in part:
            byte.pop(who, None)
            if kind != UNLOCK:
                byte[who] = kind
