"""Operations on process groups, sessions and priorities."""

import errno
from typing import Final

from servers.process.sending import Sending
from servers.process.table import Entry
from twinos import Caller, fail, op

NICEST: Final = 19
LEAST_NICE: Final = -20


class Groups(Sending):
    """Process groups, sessions, and how nice a process is."""

    @op(repeatable=True)
    def getpgid(self, caller: Caller, pid: int) -> int:
        """The group of a process; 0 is the caller. ESRCH."""
        return self._named(caller, pid).group

    @op
    def setpgid(self, caller: Caller, pid: int, pgid: int) -> None:
        """Put the caller or a child of its into a group; 0 is the caller, or a group of its own.

        Raises:
            OSError: EINVAL: a negative group. ESRCH: it is neither. EPERM: it leads a session, is
                in another one, or there is no such group in this one.
        """
        entry, own = self._named(caller, pid), self._table.of_caller(caller)
        if pgid < 0:
            raise fail(errno.EINVAL)
        if entry is not own and entry.parent != own.pid:
            raise fail(errno.ESRCH)
        if entry.session != own.session or entry.session == entry.pid:
            raise fail(errno.EPERM)
        if pgid not in {0, entry.pid}:
            self._check_group(own, pgid)
        entry.group = pgid or entry.pid
        self._keep()

    @op(repeatable=True)
    def getsid(self, caller: Caller, pid: int) -> int:
        """The session of a process; 0 is the caller. ESRCH."""
        return self._named(caller, pid).session

    @op
    def setsid(self, caller: Caller) -> int:
        """Begin a session and a group, which the caller leads. EPERM: it leads a group."""
        entry = self._table.of_caller(caller)
        if self._table.members(entry.pid):
            raise fail(errno.EPERM)
        entry.session = entry.group = entry.pid
        self._keep()
        return entry.pid

    @op
    def nice(self, caller: Caller, pid: int, increment: int) -> int:
        """Make a process nicer to others, from -20 to 19; how nice it is now. 0 is the caller.

        ESRCH; EPERM: it is another's; EACCES: only the superuser makes processes less nice.
        """
        entry = self._named(caller, pid)
        if caller.uid and (entry.who is None or entry.who.uid != caller.uid):
            raise fail(errno.EPERM)
        if caller.uid and increment < 0:
            raise fail(errno.EACCES)
        entry.nice = max(LEAST_NICE, min(NICEST, entry.nice + increment))
        if entry.host and entry.who is not None:
            self._tasks.renice(entry.who.id, entry.nice)
        self._keep()
        return entry.nice

    def _named(self, caller: Caller, pid: int) -> Entry:
        return self._table.find(pid) if pid else self._table.of_caller(caller)

    def _check_group(self, parent: Entry, group: int) -> None:
        """EPERM unless children of `parent` may be in this group; 0 and -1 are always allowed."""
        members = self._table.members(group)
        if group > 0 and not any(member.session == parent.session for member in members):
            raise fail(errno.EPERM)
