"""The process manager: who runs, whose child it is, and how it ended."""

import errno
import os
import signal as host_signal
import time
from contextlib import suppress
from typing import Annotated, Final

from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from servers.process.accounts import usage
from servers.process.ledger import read
from servers.process.signals import CHILD, IGNORE
from servers.process.starting import Starting
from servers.process.table import (
    CONTINUED,
    FORKED,
    INIT,
    ZOMBIE,
    Entry,
    ProcessInfo,
    Table,
    exited,
    selected,
)
from servers.who import Who
from twinos import NO_DEVICE, Caller, Journal, Line, Tasks, Waits, fail, limit, only, op
from twinos.tasks import Limits

PROCESSES: Final = 128
"""Processes that there may be, zombies included."""
USERS_PROCESSES: Final = 64
"""Those of one user who is not the superuser."""
CPU: Final = 300
"""Seconds of processor time that a program may use."""
MEMORY: Final = 1 << 30
"""Bytes of address space on the host that a program may map beside what it starts with."""


class ProcessManager(Starting):
    """Processes after POSIX: spawn, fork, exec, exit, wait, signals, groups and sessions.

    A program is a host process that the kernel starts (see `Tasks`), so that who asks is known from
    the channel. Whoever booted the system is no program: it becomes a process by `register`.

    Process 1, init, is none of the host. Who loses its parent is its child, and is not waited for.

    Args:
        files: to read programs, and to hand on open files.
        pipes: to hand on ends of pipes.
        addresses: to make the address spaces of programs.
        tasks: starts and signals processes of the host.
        journal: keeps the process table, should this server die.
        tick: raised when an alarm is due.
        processes: how many there may be, zombies included; the last eighth of them, eight at most,
            is for whoever runs by itself (the shell that a person sits at), so that it can help.
        users_processes: how many of them may be one user's; the superuser has no such limit.
        memory: bytes of the host's address space that a program may map beside what it starts with.
        cpu: seconds of processor time that a program may use: then it is sent SIGXCPU, and two
            seconds later SIGKILL.
    """

    def __init__(
        self,
        files: Annotated[FileSystem, only("load", "inherit")],
        pipes: Annotated[Pipes, only("inherit")],
        addresses: Annotated[MemoryManager, only("exec", "inherit", "leave")],
        tasks: Tasks,
        journal: Journal,
        tick: Line = NO_DEVICE,
        processes: Annotated[int, limit("processes, zombies included", "EAGAIN")] = PROCESSES,
        users_processes: Annotated[int, limit("processes of one user", "EAGAIN")] = USERS_PROCESSES,
        memory: Annotated[int, limit("bytes that a program maps", "MemoryError, ENOMEM")] = MEMORY,
        cpu: Annotated[int, limit("seconds that a program computes", "SIGXCPU, SIGKILL")] = CPU,
    ) -> None:
        if min(processes, users_processes, memory, cpu) < 1:
            raise fail(errno.EINVAL)
        super().__init__(tasks, Table(processes, users_processes), journal)
        self._tick = tick
        self._files = files
        self._pipes = pipes
        self._addresses = addresses
        self._limits = Limits(memory, cpu)

    def _restored(self, saved: bytes) -> None:
        if not saved:
            return
        self._table.restore(*read(saved))
        for entry in self._table:
            if entry.alive and self._has_gone(entry):
                self._end(entry, entry.cause or self._unexpected(entry))
        self._arm()

    @op
    def register(self, caller: Caller, command: str) -> int:
        """Become a process, a child of init that leads a session; its pid.

        Raises:
            OSError: EEXIST: it is one. EAGAIN: there are too many.
        """
        if self._table.is_known(caller):
            raise fail(errno.EEXIST)
        pid = self._table.new_pid(caller.uid)
        self._table.add(Entry(pid, INIT, pid, pid, Who(*caller), command, started=time.monotonic()))
        self._keep()
        return pid

    @op
    def exit(self, caller: Caller, status: int) -> None:
        """End: nothing of the process is left but its status, for its parent. ESRCH."""
        self._end(self._table.of_caller(caller), exited(status))

    @op
    def waitpid(self, caller: Caller, pid: int, options: int = 0) -> Waits[tuple[int, int]]:
        """Wait till a child ends; with WUNTRACED, WCONTINUED also till it stops or goes on.

        Args:
            caller: the parent.
            pid: which child: its pid; -1, any; 0, any in the caller's group; less, in that group.
            options: WNOHANG, WUNTRACED and WCONTINUED, as in `os`.

        Returns:
            Its pid and status; `os.waitstatus_to_exitcode` and the like read it. Zeros with
            WNOHANG: nothing has happened.

        Raises:
            OSError: ECHILD: there is no such child.
        """
        parent = self._table.of_caller(caller)
        while True:
            for child in selected(self._table.children(parent), pid, parent):
                if child.state == ZOMBIE:
                    self._table.forget(child)
                    self._keep()
                    return child.pid, child.status
                if child.news and options & _told_by(child.news):
                    status, child.news = child.news, 0
                    self._keep()
                    return child.pid, status
            if options & os.WNOHANG:
                return 0, 0
            yield parent.changed

    @op(repeatable=True)
    def getpid(self, caller: Caller) -> int:
        """The caller's process id. ESRCH: it is no process."""
        return self._table.of_caller(caller).pid

    @op(repeatable=True)
    def getppid(self, caller: Caller) -> int:
        """Its parent's. ESRCH."""
        return self._table.of_caller(caller).parent

    @op(repeatable=True)
    def processes(self) -> tuple[ProcessInfo, ...]:
        """All processes, after ps(1)."""
        return tuple(_info(entry, self._host(entry)) for entry in self._table)

    def _departed(self, caller: Caller) -> None:
        if not self._table.is_known(caller):
            return
        entry = self._table.of_departed(caller)
        if entry.alive:
            self._end(entry, entry.cause or self._unexpected(entry))

    def _host(self, entry: Entry) -> int:
        """Its process on the host; 0: none, or none any more."""
        if entry.host == FORKED and entry.who is not None:
            with suppress(OSError):
                entry.host = self._tasks.host(entry.who.id)
        return max(entry.host, 0)

    def _has_gone(self, entry: Entry) -> bool:
        """Whether a program has ended while nobody took notice."""
        if not entry.host or entry.who is None:
            return False
        try:
            self._tasks.signal(entry.who.id, 0)
        except ProcessLookupError:
            return True
        return False

    def _unexpected(self, entry: Entry) -> int:
        """How a process ended that did not say so."""
        try:
            code = self._tasks.status(entry.who.id) if entry.who and entry.host else 0
        except OSError:
            return int(host_signal.SIGKILL)
        return exited(code) if code >= 0 else -code

    def _end(self, entry: Entry, status: int) -> None:
        """Make a process a zombie, and its children init's."""
        entry.state, entry.status = ZOMBIE, status
        for child in self._table.children(entry):
            child.parent = INIT
            if child.state == ZOMBIE:
                self._table.forget(child)
        parent = self._table.entries.get(entry.parent)
        if parent is None or parent.pid == INIT or parent.actions.get(CHILD) == IGNORE:
            self._table.forget(entry)
        if parent is not None:
            self._send(parent, CHILD)
            parent.changed.notify()
        self._keep()


def _told_by(news: int) -> int:
    """The option of waitpid that asks for such news."""
    return os.WCONTINUED if news == CONTINUED else os.WUNTRACED


def _info(entry: Entry, host: int) -> ProcessInfo:
    cpu, memory = usage(host) if entry.alive else (0.0, 0)
    return ProcessInfo(
        pid=entry.pid,
        ppid=entry.parent,
        pgid=entry.group,
        sid=entry.session,
        uid=entry.who.uid if entry.who else 0,
        state=entry.state,
        nice=entry.nice,
        started=entry.started,
        cpu=cpu,
        memory=memory,
        command=entry.command,
    )
