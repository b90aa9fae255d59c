"""Operations on signals: who sends, who catches, who waits."""

import errno
import signal as host_signal
from contextlib import suppress
from typing import Final

from servers.process.ledger import written
from servers.process.signals import (
    CATCH,
    CERTAIN,
    CONTINUE,
    DEFAULT,
    HARMLESS,
    IGNORE,
    STOPPING,
    bit,
    changed_mask,
    checked,
    members,
)
from servers.process.table import CONTINUED, INIT, RUNNING, STOPPED, Entry, Table, stopped
from twinos import Caller, Journal, Service, Tasks, Waits, fail, op

POKE: Final = int(host_signal.SIGURG)
"""What the host sends to a process that has signals to look at."""


class Sending(Service):
    """The base of the manager: the process table, and signals.

    The manager itself does what a signal does by default. For one that is caught it keeps the
    signal, pokes the process, and the process asks what has come.
    """

    def __init__(self, tasks: Tasks, table: Table, journal: Journal) -> None:
        self._tasks = tasks
        self._journal = journal
        self._table = table
        self._book = b""

    def _keep(self) -> None:
        """The table changed: what happened is not to be forgotten with this server."""
        self._book = b""

    def _publish(self) -> None:
        """The same, now: there may be no reply with which it would be."""
        self._keep()
        self._journal.save(self._saved())

    def _saved(self) -> bytes:
        if not self._book:
            self._book = written(self._table)
        return self._book

    @op
    def kill(self, caller: Caller, pid: int, signal: int) -> None:
        """Send a signal; signal 0 only asks whether that is allowed.

        Args:
            caller: who sends.
            pid: to whom: a process; 0, the caller's group; -1, everybody but init and the caller;
                less, the group -pid.
            signal: its number.

        Raises:
            OSError: EINVAL, ESRCH, EPERM: none of them is the caller's.
        """
        checked(signal, none=True)
        targets = self._targets(caller, pid)
        allowed = [target for target in targets if _may_signal(caller, target)]
        if not targets:
            raise fail(errno.ESRCH)
        if not allowed:
            raise fail(errno.EPERM)
        for target in allowed if signal else ():
            self._send(target, signal)
        self._keep()

    @op
    def sigaction(self, caller: Caller, signal: int, action: int) -> int:
        """Say what the caller does about a signal: DEFAULT, IGNORE or CATCH; what it did so far.

        EINVAL: no such signal or action, or one that nobody catches; ESRCH.
        """
        entry = self._table.of_caller(caller)
        if checked(signal) in CERTAIN or action not in {DEFAULT, IGNORE, CATCH}:
            raise fail(errno.EINVAL)
        old = entry.actions.get(signal, DEFAULT)
        entry.actions[signal] = action
        if not action:
            del entry.actions[signal]
        if action == IGNORE or (action == DEFAULT and signal in HARMLESS):
            entry.pending &= ~bit(signal)
        self._keep()
        return old

    @op
    def sigprocmask(self, caller: Caller, how: int, mask: int) -> int:
        """Change which signals must wait; the set that waited so far.

        EINVAL, ESRCH.
        """
        entry = self._table.of_caller(caller)
        old = entry.mask
        entry.mask = changed_mask(old, how, mask)
        for number in members(entry.pending & ~entry.mask):
            entry.pending &= ~bit(number)
            self._send(entry, number)
        self._keep()
        return old

    @op(repeatable=True)
    def sigpending(self, caller: Caller) -> int:
        """The signals that have come and must wait: a set. ESRCH."""
        entry = self._table.of_caller(caller)
        return entry.pending & entry.mask

    @op
    def deliver(self, caller: Caller) -> tuple[int, ...]:
        """The caught signals that have come since this was last asked. ESRCH."""
        entry = self._table.of_caller(caller)
        due = entry.pending & ~entry.mask
        entry.pending &= ~due
        if due:
            self._keep()
        return tuple(members(due))

    @op
    def pause(self, caller: Caller) -> Waits[None]:
        """Wait until a caught signal is there to be delivered. ESRCH."""
        entry = self._table.of_caller(caller)
        while not entry.pending & ~entry.mask:
            yield entry.changed

    def _targets(self, caller: Caller, pid: int) -> list[Entry]:
        if pid > 0:
            return [self._table.find(pid)]
        if pid == 0:
            return self._table.members(self._table.of_caller(caller).group)
        if pid == -1:
            return [
                entry
                for entry in self._table
                if entry.who is not None and entry.who.id != caller.id
            ]
        return self._table.members(-pid)

    def _send(self, target: Entry, number: int) -> None:
        """A signal arrives."""
        if not target.alive or target.pid == INIT:
            return
        if number == CONTINUE:
            self._continue(target)
        elif number in STOPPING:
            target.pending &= ~bit(CONTINUE)
        action = DEFAULT if number in CERTAIN else target.actions.get(number, DEFAULT)
        if number not in CERTAIN and (target.mask & bit(number) or _waits(target, number)):
            target.pending |= bit(number)
        elif action == CATCH or (not target.host and action == DEFAULT and number not in HARMLESS):
            # Who runs by itself does to itself what the signal does by default.
            self._poke(target, number)
        elif action == DEFAULT:
            self._do_default(target, number)

    def _do_default(self, target: Entry, number: int) -> None:
        if number in STOPPING:
            self._stop(target, number)
        elif number not in HARMLESS and number != CONTINUE:
            target.cause = target.cause or number
            self._publish()  # before the deed: it can't be asked for afterwards
            self._signal_host(target, host_signal.SIGKILL)

    def _poke(self, target: Entry, number: int) -> None:
        target.pending |= bit(number)
        with suppress(OSError):  # who can't be poked will ask
            self._signal_host(target, POKE)
        target.changed.notify()

    def _stop(self, target: Entry, number: int) -> None:
        if target.state == RUNNING:
            target.state, target.news = STOPPED, stopped(number)
            self._signal_host(target, host_signal.SIGSTOP)
            self._tell_parent(target)

    def _continue(self, target: Entry) -> None:
        for number in STOPPING:
            target.pending &= ~bit(number)
        if target.state == STOPPED:
            target.state, target.news = RUNNING, CONTINUED
            target.changed.notify()
            self._signal_host(target, host_signal.SIGCONT)
            self._tell_parent(target)
            for number in members(target.pending & ~target.mask):
                if number not in target.actions:  # it has waited for this
                    target.pending &= ~bit(number)
                    self._send(target, number)

    def _tell_parent(self, child: Entry) -> None:
        parent = self._table.entries.get(child.parent)
        if parent is not None:
            self._send(parent, int(host_signal.SIGCHLD))
            parent.changed.notify()

    def _signal_host(self, target: Entry, number: int) -> None:
        if target.who is not None:
            with suppress(ProcessLookupError):  # it has just ended
                self._tasks.signal(target.who.id, number)


def _may_signal(caller: Caller, target: Entry) -> bool:
    owner = target.who.uid if target.who else 0
    return not caller.uid or caller.uid == owner


def _waits(target: Entry, number: int) -> bool:
    """Whether a signal would end a process that is stopped: it will, when that goes on."""
    stopped_by_default = target.state == STOPPED and number not in target.actions
    return stopped_by_default and number not in STOPPING | HARMLESS | {CONTINUE}
