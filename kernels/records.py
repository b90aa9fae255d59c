"""What the nucleus keeps account of for each server, through all of its lives."""

import errno
import os
import signal
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kernels.control import Failed, Verdict
from kernels.orders import Departed, Order, Stop
from kernels.parcels import post
from kernels.status import ServerStatus
from kernels.version import Code
from twinos import Caller, ServerDied, Supervision
from twinos.errors import take_apart
from twinos.wiring import Services

if TYPE_CHECKING:
    from kernels.peers import Peer
    from kernels.update import Update

MOST_FAILED_STARTS: Final = 5
"""After so many starts in a row that failed, a server is not started again."""
YOUNG: Final = 1.0
"""Seconds; a server that dies earlier dies young."""
REST: Final = 0.1
"""Seconds until something that the host had no room for is tried again."""
PATIENCE: Final = 1.0
"""Seconds until a question about a server is answered with what is known."""

_HUNG: Final = "hung: "
STOPPED: Final = f"{_HUNG}stopped"


@dataclass(eq=False)
class Server:
    """A space's process, through all of its lives.

    Attributes:
        services: what it holds.
        policy: when it is started again, and when it counts as hung.
        life: how many processes it has had; 0 before the first.
        pid: the present one, 0 between lives.
        orders: where to tell it what to do.
        ready: whether its services are built.
        retired: whether the system is done with it: it is not started any more.
        stopping: whether it has been told to stop, and has not.
        crashed: whether it died while it was to stop.
        verdict: why the last life ended.
        last_words: what this life said of its end.
        failure: why its services could not be built, or stopped.
        failed_starts: lives in a row that never became ready.
        departing: callers that are gone, by id, for which it may still keep something.
        unsaid: those of them of which it could not be told yet.
        crowds: requests of callers that were turned away, since they have enough under way.
        born_at: when this life began, in seconds of the monotonic clock.
        young_deaths: lives in a row that were short.
        deaths: when it died lately, in seconds of the monotonic clock.
        given_up: whether it is not started any more.
        survives: whether its service's state survives it.
        fault: whether the last life ended by its own fault: nobody killed or stopped it.
        code: what it runs in place of its services' own classes; None: those.
        update: the one that is under way, or was last.
        replaced: whether this life ends so that other code can take its place.
        asked: whether it was asked for a sign of life that has not come.
        owed: for how many beats.
    """

    services: Services
    policy: Supervision
    life: int = 0
    pid: int = 0
    orders: socket.socket | None = None
    peer: "Peer | None" = None
    ready: bool = False
    retired: bool = False
    stopping: bool = False
    crashed: bool = False
    verdict: str = "has not started"
    last_words: str = ""
    failure: Failed | None = None
    failed_starts: int = 0
    departing: dict[int, Caller] = field(default_factory=dict)
    unsaid: list[Caller] = field(default_factory=list)
    crowds: Counter[int] = field(default_factory=Counter)
    born_at: float = 0.0
    young_deaths: int = 0
    deaths: deque[float] = field(default_factory=deque)
    given_up: bool = False
    asked: bool = False
    owed: int = 0
    survives: bool = False
    fault: bool = False
    code: Code | None = None
    update: "Update | None" = None
    replaced: bool = False

    @property
    def name(self) -> str:
        """Its services' names."""
        return "+".join(service.__name__ for service in self.services)

    @property
    def lasting_failure(self) -> Failed | None:
        """Why it could not be started, or stopped, and will not be."""
        if self.failure is None and self.given_up:
            return Failed(None, f"{self.name} {self.verdict}")
        return self.failure

    def born(self, pid: int, orders: socket.socket, peer: "Peer") -> None:
        """A new life begins."""
        self.life += 1
        self.pid, self.orders, self.peer = pid, orders, peer
        self.ready, self.replaced, self.last_words = False, False, ""
        self.born_at = time.monotonic()
        self.asked = False

    def replaced_by(self, candidate: "Server") -> None:
        """A new life begins: the one that was the candidate's."""
        pid, orders, peer = candidate.pid, candidate.orders, candidate.peer
        candidate.pid, candidate.orders, candidate.peer = 0, None, None
        assert orders is not None, "it has not died"  # noqa: S101 (an invariant)
        assert peer is not None, "it has not died"  # noqa: S101 (an invariant)
        self.given_up, self.young_deaths, self.failed_starts = False, 0, 0
        peer.server = self
        self.born(pid, orders, peer)

    @property
    def next_code(self) -> Code | None:
        """What the next life runs."""
        if self.update is not None and self.update.on_trial:
            return self.update.code
        return self.code

    def unloadable(self, why: str) -> None:
        """Its code can't be had: what it ran before takes its place."""
        self.failure = Failed(None, why)
        self.code = None

    def stillborn(self, error: OSError) -> None:
        """The host has no room for a new life."""
        self.verdict = f"could not be started: {error}"
        self._start_failed()

    def _start_failed(self) -> None:
        self.failed_starts += 1
        self.given_up = self.given_up or self.failed_starts >= MOST_FAILED_STARTS

    @property
    def rest(self) -> float:
        """Seconds to let pass before the next life: none, unless it keeps dying young."""
        return self.policy.pause(self.young_deaths)

    def died(self) -> None:
        """The process has ended: reap it and write down why."""
        _, status = os.waitpid(self.pid, 0)
        failed = self.failure.sentence if self.failure and not self.ready else ""
        self.crashed = self.stopping and not self.failure and bool(status)
        if self.crashed:
            reason = self.last_words or cause_of_death(status)
            died = ServerDied(errno.ECONNRESET, f"{self.name} died when it was to stop: {reason}")
            self.failure = Failed(take_apart(died), str(died))
        self.fault = status != signal.SIGKILL or self.last_words not in {"", STOPPED}
        self.verdict = f"died: {self.last_words or failed or cause_of_death(status)}"
        if self.replaced:
            self.verdict = "was replaced"
        if self.ready:
            self.failed_starts = 0
        else:
            self._start_failed()
        if self.orders is not None:
            self.orders.close()
        self.pid, self.orders, self.peer, self.ready = 0, None, None, False
        self.crowds.clear()
        if not self.survives:
            self.departing.clear()
        self.unsaid = list(self.departing.values())
        if not self.replaced:
            self._count_death(time.monotonic())

    def _count_death(self, now: float) -> None:
        self.young_deaths = self.young_deaths + 1 if now - self.born_at < YOUNG else 0
        self.deaths.append(now)
        while now - self.deaths[0] > self.policy.within:
            self.deaths.popleft()
        if len(self.deaths) >= self.policy.most:
            self.given_up = True
            self.verdict += f" ({len(self.deaths)} times in {self.policy.within:g} s: given up)"

    def judged(self, life: int) -> Verdict:
        """What became of a life, or of one channel to it."""
        if self.life > life or not self.pid:
            return Verdict(self.verdict, not self.given_up, self.fault)
        return Verdict("hung up")

    def turned_away(self, caller: int) -> bool:
        """Whether it has turned a request of this caller away; each is told of once."""
        if not self.crowds[caller]:
            return False
        self.crowds[caller] -= 1
        return True

    def dismiss(self, caller: Caller) -> None:
        """Tell it that a caller is gone, now or, when it does not listen, by `tell_rest`."""
        self.crowds.pop(caller.id, None)
        if self.pid or self.survives:
            self.departing[caller.id] = caller
            self.unsaid.append(caller)
            self.tell_rest()

    def tell_rest(self) -> bool:
        """Say what could not be said; whether nothing is left to say."""
        while self.unsaid and self.order(Departed(self.unsaid[0])):
            self.unsaid.pop(0)
        return not self.unsaid

    def order(self, order: Order, descriptors: tuple[int, ...] = ()) -> bool:
        """Tell it to do something; whether it could be told."""
        if self.orders is None:
            return False
        try:
            post(self.orders, order, descriptors)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Tell it to write back and end."""
        self.retired, self.stopping, self.failure = True, bool(self.pid), None
        if self.orders:
            self.orders.settimeout(PATIENCE)  # it may have much to hear before this
        self.order(Stop())

    def kill(self) -> None:
        """End the present life."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def hung(self, why: str) -> None:
        """End the present life, which does nothing any more."""
        self.last_words = f"{_HUNG}{why}"
        self.kill()

    def is_stopped(self) -> bool:
        """Whether somebody has stopped the process (SIGSTOP)."""
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        try:
            return bool(self.pid) and os.waitid(os.P_PID, self.pid, options) is not None
        except ChildProcessError:  # it is dead
            return False

    def status(self) -> ServerStatus:
        """How it is."""
        if self.ready:
            state = "running"
        elif self.pid:
            state = "starting"
        else:
            state = "given up" if self.given_up else "resting"
        return ServerStatus(
            services=tuple(service.__name__ for service in self.services),
            state=state,
            pid=self.pid,
            restarts=max(self.life - 1, 0),
            uptime=time.monotonic() - self.born_at if self.pid else 0.0,
            verdict=self.verdict if self.life > 1 or not self.pid else "",
        )


def cause_of_death(status: int) -> str:
    """A wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
