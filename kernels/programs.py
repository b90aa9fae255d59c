"""Programs: the host processes that the nucleus starts for a service that names `Tasks`.

A program is forked from the nucleus (see `kernels.spares`), which is small and has one thread; so a
start costs the same whatever the asking process has become, and the program finds nothing of its
parent's memory. The nucleus made its caller and its connection, so who it is can't be forged.
"""

import errno
import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from kernels.asking import Answer
from kernels.control import Born, Cradle, Forking, Granted, Refused
from kernels.forking import Cradles, child_of_ours
from kernels.host import POKE
from kernels.parcels import Parcel
from kernels.peers import Credentials, Peer
from kernels.plan import Plan
from kernels.spares import Role, Spares
from kernels.switchboard import Switchboard
from kernels.tasking import (
    Bear,
    Ended,
    Host,
    Renice,
    Replace,
    Send,
    Start,
    Started,
    Status,
    Tasking,
)
from twinos import Caller, fail
from twinos.errors import take_apart
from twinos.wiring import needs


class _Program(NamedTuple):
    caller: Caller
    pid: int
    peer: Peer


class Programs:
    """Starts, signals and reaps programs.

    Args:
        plan: what the system is.
        board: where to wait for their messages and ends.
        new_caller: makes a caller with these credentials.
        forget: drops, in a child, the memory that is not its own.
        superseded: told of a caller whose process is replaced by another.
        weigh: told of the priority of a caller's requests.
        provisions: the descriptors that a process gets of a user with these credentials.
    """

    def __init__(
        self,
        plan: Plan,
        board: Switchboard,
        new_caller: Callable[[Credentials], Caller],
        forget: Callable[[], None],
        superseded: Callable[[Caller], None],
        weigh: Callable[[int, int], None],
        provisions: Callable[[Credentials], tuple[int, ...]],
    ) -> None:
        self._plan = plan
        self._new_caller = new_caller
        self._board = board
        self._spares = Spares(plan, board, forget)
        self._provisions = provisions
        self._superseded = superseded
        self._weigh = weigh
        self._cradles = Cradles(board)
        self._running: dict[int, _Program] = {}  # by caller
        self._statuses: dict[int, int] = {}  # of those that have ended

    def processes(self) -> Collection[int]:
        """Those of the host that are programs' now, or will be."""
        return [*(program.pid for program in self._running.values()), *self._spares.pids]

    def handle(self, peer: Peer, number: int, ask: Tasking) -> None:
        """Do what a service asks that may: EPERM for all others."""
        services = peer.server.services if peer.server is not None else ()
        if not any(needs(service).tasks for service in services):
            raise fail(errno.EPERM)
        match ask:
            case Start():
                caller = self._new_caller((ask.uid, ask.gid, ask.groups))
                peer.answer(self._start(ask, caller), number)
            case Replace(other):
                peer.answer(self._replace(ask, self._program(other)), number)
            case Bear(parent):
                peer.answer(Granted(self._expect(self._program(parent).caller)), number)
            case Host(other):
                program = self._program(other)
                peer.answer(Started(program.caller, program.pid), number)
            case Send():
                self._signal(ask)
                peer.answer(Granted(), number)
            case Renice(other, nice):
                os.setpriority(os.PRIO_PROCESS, self._program(other).pid, nice)
                self._weigh(other, nice)
                peer.answer(Granted(), number)
            case Status():
                has_ended, answer = partial(self._has_ended, ask), partial(self._status, ask)
                self._board.answer_when(has_ended, peer, number, answer)

    def handle_forking(self, peer: Peer, parcel: Parcel, ask: Forking) -> None:
        """Do what a program asks that forks, and its child. EPERM for all others."""
        match ask:
            case Cradle(child):
                self._cradles.hand_over(peer, parcel.number, child)
            case Born():
                self._born(peer, parcel)

    def departed(self, caller: Caller) -> None:
        """A caller is gone: what it was about to fork is not born any more."""
        self._cradles.remove(caller.id)

    def _start(self, ask: Start | Replace, caller: Caller) -> Started:
        """Start a program; EAGAIN if the host has no room."""
        try:
            pid = self._bear(ask, caller)
        except OSError as error:
            raise fail(errno.EAGAIN) from error
        return Started(caller, pid)

    def _replace(self, ask: Replace, old: _Program) -> Started:
        """Start a program in the place of one that is killed, and departs without a word."""
        if old.peer not in self._board.peers:
            raise fail(errno.ESRCH)
        started = self._start(ask, old.caller)
        old.peer.callers.clear()
        self._superseded(old.caller)
        self._cradles.remove(old.caller.id)
        os.kill(old.pid, signal.SIGKILL)
        return started

    def _expect(self, parent: Caller) -> Caller:
        """Somebody whom a program is about to fork."""
        child = self._new_caller((parent.uid, parent.gid, parent.groups))
        try:
            self._cradles.make(parent.id, child)
        except OSError as error:
            raise fail(errno.EAGAIN) from error
        return child

    def _born(self, peer: Peer, parcel: Parcel) -> None:
        """A program has forked: its child is a program like any other from now on. EPERM."""
        pid = child_of_ours(parcel.descriptors[0]) if parcel.descriptors else 0
        if not pid or pid in self.processes():
            raise fail(errno.EPERM)
        caller = self._cradles.leave(peer)
        death = os.dup(parcel.descriptors[0])
        peer.introduced(parcel.descriptors.pop())
        self._enter(caller, pid, peer, death)
        peer.answer(Granted(), parcel.number)

    def _enter(self, caller: Caller, pid: int, peer: Peer, death: int) -> None:
        """A process is a program's."""
        self._running[caller.id] = _Program(caller, pid, peer)
        self._board.watch_once(death, partial(self._bury, caller.id, pid, peer))

    def _program(self, number: int) -> _Program:
        """The program of a caller. EPERM: it runs by itself; ESRCH."""
        if number in self._running:
            return self._running[number]
        others = any(number in other.callers for other in self._board.peers)
        raise fail(errno.EPERM if others else errno.ESRCH)

    def _signal(self, ask: Send) -> None:
        """Send a signal of the host: any to a program, a harmless one to whoever else asks here."""
        if ask.caller in self._running:
            os.kill(self._running[ask.caller].pid, ask.signal)  # not reaped yet: it is its own
            return
        if ask.signal == signal.SIGKILL and self._cradles.remove(ask.caller):
            return
        others = [other for other in self._board.peers if ask.caller in other.callers]
        if not others:
            raise fail(errno.ESRCH)
        if ask.signal not in {0, POKE}:
            raise fail(errno.EPERM)
        if others[0].owner:
            os.kill(self._plan.owner, ask.signal)
        elif others[0].process >= 0:
            signal.pidfd_send_signal(others[0].process, ask.signal)

    def _has_ended(self, ask: Status) -> bool:
        return ask.caller not in self._running

    def _status(self, ask: Status) -> Answer:
        """How a program ended; told once. ESRCH."""
        status = self._statuses.pop(ask.caller, None)
        return Refused(take_apart(fail(errno.ESRCH))) if status is None else Ended(status)

    def end_all(self) -> None:
        """End every program: the system shuts down."""
        self._spares.close()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        for pid in self.processes():
            os.waitpid(pid, 0)
        self._running.clear()

    def _bear(self, ask: Start | Replace, caller: Caller) -> int:
        credentials = (caller.uid, caller.gid, caller.groups)
        role = Role(ask.main, ask.name, ask.limits, caller)
        spare = self._spares.cast(role, self._provisions(credentials))
        peer = Peer(spare.connection, credentials, callers={caller.id: caller})
        peer.introduced(spare.process)
        self._board.admit(peer)
        self._enter(caller, spare.pid, peer, spare.death)
        return spare.pid

    def _bury(self, caller: int, pid: int, peer: Peer) -> None:
        """A program has ended: write down how, and hear what it said last."""
        with suppress(ChildProcessError):  # shutting down has reaped it
            _, status = os.waitpid(pid, 0)
            if caller in self._running and self._running[caller].pid == pid:  # not replaced
                del self._running[caller]
                self._statuses[caller] = os.waitstatus_to_exitcode(status)
        self._board.hear_out(peer)
