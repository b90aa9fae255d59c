"""Mail: how a user's address space gets at MINIX's primitives under each kernel.

Under the monolithic kernel the rendezvous is an object beside the services, entered as they are
through a gate of its own. Under the microkernel it is in the kernel proper, and each party has a
socket to it: one primitive one way, one outcome the other, so a message goes through the kernel.
"""

import math
import queue
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from kernels.forks import running
from kernels.headroom import with_room
from kernels.parcels import post, take
from kernels.party import Party
from kernels.rendezvous import Rendezvous
from kernels.source import GATE, function
from kernels.system import LeftError
from twinos import Caller
from twinos.letters import OUTCOMES, Arrived, Outcomes, Primitives, Receive, Withdraw
from twinos.message import ANY, Endpoint
from twinos.wiring import Services, may_talk

Refusal = Callable[[], Exception]


def say_circle(circle: str) -> None:
    """Print a circle of waiters that was not closed: it is a bug in one of their programs."""
    print(f"twinos: deadlock: {circle}", file=sys.stderr, flush=True)  # noqa: T201 (as MINIX does)


class _Late:
    """Outcomes of primitives that were interrupted: what came all the same is not lost."""

    def __init__(self) -> None:
        self._arrived: deque[Arrived] = deque()

    def keep(self, primitive: Primitives | None, outcome: Outcomes) -> None:
        """Of an interrupted `receive`, keep what it would have got."""
        if isinstance(primitive, Receive) and isinstance(outcome, Arrived):
            self._arrived.append(outcome)

    def take(self, primitive: Primitives) -> Arrived | None:
        """What has been kept and is asked for now."""
        for outcome in self._arrived:
            if isinstance(primitive, Receive) and primitive.source in {ANY, outcome.source}:
                self._arrived.remove(outcome)
                return outcome
        return None


class LocalOffice:
    """The rendezvous of a monolithic kernel.

    Args:
        order: the services of the system, which say who may talk to whom.
    """

    def __init__(self, order: Services) -> None:
        self._lock = threading.Lock()
        rendezvous = Rendezvous(partial(may_talk, order), say_circle)
        self._enter = rendezvous.enter
        self._leave = rendezvous.leave
        self._ask = self._entry(rendezvous.ask)
        self._counters: list[LocalCounter] = []

    def open(self, caller: Caller, name: str) -> "LocalCounter":
        """A new party."""
        with self._lock:
            counter = LocalCounter(self._enter(name, caller), self._ask, self)
            self._counters.append(counter)
        return counter

    def open_twice(self, caller: Caller, name: str) -> "tuple[LocalCounter, LocalCounter]":
        """A new party that receives and does other things at the same time."""
        counter = self.open(caller, name)
        return counter, counter

    def leave(self, counter: "LocalCounter", party: Party) -> None:
        """A party is gone."""
        with self._lock, suppress(ValueError):
            self._counters.remove(counter)
            self._leave(party)

    def close_those_of(self, caller: Caller) -> None:
        """A caller is gone, with all of its mailboxes."""
        for counter in [c for c in self._counters if c.caller == caller]:
            counter.close()

    def close(self, reason: Refusal) -> None:
        """All are gone, for this reason."""
        for counter in list(self._counters):
            counter.close(reason)

    def abandon(self, reason: Refusal) -> None:
        """Be of no use in a child process; whoever held the lock does not exist there."""
        for counter in self._counters:
            counter.closed = reason

    def _entry(self, inner: Callable[..., None]) -> Callable[..., None]:
        """`inner` with the lock held; a function of a gate, so Ctrl-C does not tear it."""
        names = {"_enter": self._lock.acquire, "_leave": self._lock.release, "_inner": inner}
        body = "_enter()\ntry:\n    _inner(party, primitive, told)\nfinally:\n    _leave()"
        return function("ask", ["party", "primitive", "told"], body, names, kind=GATE)


class LocalCounter:
    """See `twinos.mailbox.Counter`."""

    def __init__(self, party: Party, ask: Callable[..., None], office: LocalOffice) -> None:
        self.endpoint = party.endpoint
        self.caller = party.caller
        self.closed: Refusal | None = None
        self._party = party
        self._ask = ask
        self._office = office
        self._late = _Late()

    def ask(self, primitive: Primitives, timeout: float | None) -> Outcomes:
        """What comes of it."""
        if self.closed is not None:
            raise self.closed()
        outcome = self._late.take(primitive) or with_room(self._wait, primitive, timeout)
        if self.closed is not None:
            raise self.closed()
        return outcome

    def _wait(self, primitive: Primitives, timeout: float | None) -> Outcomes:
        outcomes: queue.SimpleQueue[Outcomes] = queue.SimpleQueue()
        try:
            self._ask(self._party, primitive, outcomes.put)
            return outcomes.get(timeout=timeout)
        except queue.Empty:
            self._ask(self._party, Withdraw(), outcomes.put)
            return outcomes.get()
        except BaseException:
            self._ask(self._party, Withdraw(), outcomes.put)
            with suppress(queue.Empty):
                self._late.keep(primitive, outcomes.get_nowait())
            raise

    def close(self, reason: Refusal = LeftError) -> None:
        """Leave, and have whoever asks from now on told this."""
        self.closed = self.closed or reason
        self._office.leave(self, self._party)


class SocketCounter:
    """See `twinos.mailbox.Counter`.

    Args:
        endpoint: the party's.
        connection: leads to the kernel. The counter owns it.
        gone: what to raise when the kernel is gone.
    """

    def __init__(self, endpoint: Endpoint, connection: socket.socket, gone: Refusal) -> None:
        self.endpoint = endpoint
        self._connection = connection
        self._gone = gone
        self._closed: Refusal | None = None
        self._turn = threading.Lock()
        self._asked: dict[int, Primitives] = {}
        self._number = 0
        self._late = _Late()
        running.add(self)

    def ask(self, primitive: Primitives, timeout: float | None) -> Outcomes:
        """What comes of it."""
        if self._closed is not None:
            raise self._closed()
        with self._turn:
            arrived = self._late.take(primitive)
            if arrived is not None:
                return arrived
            try:
                return self._exchange(primitive, timeout)
            except (EOFError, OSError):
                raise self._why_not() from None

    @property
    def is_closed(self) -> bool:
        """Whether it has left."""
        return self._closed is not None

    def _why_not(self) -> Exception:
        return self._gone() if self._closed is None else self._closed()

    def _exchange(self, primitive: Primitives, timeout: float | None) -> Outcomes:
        self._number += 1
        self._asked[self._number] = primitive
        try:
            post(self._connection, primitive, number=self._number)
            return self._outcome(math.inf if timeout is None else time.monotonic() + timeout)
        except BaseException:
            with suppress(OSError):
                post(self._connection, Withdraw(), number=self._number)
            raise

    def _outcome(self, deadline: float) -> Outcomes:
        while True:
            if not self._comes_until(deadline):
                post(self._connection, Withdraw(), number=self._number)
                deadline = math.inf
            parcel = take(self._connection)
            outcome: Outcomes = OUTCOMES(parcel.message)
            asked = self._asked.pop(parcel.number, None)
            if parcel.number == self._number:
                return outcome
            self._late.keep(asked, outcome)

    def _comes_until(self, deadline: float) -> bool:
        if deadline == math.inf:
            return True
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(max(0, math.ceil((deadline - time.monotonic()) * 1000))))

    def close(self, reason: Refusal = LeftError) -> None:
        """Leave, and have whoever asks from now on told this."""
        self._closed = self._closed or reason
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # wakes whoever waits here
        if self._turn.acquire(timeout=1.0):
            self._turn.release()
        self._connection.close()

    def abandon(self) -> None:
        """This is a child process: the mailbox is its parent's."""
        self._closed = LeftError
        self._connection.close()
