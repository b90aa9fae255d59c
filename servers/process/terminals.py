"""Operations on who has the terminal: the foreground process group, after termios."""

import errno
import signal as host_signal
from typing import Final

from servers.process.groups import Groups
from servers.process.signals import CATCH, IGNORE, bit
from servers.process.table import ANYBODY, NOBODY, RUNNING, Entry
from twinos import Caller, Signal, Waits, fail, op

ATTENTION: Final = (int(host_signal.SIGTTIN), int(host_signal.SIGTTOU))
"""What comes of a group in the background that reads, and of one that writes."""


class Terminals(Groups):
    """The console's foreground group. It is one terminal; the console itself knows no groups."""

    @op(repeatable=True)
    def tcgetpgrp(self, caller: Caller) -> int:
        """The group that has the terminal; 0: none at the moment, -1: there is no job control."""
        self._table.of_caller(caller)
        return self._table.foreground

    @op
    def tcsetpgrp(self, caller: Caller, pgid: int) -> Waits[int]:
        """Give the terminal to a group, or to none (0); the number of its turn.

        A program in the background gets SIGTTOU for it, and waits until it is in the foreground,
        unless it blocks or ignores that.

        Raises:
            OSError: EINVAL; EPERM: there is no such group in the caller's session; EIO; ESRCH.
        """
        own = self._table.of_caller(caller)
        if pgid < NOBODY:
            raise fail(errno.EINVAL)
        self._check_group(own, pgid)
        while own.host and self._is_behind(own) and not _unheeded(own, host_signal.SIGTTOU):
            yield self._call_back(own, host_signal.SIGTTOU)
        self._table.foreground = pgid
        self._table.turn += 1
        for entry in self._table:
            entry.changed.notify()
        self._keep()
        return self._table.turn

    @op
    def attend(self, caller: Caller, signal: int) -> Waits[int]:
        """Wait until the caller is in the foreground, so that it may use the terminal.

        Args:
            caller: a process; its group is sent the signal as often as it asks from behind.
            signal: SIGTTIN, to read; SIGTTOU, to write, which goes without if that is not heeded.

        Returns:
            The number of the turn, which `Console` wants to know.

        Raises:
            OSError: EINVAL; ESRCH; EIO: it would be stopped, and nobody could have it go on; or it
                does not heed SIGTTIN.
        """
        own = self._table.of_caller(caller)
        if signal not in ATTENTION:
            raise fail(errno.EINVAL)
        while own.host and self._is_behind(own):
            if _unheeded(own, signal):
                if signal == host_signal.SIGTTOU:
                    break
                raise fail(errno.EIO)
            yield self._call_back(own, signal)
        return self._table.turn

    def _is_behind(self, entry: Entry) -> bool:
        return self._table.foreground not in {ANYBODY, entry.group}

    def _call_back(self, entry: Entry, signal: int) -> Signal:
        """Stop a group in the background that wants the terminal; what to wait for.

        EIO: nobody could have it go on. EINTR: it catches the signal, which has come.
        """
        if self._table.foreground != NOBODY:
            if self._is_orphaned(entry.group):
                raise fail(errno.EIO)
            for member in self._table.members(entry.group):
                if member.state == RUNNING:
                    self._send(member, signal)
            self._keep()
            if entry.actions.get(signal) == CATCH:
                raise fail(errno.EINTR)
        return entry.changed

    def _is_orphaned(self, group: int) -> bool:
        """Whether nobody outside the group, in its session, is the parent of somebody inside."""
        parents = [
            (member, self._table.entries.get(member.parent))
            for member in self._table.members(group)
        ]
        return not any(
            parent is not None and parent.group != group and parent.session == member.session
            for member, parent in parents
        )


def _unheeded(entry: Entry, signal: int) -> bool:
    return bool(entry.mask & bit(signal)) or entry.actions.get(signal) == IGNORE
