"""The nucleus: the microkernel proper, a process of one thread.

What Tanenbaum's post of 1992 says a kernel should do, and no more: it makes the channels over which
messages pass (and is not on their way), starts processes, sees them die, and starts servers again.
It holds what must outlive a server: the regions.
"""

import errno
import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from kernels.control import (
    ASKS,
    Answer,
    Asks,
    Boot,
    Connect,
    Departed,
    Departure,
    Dismiss,
    Enrol,
    Failed,
    Granted,
    Hello,
    Inquest,
    LastWords,
    Parcel,
    Ready,
    Refused,
    Serve,
    Share,
    Shutdown,
    Stop,
    Tour,
    Verdict,
    socket_pair,
    take,
)
from kernels.host import die_with_parent, name_process
from kernels.launch import close_all_but, fork, settle
from kernels.pipes import channel_pair
from kernels.server import Post, run_server
from kernels.space import create_regions, find_region, identities
from kernels.stub import Layer
from kernels.supervisor import PATIENCE, Peer, Question, Server
from twinos import Caller, Region, ServerDied, Service, WiringError, fail
from twinos.errors import take_apart
from twinos.wiring import Services, dependencies

GRACE: Final = 30.0
"""Seconds that a server has to write back at shutdown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the nucleus is to run; see `kernels.boot.boot`."""

    order: Services
    spaces: tuple[Services, ...]
    settings: Mapping[type[Service], Mapping[str, Any]]
    cpus: Sequence[int]
    counting: bool
    layers: Sequence[Layer]
    owner: int


def run_nucleus(connection: socket.socket, *plan: Any) -> int:
    """Be the kernel proper until the owner shuts the system down, or is gone."""
    close_all_but({connection.fileno()})
    settle()
    name_process("twinos:nucleus")
    nucleus = _Nucleus(connection, Plan(*plan))
    nucleus.run()
    return 0


class _Nucleus:
    def __init__(self, connection: socket.socket, plan: Plan) -> None:
        self._plan = plan
        self._named = {service.__name__: service for service in plan.order}
        self._regions = create_regions(plan.order)
        self._tally = Region.create("tally") if plan.counting else None
        self._identity = identities(plan.order)
        self._last_caller = len(plan.order)
        self._servers = [Server(space) for space in plan.spaces]
        self._server_of = {s: server for server in self._servers for s in server.services}
        self._selector = selectors.DefaultSelector()
        self._peers: list[Peer] = []
        self._questions: list[Question] = []
        self._stopping = False
        self._shutdown: tuple[Peer, int] | None = None
        self._door, self._outside = socket_pair()
        self._selector.register(self._door, selectors.EVENT_READ, self._open_door)
        self._admit(Peer(connection, frozenset(self._named), owner=True))

    def run(self) -> None:
        if self._plan.cpus:
            os.sched_setaffinity(0, self._plan.cpus)
        owner = os.pidfd_open(self._plan.owner)
        self._selector.register(owner, selectors.EVENT_READ, self._stop)
        for server in self._servers:
            self._start(server)
        while not self._stopping:
            self._turn(math.inf)
        self._shut_down()

    # The loop.

    def _turn(self, deadline: float) -> None:
        """Handle what happens until something has, or `deadline` is over."""
        for question in self._questions:
            deadline = min(deadline, question.deadline)
        wait = None if deadline == math.inf else max(deadline - time.monotonic(), 0)
        for key, _ in self._selector.select(wait):
            key.data()
        self._answer_questions()

    def _answer_questions(self) -> None:
        now = time.monotonic()
        for question in list(self._questions):
            if question.settled() or now >= question.deadline:
                self._questions.remove(question)
                question.peer.answer(question.answer(), question.number)

    def _admit(self, peer: Peer) -> None:
        peer.connection.setblocking(False)
        self._peers.append(peer)
        self._selector.register(peer.connection, selectors.EVENT_READ, partial(self._hear, peer))

    def _hear(self, peer: Peer) -> bool:
        """Handle one message of a peer; whether there was one."""
        try:
            parcel = take(peer.connection)
        except BlockingIOError:
            return False
        except EOFError:
            self._dismiss_peer(peer)
            return False
        try:
            self._handle(peer, parcel.number, ASKS.decode(parcel.message))
        except OSError as error:
            peer.answer(Refused(take_apart(error)), parcel.number)
        except msgspec.DecodeError:
            self._dismiss_peer(peer)
        finally:
            _close_all(parcel)
        return True

    def _handle(self, peer: Peer, number: int, ask: Asks) -> None:  # noqa: C901 (one arm an ask)
        match ask:
            case Connect(caller, service):
                self._connect(peer, number, caller, service)
            case Inquest(service, life):
                self._inquire(peer, number, service, life)
            case Enrol(uid, gid, groups):
                self._enrol(peer, number, uid, gid, groups)
            case Dismiss(caller):
                self._dismiss(peer, number, caller)
            case Tour() if peer.server is None:
                self._tour(peer, number)
            case Share(service, region):
                self._share(peer, number, service, region)
            case Hello(pid):
                peer.pid = pid
            case Boot() if peer.owner:
                self._when_booted(peer, number)
            case Shutdown() if peer.owner:
                self._shutdown = (peer, number)
                self._stop()
            case _ if peer.server is not None:
                _note(peer.server, ask)
            case _:
                raise fail(errno.EPERM)

    # What processes ask for.

    def _tour(self, peer: Peer, number: int) -> None:
        """Hand over what a user's process needs beside its connection."""
        tally = [] if self._tally is None else [self._tally.descriptor]
        peer.answer(Granted(), number, (self._outside.fileno(), *tally))

    def _connect(self, peer: Peer, number: int, caller: int, service: str) -> None:
        if caller not in peer.callers or service not in peer.reach:
            raise fail(errno.EPERM, service)
        server = self._server(service)
        if server.given_up:
            raise ServerDied(errno.ECONNREFUSED, f"{service} {server.verdict}")
        ours, theirs = channel_pair()
        try:
            # If it can't be told, its end closes here, and the client will ask why.
            server.order(Serve(service, peer.callers[caller]), theirs[:2])
            peer.answer(Granted(life=server.life), number, ours[:2])
        finally:
            ours.close()
            theirs.close()

    def _inquire(self, peer: Peer, number: int, service: str, life: int) -> None:
        server = self._server(service)

        def settled() -> bool:
            return server.given_up or (server.life > life and server.ready)

        def answer() -> Verdict:
            return Verdict(server.verdict if server.life > life or not server.pid else "hung up")

        self._ask_later(peer, number, settled, answer)

    def _enrol(self, peer: Peer, number: int, uid: int, gid: int, groups: tuple[int, ...]) -> None:
        if peer.server is not None:
            raise fail(errno.EPERM)
        caller = self._new_caller(uid, gid, groups)
        peer.callers[caller.id] = caller
        peer.answer(Granted(caller), number)

    def _dismiss(self, peer: Peer, number: int, caller: int) -> None:
        departed = peer.callers.pop(caller, None)
        if departed is not None:
            self._announce(departed)

        def settled() -> bool:
            return not any(caller in server.departing for server in self._servers)

        self._ask_later(peer, number, settled, Granted)

    def _share(self, peer: Peer, number: int, service: str, name: str) -> None:
        if service not in peer.reach:
            raise fail(errno.EPERM, service)
        try:
            region = find_region(self._regions, self._named[service], name)
        except WiringError as error:
            peer.answer(Refused(None, str(error)), number)
        else:
            peer.answer(Granted(), number, (region.descriptor,))

    def _open_door(self) -> None:
        """Somebody who holds the door wants a connection: a new process of a user's."""
        parcel = take(self._door)
        if parcel.descriptors:
            connection = socket.socket(fileno=parcel.descriptors.pop())
            self._admit(Peer(connection, frozenset(self._named)))
        _close_all(parcel)

    def _when_booted(self, peer: Peer, number: int) -> None:
        def failed() -> Failed | None:
            return next(filter(None, (server.boot_failure for server in self._servers)), None)

        def answer() -> Answer:
            failure = failed()
            return Refused(failure.error, failure.sentence) if failure else Granted()

        def settled() -> bool:
            return failed() is not None or all(server.ready for server in self._servers)

        self._ask_later(peer, number, settled, answer, math.inf)

    def _ask_later(
        self, peer: Peer, number: int, settled: Any, answer: Any, patience: float = PATIENCE
    ) -> None:
        deadline = time.monotonic() + patience
        self._questions.append(Question(peer, number, settled, answer, deadline))

    def _new_caller(self, uid: int, gid: int, groups: tuple[int, ...]) -> Caller:
        self._last_caller += 1
        return Caller(self._last_caller, "user", uid, gid, groups)

    def _server(self, service: str) -> Server:
        return self._server_of[self._named[service]]

    # Servers, from birth to death.

    def _start(self, server: Server) -> None:
        ask, asked = socket_pair()
        orders, ordered = socket_pair()
        nucleus = os.getpid()
        pid = fork(self._become, server, asked, ordered, nucleus)
        asked.close()
        ordered.close()
        orders.setblocking(False)
        reach = {callee.__name__ for service in server.services for callee in dependencies(service)}
        identity = {
            self._identity[service].id: self._identity[service] for service in server.services
        }
        peer = Peer(ask, frozenset(reach), identity, server)
        server.born(pid, orders, peer)
        self._admit(peer)
        death = os.pidfd_open(pid)
        self._selector.register(death, selectors.EVENT_READ, partial(self._bury, server, death))

    def _become(
        self, server: Server, ask: socket.socket, orders: socket.socket, nucleus: int
    ) -> int:
        """What a server's process does, from its first instruction on."""
        own = [region for s in server.services for region in self._regions[s].values()]
        tally = [self._tally] if self._tally is not None else []
        kept = {region.descriptor for region in own + tally}
        close_all_but(kept | {ask.fileno(), orders.fileno()})
        die_with_parent(nucleus)
        name_process(server.name)
        ask.setblocking(True)
        for region in own + tally:
            region.remap()
        plan = self._plan
        post = Post(
            services=server.services,
            settings=plan.settings,
            regions=self._regions,
            identity=self._identity,
            layers=plan.layers,
            tally=self._tally,
        )
        return run_server(post, ask, orders)

    def _bury(self, server: Server, death: int) -> None:
        """A server's process has ended: hear its last words, and start it again."""
        self._selector.unregister(death)
        os.close(death)
        peer = server.peer
        while peer in self._peers and self._hear(peer):
            pass
        server.died()
        self._dismiss_peer(peer)
        if not self._stopping and not server.given_up:
            self._start(server)

    def _announce(self, caller: Caller) -> None:
        """Tell every server that a caller is gone."""
        for server in self._servers:
            if server.order(Departed(caller)):
                server.departing.add(caller.id)

    def _dismiss_peer(self, peer: Peer | None) -> None:
        """A process has left: its callers ask no more."""
        if peer not in self._peers:
            return
        self._peers.remove(peer)
        self._selector.unregister(peer.connection)
        peer.connection.close()
        self._questions = [question for question in self._questions if question.peer is not peer]
        for caller in peer.callers.values():
            self._announce(caller)
        if peer.owner:
            self._stop()

    # The end.

    def _stop(self) -> None:
        self._stopping = True

    def _shut_down(self) -> None:
        """Stop the servers, callers before those that they call; then the programs left over."""
        for server in reversed(self._servers):
            server.order(Stop())
            self._await_death(server, time.monotonic() + GRACE)
            server.kill()
            self._await_death(server, math.inf)
        for peer in self._peers:
            if peer.pid:
                with suppress(ProcessLookupError):
                    os.kill(peer.pid, signal.SIGKILL)
        if self._shutdown is not None:
            peer, number = self._shutdown
            failed = next(filter(None, (server.failure for server in self._servers)), None)
            answer = Refused(failed.error, failed.sentence) if failed else Granted()
            peer.answer(answer, number)

    def _await_death(self, server: Server, deadline: float) -> None:
        while server.pid and time.monotonic() < deadline:
            self._turn(deadline)


def _note(server: Server, ask: Asks) -> None:
    """Take down what a server says of itself."""
    match ask:
        case Ready():
            server.ready, server.failure = True, None
        case Failed():
            server.failure = ask
        case LastWords(sentence):
            server.last_words = sentence
        case Departure(caller):
            server.departing.discard(caller)
        case _:
            raise fail(errno.EPERM)


def _close_all(parcel: Parcel) -> None:
    for descriptor in parcel.descriptors:
        os.close(descriptor)
