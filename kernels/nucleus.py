"""The nucleus: the microkernel proper, a process of one thread.

What Tanenbaum's post of 1992 says a kernel should do, and no more: it makes the channels over which
messages pass (and is not on their way), starts processes, sees them die, and starts servers again.
It holds what must outlive a server: the regions.
"""

import errno
import math
import os
import socket
from itertools import count
from typing import Any, Final

from kernels.asking import Answer
from kernels.control import (
    Asks,
    Become,
    Boot,
    Connect,
    Dismiss,
    Enrol,
    Forking,
    Granted,
    Hello,
    Inquest,
    Lines,
    OpenMailbox,
    Panicked,
    Refused,
    Report,
    Reported,
    Share,
    Shutdown,
    Tour,
    Update,
)
from kernels.doors import Doors
from kernels.hardware import Devices
from kernels.host import adopt_orphans, close_to_others, name_process, open_many, switches_of_ended
from kernels.launch import close_all_but, settle
from kernels.orders import Serve
from kernels.parcels import Parcel, close_all
from kernels.peers import Credentials, Peer, outcome
from kernels.plan import Plan
from kernels.postoffice import PostOffice
from kernels.programs import Programs
from kernels.records import Server
from kernels.regions import find_region
from kernels.relay import Relay
from kernels.supervisor import Supervisor
from kernels.switchboard import Switchboard
from kernels.tasking import Tasking
from kernels.transports import TRANSPORTS
from twinos import Caller, ServerDied, WiringError, fail
from twinos.errors import take_apart
from twinos.privileges import role, unmappable
from twinos.wiring import may_map, privileges, users_privileges

MOST_CALLERS: Final = 1024
"""Callers that may live in one process."""


def run_nucleus(connection: socket.socket, *plan: Any) -> int:
    """Be the kernel proper until the owner shuts the system down, or is gone."""
    settle()
    close_all_but({connection.fileno()})
    name_process("twinos:nucleus")
    adopt_orphans()
    open_many()  # a channel takes two in a server
    if Plan(*plan).sandbox:
        close_to_others()  # and so are the processes that it will start
    _Nucleus(connection, Plan(*plan)).run()
    return 0


class _Nucleus:
    """Answers what processes ask; the switchboard hears them, the supervisor keeps the servers."""

    def __init__(self, connection: socket.socket, plan: Plan) -> None:
        self._plan = plan
        transport = TRANSPORTS[plan.transport]
        self._board = Switchboard(self._handle, self._left)
        self._ends = Relay(self._board).ends if transport.routed else transport.ends
        self._supervisor = Supervisor(plan, self._board)
        self._named = {service.__name__: service for service in plan.order}
        self._server_of = {
            s: server for server in self._supervisor.servers for s in server.services
        }
        self._last_caller = len(plan.order)
        self._next_channel = count(1).__next__
        self._stopping = False
        self._shutdown: tuple[Peer, int] | None = None
        self._doors = Doors(self._board, self._supervisor.tally)
        self._post_office = PostOffice(self._board, plan.order)
        self._programs = Programs(
            plan,
            self._board,
            self._new_caller,
            self._supervisor.forget,
            self._post_office.close_those_of,
            self._supervisor.queues.weigh,
            self._doors.provisions,
        )
        driver_of, interrupt = self._supervisor.identity, self._post_office.interrupt
        self._devices = Devices(self._board, plan.order, lambda each: interrupt(driver_of[each]))
        self._board.admit(Peer(connection, owner=True))

    def run(self) -> None:
        if self._plan.cpus:
            os.sched_setaffinity(0, self._plan.cpus)
        self._board.watch_once(os.pidfd_open(self._plan.owner), self._stop)
        self._supervisor.listen(self._programs.processes)
        self._supervisor.start_all()
        while not self._stopping:
            self._board.turn()
        self._programs.end_all()
        failure = self._supervisor.stop_all()
        self._programs.end_all()  # those that were started or born meanwhile
        for peer in self._board.peers:
            peer.kill()
        if self._shutdown is not None:
            peer, number = self._shutdown
            peer.answer(outcome(failure), number)

    def _stop(self) -> None:
        self._stopping = True

    def _left(self, peer: Peer) -> None:
        """A process has left: its callers ask no more."""
        for caller in peer.callers.values():
            self._post_office.close_those_of(caller)
            self._programs.departed(caller)
            self._supervisor.announce(caller)
        if peer.owner:
            self._stop()

    def _handle(self, peer: Peer, parcel: Parcel, ask: Asks) -> None:
        panic = self._supervisor.panic
        if panic and not isinstance(ask, Shutdown):
            peer.answer(Panicked(panic), parcel.number)
        elif isinstance(ask, Hello):
            if peer.server is None and parcel.descriptors:
                peer.introduced(parcel.descriptors.pop())
        elif isinstance(ask, Report | Become | Update) and peer.server is None:
            self._attend(peer, parcel.number, ask)
        elif isinstance(ask, Tasking):
            self._programs.handle(peer, parcel.number, ask)
        elif isinstance(ask, Forking):
            self._programs.handle_forking(peer, parcel, ask)
        elif isinstance(ask, Lines):
            self._devices.handle(peer, parcel.number, ask)
        elif isinstance(ask, OpenMailbox):
            self._open_mailbox(peer, parcel.number, ask)
        else:
            self._reply(peer, parcel.number, ask)

    def _attend(self, peer: Peer, number: int, ask: Report | Become | Update) -> None:
        match ask:
            case Report():
                self._report(peer, number)
            case Become(uid, gid, groups):
                self._become(peer, number, (uid, gid, groups))
            case Update(service):
                self._supervisor.updates.begin(peer, number, self._server(service), ask)

    def _reply(self, peer: Peer, number: int, ask: Asks) -> None:
        match ask:
            case Connect(caller, service):
                self._connect(peer, number, caller, service)
            case Inquest(caller, service, life):
                self._inquire(peer, number, caller, service, life)
            case Enrol(uid, gid, groups):
                self._enrol(peer, number, (uid, gid, groups))
            case Dismiss(caller):
                self._dismiss(peer, number, caller)
            case Tour() if peer.server is None:
                self._tour(peer, number)
            case Share(caller, service, region):
                self._share(peer, number, caller, service, region)
            case Boot() if peer.owner:
                self._when_booted(peer, number)
            case Shutdown() if peer.owner:
                self._shutdown = (peer, number)
                self._stop()
            case _ if peer.server is not None:
                self._supervisor.note(peer.server, ask)
            case _:
                raise fail(errno.EPERM)

    def _report(self, peer: Peer, number: int) -> None:
        statuses = tuple(server.status() for server in self._supervisor.servers)
        interrupts, log = tuple(self._devices.counts.items()), tuple(self._supervisor.log)
        passages = self._supervisor.queues.passages()
        answer = Reported(statuses, log, interrupts, passages, switches_of_ended())
        peer.answer(answer, number)

    def _tour(self, peer: Peer, number: int) -> None:
        """Hand over what a user's process needs beside its connection."""
        peer.answer(Granted(), number, self._doors.provisions(peer.credentials))

    def _connect(self, peer: Peer, number: int, caller: int, service: str) -> None:
        allowed = self._allowed(peer, caller, service)
        if not allowed:
            raise fail(errno.EPERM, service)
        server = self._server(service)
        if server.given_up:
            raise ServerDied(errno.ECONNREFUSED, f"{service} {server.verdict}")
        ours, theirs = self._ends()
        try:
            # If it can't be told, its end closes here, and the client will ask why.
            channel = self._next_channel() if server.survives else 0
            order = Serve(service, peer.callers[caller], tuple(sorted(allowed)), channel)
            server.order(order, theirs)
            peer.answer(Granted(life=server.life, channel=channel), number, ours)
        finally:
            close_all(ours + theirs)

    def _allowed(self, peer: Peer, caller: int, service: str) -> frozenset[str]:
        """The operations of a service that somebody may call who says it lives there."""
        if caller not in peer.callers or service not in self._named:
            return frozenset()
        who, callee = role(peer.callers[caller]), self._named[service]
        if who in self._named:
            return privileges(self._named[who], callee)
        return users_privileges(who, callee)

    def _inquire(self, peer: Peer, number: int, caller: int, service: str, life: int) -> None:
        if not self._allowed(peer, caller, service):
            raise fail(errno.EPERM, service)
        server = self._server(service)

        def settled() -> bool:
            done = server.given_up or server.retired or server.crowds[caller] > 0
            return done or (server.life > life and server.ready) or bool(self._supervisor.panic)

        def answer() -> Answer:
            if self._supervisor.panic:
                return Panicked(self._supervisor.panic)
            if server.turned_away(caller):
                return Refused(take_apart(fail(errno.EAGAIN)))
            return server.judged(life)

        self._board.answer_when(settled, peer, number, answer)

    def _enrol(self, peer: Peer, number: int, credentials: Credentials) -> None:
        if not peer.may_be(credentials):
            raise fail(errno.EPERM)
        if len(peer.callers) >= MOST_CALLERS:
            raise fail(errno.EAGAIN)
        caller = self._new_caller(credentials)
        peer.callers[caller.id] = caller
        peer.answer(Granted(caller), number)

    def _new_caller(self, credentials: Credentials) -> Caller:
        self._last_caller += 1
        return Caller(self._last_caller, "user", *credentials)

    def _become(self, peer: Peer, number: int, credentials: Credentials) -> None:
        if not peer.may_be(credentials):
            raise fail(errno.EPERM)
        peer.credentials = credentials
        peer.answer(Granted(), number)

    def _dismiss(self, peer: Peer, number: int, caller: int) -> None:
        departed = peer.callers.pop(caller, None)
        if departed is not None:
            self._post_office.close_those_of(departed)
            self._supervisor.announce(departed)

        def settled() -> bool:
            return not self._supervisor.is_departing(caller)

        self._board.answer_when(settled, peer, number, Granted)

    def _share(self, peer: Peer, number: int, caller: int, service: str, name: str) -> None:
        if caller not in peer.callers or service not in self._named:
            raise fail(errno.EPERM, service)
        try:
            region = find_region(self._supervisor.regions, self._named[service], name)
        except WiringError as error:
            peer.answer(Refused(None, str(error)), number)
            return
        if not may_map(peer.callers[caller], self._named[service], name):
            raise unmappable(peer.callers[caller], service, name)
        region.seal()
        peer.answer(Granted(), number, (region.descriptor,))

    def _open_mailbox(self, peer: Peer, number: int, ask: OpenMailbox) -> None:
        if ask.caller not in peer.callers or ask.sockets not in {1, 2}:
            raise fail(errno.EPERM)
        caller = peer.callers[ask.caller]
        endpoint, descriptors = self._post_office.open(
            caller, ask.name, ask.sockets, driver=peer.server is not None and ask.sockets == 1
        )
        peer.answer(Granted(endpoint=endpoint), number, tuple(descriptors))
        close_all(descriptors)

    def _when_booted(self, peer: Peer, number: int) -> None:
        def settled() -> bool:
            return self._supervisor.failure() is not None or self._supervisor.all_ready()

        def answer() -> Answer:
            return outcome(self._supervisor.failure())

        self._board.answer_when(settled, peer, number, answer, math.inf)

    def _server(self, service: str) -> Server:
        return self._server_of[self._named[service]]
