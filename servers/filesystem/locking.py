"""Operations that lock files, by the names of `fcntl` and `os`."""

import errno
import fcntl
import os
from collections.abc import Generator
from typing import Final, NamedTuple

from servers.filesystem.descriptors import OpenFile
from servers.filesystem.files import INT64_END
from servers.filesystem.locks import WHOLE, Locks, Span
from servers.filesystem.state import State
from twinos import Caller, Signal, Until, Waits, fail, op

_KINDS: Final = frozenset([fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK])
_COMMANDS: Final = frozenset([fcntl.F_GETLK, fcntl.F_SETLK, fcntl.F_SETLKW])


class Flock(NamedTuple):
    """A record lock, as `struct flock` has it.

    Attributes:
        l_type: fcntl.F_RDLCK, F_WRLCK or F_UNLCK.
        l_whence: what `l_start` is counted from: os.SEEK_SET, SEEK_CUR or SEEK_END.
        l_start: the first byte.
        l_len: bytes; 0 means to the end, however far that will be; less than 0, before `l_start`.
        l_pid: who has it, as an answer: the number of the caller.
    """

    l_type: int
    l_whence: int = os.SEEK_SET
    l_start: int = 0
    l_len: int = 0
    l_pid: int = 0


class LockOperations(State):
    """Locks on files. They hold nobody back who does not ask; they are gone when the system is."""

    @op
    def fcntl(self, caller: Caller, fd: int, cmd: int, lock: Flock) -> Waits[Flock]:
        """Take or give back a record lock (F_SETLK, F_SETLKW, which waits), or look (F_GETLK).

        Locks belong to the caller: closing any descriptor of the file gives all of its back.

        Returns:
            `lock`; for F_GETLK the first lock in the way, or `lock` with F_UNLCK.

        Raises:
            OSError: EAGAIN: somebody else's is in the way; EDEADLK: that one waits for a lock of
                the caller; EBADF, also if the file is not open for what the lock is for; EINVAL.
        """
        file = self._used(caller, fd)
        if cmd not in _COMMANDS or lock.l_type not in _KINDS:
            raise fail(errno.EINVAL)
        span = self._span(file, lock)
        locks = self._records
        if cmd == fcntl.F_GETLK:
            if lock.l_type == fcntl.F_UNLCK:
                raise fail(errno.EINVAL)
            found = locks.in_the_way(file.inode, caller.id, span)
            return lock._replace(l_type=fcntl.F_UNLCK) if found is None else _shown(*found)
        if lock.l_type == fcntl.F_UNLCK:
            locks.give_back(file.inode, caller.id, span)
            return lock
        if not (file.access.write if span.exclusive else file.access.read):
            raise fail(errno.EBADF)
        yield from self._taken(caller, fd, locks, caller.id, span, wait=cmd == fcntl.F_SETLKW)
        return lock

    @op
    def lockf(self, caller: Caller, fd: int, cmd: int, len: int) -> Waits[None]:  # noqa: A002 (os names it so)
        """`fcntl` with exclusive locks from the position on.

        `cmd` is os.F_LOCK (wait), F_TLOCK, F_ULOCK, or F_TEST: EACCES if somebody else's is there.
        """
        file = self._used(caller, fd)
        span = self._span(file, Flock(fcntl.F_WRLCK, os.SEEK_CUR, 0, len))
        if cmd == os.F_ULOCK:
            self._records.give_back(file.inode, caller.id, span)
        elif cmd == os.F_TEST:
            if self._records.in_the_way(file.inode, caller.id, span._replace(exclusive=False)):
                raise fail(errno.EACCES)
        elif cmd in {os.F_LOCK, os.F_TLOCK}:
            if not file.access.write:
                raise fail(errno.EBADF)
            wait = cmd == os.F_LOCK
            yield from self._taken(caller, fd, self._records, caller.id, span, wait=wait)
        else:
            raise fail(errno.EINVAL)

    @op
    def flock(self, caller: Caller, fd: int, operation: int) -> Waits[None]:
        """Lock the whole file for this open file and its duplicates, until the last is closed.

        `operation` is fcntl.LOCK_SH, LOCK_EX or LOCK_UN; with LOCK_NB it is EAGAIN instead of
        waiting. EBADF, EINVAL; EDEADLK, where Linux would wait for ever.
        """
        file = self._used(caller, fd)
        kind = operation & ~fcntl.LOCK_NB
        if kind not in {fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN}:
            raise fail(errno.EINVAL)
        # As on Linux the old one is given back first: it may be lost, and two can't wait for ever.
        span = WHOLE._replace(exclusive=kind == fcntl.LOCK_EX)
        wait = not operation & fcntl.LOCK_NB
        if kind == fcntl.LOCK_UN or self._flocks.in_the_way(file.inode, file, span):
            self._flocks.give_back(file.inode, file, WHOLE)
        if kind != fcntl.LOCK_UN:
            yield from self._taken(caller, fd, self._flocks, file, span, wait=wait)

    def _taken(
        self, caller: Caller, fd: int, locks: Locks, owner: object, span: Span, *, wait: bool
    ) -> Generator[Signal | Until, None, None]:
        file = self._used(caller, fd)
        if wait:
            yield from locks.waited(file.inode, owner, span)
        elif locks.in_the_way(file.inode, owner, span):
            raise fail(errno.EAGAIN)
        if self._used(caller, fd) is not file:  # it was closed while this one waited
            raise fail(errno.EBADF)
        locks.take(file.inode, owner, span)

    def _span(self, file: OpenFile, lock: Flock) -> Span:
        """The bytes that are meant. EINVAL, EOVERFLOW."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: file.position, os.SEEK_END: file.inode.size}
        if lock.l_whence not in bases:
            raise fail(errno.EINVAL)
        start = bases[lock.l_whence] + lock.l_start
        end = start + lock.l_len if lock.l_len else INT64_END
        start, end = min(start, end), max(start, end)
        if start < 0:
            raise fail(errno.EINVAL)
        if end > INT64_END:
            raise fail(errno.EOVERFLOW)
        return Span(start, end, exclusive=lock.l_type == fcntl.F_WRLCK)


def _shown(owner: object, span: Span) -> Flock:
    kind = fcntl.F_WRLCK if span.exclusive else fcntl.F_RDLCK
    length = 0 if span.end == INT64_END else span.end - span.start
    return Flock(kind, os.SEEK_SET, span.start, length, owner if isinstance(owner, int) else -1)
