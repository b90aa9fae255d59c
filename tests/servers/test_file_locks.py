"""Waiting for locks on files: it ends when they are given back, however that comes about."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from kernels.paths import Paths
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.locking import Flock
from servers.memory import MemoryManager
from servers.process import ProcessManager
from tests.servers.oracle import outcome
from twinos.wiring import boot_order

EXCLUSIVE = Flock(fcntl.F_WRLCK)


class Users:
    """Two users with a file open; what the second asks for is asked for in a thread."""

    def __init__(self, system: Any) -> None:
        self.first, self.second = system.user(), system.user()
        self.one: FileSystem = self.first[FileSystem]
        self.other: FileSystem = self.second[FileSystem]
        self.a = self.one.open("/f", os.O_CREAT | os.O_RDWR)
        self.b = self.other.open("/f", os.O_RDWR)
        self.pool = ThreadPoolExecutor(1)

    def later(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """It is under way, and waits."""
        return self.pool.submit(outcome, call, *arguments)


@pytest.fixture
def users(kernel: Any) -> Iterator[Users]:
    with kernel.boot(FileSystem, config={Disk: {"blocks": 200}}) as system:
        found = Users(system)
        yield found
        found.pool.shutdown()
        found.first.close()
        found.second.close()


GIVEN_BACK: dict[str, Callable[[Users], object]] = {
    "unlocked": lambda users: users.one.fcntl(users.a, fcntl.F_SETLK, Flock(fcntl.F_UNLCK)),
    "only read": lambda users: users.one.fcntl(users.a, fcntl.F_SETLK, Flock(fcntl.F_RDLCK)),
    "closed": lambda users: users.one.close(users.a),
    "departed": lambda users: users.first.close(),
}


@pytest.mark.parametrize("how", GIVEN_BACK)
def test_who_waits_goes_on_when_the_lock_is_given_back(users: Users, how: str) -> None:
    users.one.fcntl(users.a, fcntl.F_SETLK, EXCLUSIVE)
    waiting = users.later(users.other.fcntl, users.b, fcntl.F_SETLKW, Flock(fcntl.F_RDLCK, 0, 5, 5))
    assert users.one.fstat(users.a).st_size == 0  # nobody else is held up
    GIVEN_BACK[how](users)
    assert waiting.result(30) == ("result", Flock(fcntl.F_RDLCK, 0, 5, 5))


def test_lockf_and_flock_wait_too(users: Users) -> None:
    users.one.lockf(users.a, os.F_LOCK, 0)
    waiting = users.later(users.other.lockf, users.b, os.F_LOCK, 10)
    users.one.lockf(users.a, os.F_ULOCK, 0)
    assert waiting.result(30) == ("result", None)
    users.one.flock(users.a, fcntl.LOCK_SH)
    waiting = users.later(users.other.flock, users.b, fcntl.LOCK_EX)
    users.one.flock(users.a, fcntl.LOCK_UN)
    assert waiting.result(30) == ("result", None)


def test_a_circle_is_told_to_who_closes_it(users: Users) -> None:
    users.one.fcntl(users.a, fcntl.F_SETLK, Flock(fcntl.F_WRLCK, 0, 0, 1))
    users.other.fcntl(users.b, fcntl.F_SETLK, Flock(fcntl.F_WRLCK, 0, 1, 1))

    def all_or_nothing(files: FileSystem, fd: int) -> Any:
        answer = outcome(files.fcntl, fd, fcntl.F_SETLKW, EXCLUSIVE)
        if answer[0] == "error":
            files.close(fd)
        return answer

    waiting = users.pool.submit(all_or_nothing, users.other, users.b)
    answers = [all_or_nothing(users.one, users.a), waiting.result(30)]
    assert sorted(answers) == [("error", errno.EDEADLK), ("result", EXCLUSIVE)]


def test_a_file_that_is_closed_meanwhile_is_not_locked(users: Users) -> None:
    users.one.fcntl(users.a, fcntl.F_SETLK, EXCLUSIVE)
    waiting = users.later(users.other.fcntl, users.b, fcntl.F_SETLKW, EXCLUSIVE)
    users.other.close(users.b)  # whether or not it waits already
    users.one.close(users.a)
    assert waiting.result(30) == ("error", errno.EBADF)


def test_locks_cost_the_services_above_nothing() -> None:
    """They call what never waits: no request to them need ask whether they are in the middle."""
    paths = Paths(boot_order([ProcessManager, MemoryManager, FileSystem]))
    assert not paths.may_be_busy(FileSystem)
    assert not paths.may_be_busy(MemoryManager)
