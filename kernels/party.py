"""Parties: who takes part in a rendezvous, and what each of them waits for."""

import errno
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from twinos import Caller
from twinos.letters import Outcomes
from twinos.message import ANY, Deliver, Endpoint

MOST_PARTIES: Final = 1024

Told = Callable[[Outcomes], None]
"""Tells a party the outcome of its primitive."""


@dataclass(eq=False)
class Posted:
    """A line of a table. `error` is None until it is done, 0 when it was delivered."""

    to: Endpoint
    message: bytes
    how: Deliver
    error: int | None = None

    @property
    def done(self) -> bool:
        """Whether it has been delivered, or can't be any more."""
        return self.error is not None


@dataclass(eq=False)
class Party:
    """Somebody who takes part.

    Attributes:
        endpoint: where it is.
        name: what others may look it up by.
        caller: as whom it is judged.
        told: tells it the outcome of the primitive with which it waits.
        sends_to: at whom its `send` or `sendrec` waits.
        message: what it sends there.
        wants_reply: whether that is a `sendrec`.
        receives_from: from whom it waits to receive; None: it doesn't.
        in_sendrec: whether what it receives is the reply of a `sendrec`.
        notes: the slots of those who have notified it.
        queue: those who wait to send to it.
        table: what it has given to `senda`.
    """

    endpoint: Endpoint
    name: str
    caller: Caller
    told: Told | None = None
    sends_to: "Party | None" = None
    message: bytes = b""
    wants_reply: bool = False
    receives_from: Endpoint | None = None
    in_sendrec: bool = False
    notes: set[int] = field(default_factory=set)
    queue: "deque[Party]" = field(default_factory=deque)
    table: list[Posted] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Whether its primitive has not come to its end."""
        return self.sends_to is not None or self.receives_from is not None

    def tell(self, outcome: Outcomes) -> None:
        """It waits no longer: that is what came of it."""
        if self.sends_to is not None:
            self.sends_to.queue.remove(self)
        told, self.told = self.told, None
        self.sends_to, self.receives_from, self.in_sendrec = None, None, False
        if told is not None:
            told(outcome)

    def wants(self, source: Endpoint, how: Deliver = Deliver.PLAIN) -> bool:
        """Whether it waits for a message from there."""
        if self.in_sendrec and Deliver.NOREPLY in how:
            return False
        return self.receives_from in {ANY, source}


class Parties:
    """The table of those who take part: a slot for each, and how many holders it has had."""

    def __init__(self) -> None:
        self._slots: list[Party | None] = []
        self._generations: list[int] = []

    def enter(self, name: str, caller: Caller) -> Party:
        """Somebody new, in the first free slot; without a name it is called by its endpoint.

        Raises:
            OSError: EEXIST, the name is somebody's; EAGAIN, there are too many.
        """
        if any(party.name == name for party in self):
            raise OSError(errno.EEXIST, f"there is a mailbox called {name!r}")
        if None not in self._slots:
            if len(self._slots) == MOST_PARTIES:
                raise OSError(errno.EAGAIN, f"there are {MOST_PARTIES} mailboxes")
            self._slots.append(None)
            self._generations.append(0)
        slot = self._slots.index(None)
        self._generations[slot] += 1
        endpoint = Endpoint(slot, self._generations[slot])
        party = Party(endpoint, name or f"mailbox {endpoint}", caller)
        self._slots[slot] = party
        return party

    def leave(self, party: Party) -> None:
        """Its slot is free; what is sent to its endpoint reaches nobody any more."""
        self._slots[party.endpoint.slot] = None

    def __iter__(self) -> Iterator[Party]:
        return (party for party in self._slots if party is not None)

    def at(self, endpoint: Endpoint) -> Party | None:
        """Who is there; None if somebody else is, or nobody."""
        party = self._slots[endpoint.slot] if 0 <= endpoint.slot < len(self._slots) else None
        return party if party is not None and party.endpoint == endpoint else None

    def in_slot(self, slot: int) -> Party:
        """Who is in a slot that is not free."""
        party = self._slots[slot]
        assert party is not None, "who leaves takes its notes along"  # noqa: S101 (an invariant)
        return party
