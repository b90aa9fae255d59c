"""Supervision: servers are started, seen to die, and started again."""

import errno
import math
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from typing import Final

from kernels.control import (
    Asks,
    Crowded,
    Departure,
    Failed,
    LastWords,
    Pong,
    Ready,
)
from kernels.host import bury_strangers, die_with_parent, hear_no_children, name_process
from kernels.launch import close_all_but, fork
from kernels.parcels import socket_pair
from kernels.peers import Peer
from kernels.plan import Plan
from kernels.pulse import Pulse
from kernels.queues import Queues
from kernels.records import REST, Server
from kernels.regions import create_regions, identities
from kernels.server import Post, run_server
from kernels.status import Event
from kernels.switchboard import Switchboard
from kernels.updates import Updates
from twinos import Caller, Region, Supervision, fail
from twinos.supervision import most_patient
from twinos.wiring import Services, needs

EVENTS: Final = 200
"""What the log holds: of older events nothing is known."""
LAST_LIVES: Final = 2
"""How often a server that dies while it stops is started again to stop."""


class Supervisor:
    """The servers of a system, and the regions that outlive them.

    Args:
        plan: what to run.
        board: where to wait for the servers' messages and deaths.

    Attributes:
        regions: the memory that services are given.
        tally: the table of counts, if messages are counted.
        queues: at the gates, if a scheduler decides there.
        servers: callees first.
        log: what has happened to them lately.
        updates: of their code.
        identity: who each service is.
        panic: why the monolithic kernel's one space died, if it has.
    """

    def __init__(self, plan: Plan, board: Switchboard) -> None:
        self.regions = create_regions(plan.order)
        self.tally = Region.create("tally") if plan.counting else None
        self.servers = [
            Server(space, _policy(space), survives=survives(space, stable=plan.stable))
            for space in plan.spaces
        ]
        self.identity = identities(plan.order)
        self.queues = Queues(plan.scheduler, plan.spaces, self.identity)
        self.log: deque[Event] = deque(maxlen=EVENTS)
        self._pulse = Pulse(self.servers, board)
        more = (self._bear, self._seat, self._note)
        self.updates = Updates(self.servers, board, *more, panics=plan.panics)
        self._plan = plan
        self._board = board
        self.panic = ""

    def start_all(self) -> None:
        """Start every server, callees first; they need not be ready to be called."""
        for server in self.servers:
            self._start(server)
        if not self._plan.panics:  # nobody watches over a monolithic kernel
            self._pulse.feel()

    def listen(self, programs: Callable[[], Collection[int]]) -> None:
        """Hear at once when a server is stopped; a death is seen by its pidfd.

        Args:
            programs: tells the other children. Whoever else is one was adopted.
        """
        heard, rung = socket.socketpair()  # outlive this: the signal handler writes there
        for end in (heard, rung):
            end.setblocking(False)

        def look() -> None:
            heard.recv(1024)
            if not self._plan.panics:
                self._pulse.look_for_stopped()
            ours = [*self.servers, *self.updates.candidates()]
            bury_strangers({*programs(), *(server.pid for server in ours)})

        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(rung.detach(), warn_on_full_buffer=False)
        self._board.watch(heard, look)

    def note(self, server: Server, news: Asks) -> None:
        """Take down what a server says of itself. EPERM: it may not say that."""
        match news:
            case Ready():
                server.ready, server.failure = True, None
            case Failed():
                server.failure = news
            case LastWords(sentence):
                server.last_words = sentence
            case Pong(busy):
                server.asked = False
                if busy > server.policy.hang:
                    server.hung(f"was at one request for {busy:.1f} s")
            case Crowded(caller):
                server.crowds[caller] += 1
            case Departure(caller):
                server.departing.pop(caller, None)
            case _ if server.update is None:
                raise fail(errno.EPERM)
        if server.update is not None:
            server.update.heard(server, news)

    def _seat(self, server: Server, candidate: Server) -> None:
        server.replaced_by(candidate)
        if server.peer is not None:
            server.peer.callers = self._callers(server)
        self._note(server, f"started, life {server.life}, with the code of {candidate.code}")

    def stop_all(self) -> Failed | None:
        """Stop every server, callers before those that they call; which one failed to, if any.

        Who is called must live until its turn comes: it is started again even now.
        """
        for candidate in self.updates.abandon():
            self._await_death(candidate, math.inf)
        for server in reversed(self.servers):
            self._stop(server)
            for _ in range(LAST_LIVES):
                if not server.crashed or self._plan.panics:
                    break
                server.retired = False
                self._start(server)  # what it has not written back, its next life may
                self._stop(server)
        return next(filter(None, (server.failure for server in self.servers)), None)

    def _stop(self, server: Server) -> None:
        is_new = server.life == 1 and not server.ready  # it has nothing to write back yet
        server.stop()
        self._await_death(server, time.monotonic() + (0.0 if is_new else self._plan.grace))
        if server.pid:
            server.kill()
            self._await_death(server, math.inf)
            server.crashed = False

    def failure(self) -> Failed | None:
        """Why a server could not be started, if one could not."""
        return next(filter(None, (server.lasting_failure for server in self.servers)), None)

    def all_ready(self) -> bool:
        """Whether every server's services are built."""
        return all(server.ready for server in self.servers)

    def announce(self, caller: Caller) -> None:
        """Tell every server that a caller is gone."""
        for server in self.servers:
            server.dismiss(caller)
        self._tell_rest()

    def _tell_rest(self) -> None:
        told = [server.tell_rest() for server in self.servers]
        if not all(told):
            self._board.after(REST, self._tell_rest)

    def is_departing(self, caller: int) -> bool:
        """Whether a server has yet to free what it kept for a caller that is gone."""
        return any(caller in server.departing for server in self.servers)

    def forget(self) -> None:
        """In a child that is no server: let go of the memory of all of them."""
        for regions in self.regions.values():
            for region in regions.values():
                region.close()
        for region in filter(None, (self.tally, self.queues.region)):
            region.close()

    def _start(self, server: Server) -> None:
        """Start a server, or try again a little later if the host has no room for it."""
        if server.retired or server.pid:
            return
        try:
            self._bear(server)
            self._note(server, "started" if server.life == 1 else f"started, life {server.life}")
        except OSError as error:
            server.stillborn(error)
            if not server.given_up:
                self._board.after(REST, partial(self._start, server))

    def _bear(self, server: Server) -> None:
        with ExitStack() as undo:
            ask, asked = map(undo.enter_context, socket_pair())
            orders, ordered = map(undo.enter_context, socket_pair())
            pid = fork(self._become, server, asked, ordered, os.getpid())
            try:
                death = os.pidfd_open(pid)
            except OSError:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise
            asked.close()
            ordered.close()
            undo.pop_all()
        orders.setblocking(False)
        peer = Peer(ask, callers=self._callers(server), server=server)
        server.born(pid, orders, peer)
        self._board.admit(peer)
        self._board.watch_once(death, partial(self._bury, peer))

    def _callers(self, server: Server) -> dict[int, Caller]:
        """As whom a server calls others; as nobody, as long as it is but a candidate."""
        if server not in self.servers:
            return {}
        return {self.identity[each].id: self.identity[each] for each in server.services}

    def _become(
        self, server: Server, ask: socket.socket, orders: socket.socket, nucleus: int
    ) -> int:
        """What a server's process does, from its first instruction on."""
        own = [region for service in server.services for region in self.regions[service].values()]
        tally = [each for each in (self.tally, self.queues.region) if each is not None]
        kept = {each for region in own + tally for each in region.descriptors}
        hear_no_children()
        close_all_but(kept | {ask.fileno(), orders.fileno()})
        die_with_parent(nucleus)
        name_process(server.name)
        for region in own + tally:
            region.remap()
        post = Post(
            services=server.services,
            settings=self._plan.settings,
            regions=self.regions,
            identity=self.identity,
            layers=self._plan.layers,
            tally=self.tally,
            transport=self._plan.transport,
            sandbox=self._plan.sandbox,
            requests=self._plan.requests,
            seat=self.queues.seat(self._plan.spaces.index(server.services)),
            survives=server.survives,
            fault=server.fault,
            code=server.next_code,
            on_trial=server not in self.servers or bool(server.update and server.update.on_trial),
            waits=server not in self.servers,
            beat=self._pulse.beat,
        )
        return run_server(post, ask, orders)

    def _bury(self, peer: Peer) -> None:
        """A server's process has ended: hear its last words, and start it again."""
        server = peer.server
        assert server is not None, "it was born as one"  # noqa: S101 (an invariant)
        self._board.hear_out(peer)
        was_ready = server.ready
        server.died()
        is_candidate = server not in self.servers
        self._note(server, f"new code {server.verdict}" if is_candidate else server.verdict)
        if server.update is not None and server.update.buried(server):
            pass  # it has another life already, or is to have none
        elif self._plan.panics and was_ready and not server.retired:
            words = server.last_words
            self.panic = "kernel panic" + (f" {words}" if words else server.verdict[len("died") :])
        elif not server.given_up and server.rest:
            self._board.after(server.rest, partial(self._start, server))
        elif not server.given_up:
            self._start(server)
        self._tell_rest()

    def _note(self, server: Server, what: str) -> None:
        self.log.append(Event(time.time(), server.name, what))

    def _await_death(self, server: Server, deadline: float) -> None:
        while server.pid and time.monotonic() < deadline:
            self._board.turn(deadline)


def survives(services: Services, *, stable: bool) -> bool:
    """Whether the state of an address space survives it: of one service that has a journal."""
    return stable and len(services) == 1 and bool(needs(services[0]).journal)


def _policy(services: Services) -> Supervision:
    return most_patient(service.__supervision__ for service in services)
