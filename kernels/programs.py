"""Programs: the host processes that the nucleus starts for a service that names `Tasks`.

A program is forked from the nucleus, which is small and has one thread; so a start costs the same
whatever the asking process has become, and the program finds nothing of its parent's memory. The
nucleus made its caller and its connection, so who it is can't be forged.
"""

import errno
import importlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from kernels.control import (
    Answer,
    Ended,
    Granted,
    Refused,
    Renice,
    Send,
    Start,
    Started,
    Status,
    Tasking,
)
from kernels.host import POKE, address_space, die_with_parent, name_process
from kernels.launch import close_all_but, fork
from kernels.parcels import socket_pair
from kernels.records import Credentials, Peer
from kernels.supervisor import Plan
from kernels.switchboard import Switchboard
from twinos import Caller, fail
from twinos.errors import take_apart
from twinos.wiring import needs


class Programs:
    """Starts, signals and reaps programs.

    Args:
        plan: what the system is.
        board: where to wait for their messages and ends.
        new_caller: makes a caller with these credentials.
        forget: drops, in a child, the memory that is not its own.
    """

    def __init__(
        self,
        plan: Plan,
        board: Switchboard,
        new_caller: Callable[[Credentials], Caller],
        forget: Callable[[], None],
    ) -> None:
        self._plan = plan
        self._new_caller = new_caller
        self._board = board
        self._forget = forget
        self._pids: dict[int, int] = {}  # of callers that run
        self._statuses: dict[int, int] = {}  # of those that have ended

    def handle(self, peer: Peer, number: int, ask: Tasking) -> None:
        """Do what a service asks that may: EPERM for all others."""
        services = peer.server.services if peer.server is not None else ()
        if not any(needs(service).tasks for service in services):
            raise fail(errno.EPERM)
        match ask:
            case Start():
                peer.answer(self._start(ask), number)
            case Send():
                self._signal(ask)
                peer.answer(Granted(), number)
            case Renice(other, nice):
                if other not in self._pids:
                    raise fail(errno.ESRCH)
                os.setpriority(os.PRIO_PROCESS, self._pids[other], nice)
                peer.answer(Granted(), number)
            case Status():
                has_ended, answer = partial(self._has_ended, ask), partial(self._status, ask)
                self._board.answer_when(has_ended, peer, number, answer)

    def _start(self, ask: Start) -> Started:
        """Start a program; EAGAIN if the host has no room."""
        caller = self._new_caller((ask.uid, ask.gid, ask.groups))
        try:
            pid = self._bear(ask, caller)
        except OSError as error:
            raise fail(errno.EAGAIN) from error
        self._pids[caller.id] = pid
        return Started(caller, pid)

    def _signal(self, ask: Send) -> None:
        """Send a signal of the host: any to a program, a harmless one to whoever else asks here."""
        if ask.caller in self._pids:
            os.kill(self._pids[ask.caller], ask.signal)  # not reaped yet: the pid is its own
            return
        others = [other for other in self._board.peers if ask.caller in other.callers]
        if not others:
            raise fail(errno.ESRCH)
        if ask.signal != POKE:
            raise fail(errno.EPERM)
        if others[0].owner:
            os.kill(self._plan.owner, ask.signal)
        elif others[0].process >= 0:
            signal.pidfd_send_signal(others[0].process, ask.signal)

    def _has_ended(self, ask: Status) -> bool:
        return ask.caller not in self._pids

    def _status(self, ask: Status) -> Answer:
        """How a program ended; told once. ESRCH."""
        status = self._statuses.pop(ask.caller, None)
        return Refused(take_apart(fail(errno.ESRCH))) if status is None else Ended(status)

    def end_all(self) -> None:
        """End every program: the system shuts down."""
        for pid in self._pids.values():
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids.values():
            os.waitpid(pid, 0)
        self._pids.clear()

    def _bear(self, ask: Start, caller: Caller) -> int:
        with ExitStack() as undo:
            ours, theirs = map(undo.enter_context, socket_pair())
            pid = fork(self._become, theirs, ask, caller, os.getpid())
            try:
                process, death = os.pidfd_open(pid), os.pidfd_open(pid)
            except OSError:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise
            theirs.close()
            undo.pop_all()
        credentials = (caller.uid, caller.gid, caller.groups)
        peer = Peer(ours, credentials, callers={caller.id: caller})
        peer.introduced(process)
        self._board.admit(peer)
        self._board.watch_once(death, partial(self._bury, caller.id, peer))
        return pid

    def _bury(self, caller: int, peer: Peer) -> None:
        """A program has ended: write down how, and hear what it said last."""
        pid = self._pids.pop(caller, 0)
        if pid:
            _, status = os.waitpid(pid, 0)
            self._statuses[caller] = os.waitstatus_to_exitcode(status)
        self._board.hear_out(peer)

    def _become(self, connection: socket.socket, ask: Start, caller: Caller, nucleus: int) -> int:
        """What a program's process does, from its first instruction on."""
        from kernels.microkernel import run_task  # noqa: PLC0415 (that starts the nucleus)

        self._forget()
        most = address_space() + ask.memory  # what the parent had is not its own doing
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        close_all_but({connection.fileno()})
        die_with_parent(nucleus)
        name_process(f"twinos:{ask.name}")
        module, _, name = ask.main.partition(":")
        main: Any = importlib.import_module(module)
        for part in name.split("."):
            main = getattr(main, part)
        plan = self._plan
        return run_task(connection, plan.order, plan.layers, plan.transport, caller, main)
