"""Rendezvous: MINIX's message passing, as a machine that knows nothing of threads and sockets.

From the top: who takes part (see `kernels.party`); the primitives; what waits and may now be
delivered; circles.

A party asks for one primitive at a time and is told its outcome, at once or later. Nothing is
buffered: a message stays with its sender until the receiver takes it, and of notifications there is
one bit for each sender. As in MINIX's `proc.c`, notifications come first, then asynchronous
messages, then those whose senders wait, in their order; in the middle of a `sendrec` no
notification comes.
"""

import errno
from collections.abc import Callable
from typing import Final

from kernels.party import Parties, Party, Posted, Told
from twinos import Caller, letters
from twinos.letters import Arrived, Done, Failed, Found, Outcomes, Primitives, Status, Withdrawn
from twinos.message import (
    ANY,
    ECALLDENIED,
    EDEADSRCDST,
    ELOCKED,
    ENOTREADY,
    HARDWARE,
    KERNEL,
    LONGEST_MESSAGE,
    Deliver,
    Endpoint,
)

MOST_LINES: Final = 256
"""Lines of a table given to `senda`."""

_EVERY_HOW: Final = (Deliver.NOREPLY | Deliver.NOTIFY | Deliver.NOTIFY_ERR).value

_NO_PARTIES: Final = {endpoint.slot: endpoint for endpoint in (KERNEL, HARDWARE)}

MayTalk = Callable[[Caller, Caller], bool]


class Rendezvous:
    """All parties of a system.

    Args:
        may_talk: whether two callers may send to each other.
        found_circle: told of every circle that ELOCKED kept from closing.
    """

    def __init__(self, may_talk: MayTalk, found_circle: Callable[[str], None]) -> None:
        self._may_talk = may_talk
        self._found_circle = found_circle
        self._parties = Parties()

    def enter(self, name: str, caller: Caller) -> Party:
        """Somebody new; see `Parties.enter`."""
        return self._parties.enter(name, caller)

    def enter_driver(self, caller: Caller) -> Party:
        """A party that only the hardware reaches: it has no slot, and so no endpoint."""
        return Party(HARDWARE, f"driver {caller.name}", caller)

    def leave(self, party: Party) -> None:
        """It is gone: whoever waits for it is told, and what it sent and nobody took is lost."""
        if self._parties.at(party.endpoint) is not party:
            return
        self._parties.leave(party)
        gone = Failed(EDEADSRCDST, f"{party.name} is gone")
        for waiting in (party, *party.queue):
            _give_up(waiting, gone)
        for other in self._parties:
            other.notes.discard(party.endpoint.slot)
            if other.receives_from == party.endpoint:
                _give_up(other, gone)
            for line in other.table:
                if line.to == party.endpoint and not line.done:
                    self._settle(other, line, EDEADSRCDST)

    def interrupt(self, driver: Party) -> None:
        """The hardware notifies a driver."""
        self._notify(driver, HARDWARE)

    # The primitives.

    def ask(self, party: Party, primitive: Primitives, told: Told) -> None:
        """Carry out a primitive; `told` is called with its outcome, now or later.

        Primitives that wait come one at a time, EBUSY; others may come meanwhile.
        """
        if isinstance(primitive, letters.Withdraw):
            _give_up(party, Withdrawn())
            return
        try:
            outcome = self._begin(party, primitive, told)
        except OSError as error:
            outcome = Failed(error.errno or errno.EIO, str(error.strerror))
        if outcome is not None:
            told(outcome)

    def _begin(self, party: Party, primitive: Primitives, told: Told) -> Outcomes | None:
        """The outcome, if it is there at once; None: `told` knows it, or will."""
        match primitive:
            case letters.Notify(to):
                self._notify(self._partner(party, to), party.endpoint)
            case letters.SendA(lines):
                self._senda(party, lines)
            case letters.Table():
                return Status(tuple((line.done, line.error or 0) for line in party.table))
            case letters.Lookup(name):
                return self._lookup(name)
            case letters.Send(to, message, wait=False):
                self._send_nb(party, self._partner(party, to, message), message)
            case _ if party.waits:
                raise OSError(errno.EBUSY, f"{party.name} waits already")
            case letters.Receive(source, wait):
                return self._receive(party, source, told, wait=wait)
            case letters.Send(to, message):
                return self._send(party, self._partner(party, to, message), message, told)
            case letters.SendRec(to, message):
                self._sendrec(party, self._partner(party, to, message), message, told)
                return None
        return Done()

    def _send(self, party: Party, to: Party, message: bytes, told: Told) -> Outcomes | None:
        if to.wants(party.endpoint):
            _deliver(to, party.endpoint, message)
            return Done()
        self._queue(party, to, message, told)
        return None

    def _send_nb(self, party: Party, to: Party, message: bytes) -> None:
        if not to.wants(party.endpoint):
            raise OSError(ENOTREADY, f"{to.name} does not wait for {party.name}")
        _deliver(to, party.endpoint, message)

    def _sendrec(self, party: Party, to: Party, message: bytes, told: Told) -> None:
        if to.wants(party.endpoint):
            _deliver(to, party.endpoint, message)
            party.told = told
            self._await_reply(party, to)
        else:
            self._queue(party, to, message, told)
            party.wants_reply = True

    def _receive(
        self, party: Party, source: Endpoint, told: Told, *, wait: bool
    ) -> Outcomes | None:
        other = None if source in {ANY, KERNEL, HARDWARE} else self._party(source)
        party.receives_from, party.told = source, told
        if self._look(party):
            return None
        party.receives_from, party.told = None, None
        if not wait:
            raise OSError(ENOTREADY, f"nothing has come for {party.name}")
        if other is not None:
            self._refuse_circle(party, "receives from", other)
        party.receives_from, party.told = source, told
        return None

    def _notify(self, to: Party, source: Endpoint) -> None:
        if not to.in_sendrec and to.wants(source):
            _deliver(to, source, None)
        else:
            to.notes.add(source.slot)

    def _senda(self, party: Party, lines: tuple[letters.Line, ...]) -> None:
        if len(lines) > MOST_LINES:
            raise OSError(errno.E2BIG, f"a table has {MOST_LINES} lines at most")
        for line in lines:
            _check_length(line.message)
            if not 0 <= line.how <= _EVERY_HOW:
                raise OSError(errno.EINVAL, f"no message is sent in the way {line.how}")
        party.table = [Posted(line.to, line.message, Deliver(line.how)) for line in lines]
        for posted in party.table:
            try:
                to = self._partner(party, posted.to)
            except OSError as error:
                self._settle(party, posted, error.errno or errno.EIO)
                continue
            if to is party:
                self._settle(party, posted, errno.EPERM)
            elif to.wants(party.endpoint, posted.how):
                _deliver(to, party.endpoint, posted.message)
                self._settle(party, posted, 0)

    def _lookup(self, name: str) -> Found:
        for party in self._parties:
            if party.name == name:
                return Found(party.endpoint)
        raise OSError(errno.ESRCH, f"there is no mailbox called {name!r}")

    # What waits, and may now be delivered.

    def _look(self, party: Party) -> bool:
        """Deliver the first thing that `party` waits to receive; whether there was one."""
        return self._take_note(party) or self._take_posted(party) or self._take_sent(party)

    def _take_note(self, party: Party) -> bool:
        for slot in sorted(party.notes):
            source = _NO_PARTIES.get(slot) or self._parties.in_slot(slot).endpoint
            if not party.in_sendrec and party.wants(source):
                party.notes.discard(slot)
                _deliver(party, source, None)
                return True
        return False

    def _take_posted(self, party: Party) -> bool:
        for sender in self._parties:
            for line in sender.table:
                pending = not line.done and line.to == party.endpoint
                if pending and party.wants(sender.endpoint, line.how):
                    _deliver(party, sender.endpoint, line.message)
                    self._settle(sender, line, 0)
                    return True
        return False

    def _take_sent(self, party: Party) -> bool:
        for sender in party.queue:
            if party.wants(sender.endpoint):
                _deliver(party, sender.endpoint, sender.message)
                if sender.wants_reply:
                    self._await_reply(sender, party)
                else:
                    sender.tell(Done())
                return True
        return False

    def _await_reply(self, party: Party, to: Party) -> None:
        if party.sends_to is not None:
            to.queue.remove(party)
            party.sends_to = None
        party.receives_from, party.in_sendrec, party.wants_reply = to.endpoint, True, False
        self._look(party)  # it may have been sent by `senda` before

    def _settle(self, sender: Party, line: Posted, error: int) -> None:
        line.error = error
        if Deliver.NOTIFY in line.how or (error and Deliver.NOTIFY_ERR in line.how):
            self._notify(sender, KERNEL)

    # Who waits for whom.

    def _queue(self, party: Party, to: Party, message: bytes, told: Told) -> None:
        self._refuse_circle(party, "sends to", to)
        party.told = told
        party.sends_to, party.message, party.wants_reply = to, message, False
        to.queue.append(party)

    def _refuse_circle(self, party: Party, verb: str, other: Party) -> None:
        """ELOCKED if `other` waits, by way of whomever, for `party`, which would wait for it."""
        links = [f"{party.name} {verb} {other.name}"]
        while other is not party:
            follower = self._awaited(other)
            if follower is None:
                return
            verb = "receives from" if other.sends_to is None else "sends to"
            links.append(f"{other.name} {verb} {follower.name}")
            other = follower
        circle = ", ".join(links)
        self._found_circle(circle)
        raise OSError(ELOCKED, f"deadlock: {circle}")

    def _awaited(self, party: Party) -> Party | None:
        if party.sends_to is not None:
            return party.sends_to
        return None if party.receives_from is None else self._parties.at(party.receives_from)

    def _party(self, endpoint: Endpoint) -> Party:
        party = self._parties.at(endpoint)
        if party is None:
            raise OSError(EDEADSRCDST, f"endpoint {endpoint} is dead")
        return party

    def _partner(self, party: Party, to: Endpoint, message: bytes = b"") -> Party:
        """Whom `party` may send this to."""
        _check_length(message)
        other = self._party(to)
        if not self._may_talk(party.caller, other.caller):
            raise OSError(ECALLDENIED, f"{party.name} may not talk to {other.name}")
        return other


def _give_up(party: Party, outcome: Outcomes) -> None:
    if party.waits:
        party.tell(outcome)


def _deliver(party: Party, source: Endpoint, message: bytes | None) -> None:
    party.tell(Arrived(source, message))


def _check_length(message: bytes) -> None:
    if len(message) > LONGEST_MESSAGE:
        raise OSError(errno.EMSGSIZE, f"a message has {LONGEST_MESSAGE} bytes at most")
