"""MINIX's primitives, on random programs, against a model that is written another way round.

The model knows no queues and tells nobody anything: it holds facts (who waits, what lies ready),
and after every step delivers whatever a rule allows until no rule does.
"""

import errno
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kernels import System, boot
from kernels.mail import SocketCounter
from kernels.parcels import post, take
from kernels.party import MOST_PARTIES
from kernels.rendezvous import MOST_LINES, Rendezvous
from servers.clock import Clock
from tests.kernels.channels import agent
from twinos import Caller, letters
from twinos.letters import OUTCOMES, Arrived, Done, Failed, Outcomes, Primitives, Status
from twinos.message import (
    ANY,
    EDEADSRCDST,
    ELOCKED,
    ENOTREADY,
    KERNEL,
    LONGEST_MESSAGE,
    Deliver,
    Endpoint,
)

PARTIES: Final = 3


@dataclass
class Fact:
    """Something under way: a primitive that waits, or a line of a table."""

    kind: str
    party: int
    other: Endpoint
    message: bytes = b""
    how: Deliver = Deliver.PLAIN
    reply: bool = False
    error: int | None = None


@dataclass
class Model:
    """What MINIX's documentation says, as facts and rules."""

    endpoints: list[Endpoint]
    waiting: dict[int, Fact] = field(default_factory=dict)
    arrival: list[int] = field(default_factory=list)
    notes: set[tuple[int, int]] = field(default_factory=set)  # (to, from)
    tables: dict[int, list[Fact]] = field(default_factory=dict)
    told: list[tuple[int, Any]] = field(default_factory=list)

    def alive(self, endpoint: Endpoint) -> bool:
        return endpoint in self.endpoints

    def edge(self, party: int) -> int | None:
        fact = self.waiting.get(party)
        if fact is None or fact.other not in self.endpoints:
            return None
        return self.endpoints.index(fact.other)

    def closes_a_circle(self, party: int, other: Endpoint) -> bool:
        at: int | None = self.endpoints.index(other)
        while at is not None and at != party:
            at = self.edge(at)
        return at is not None

    def wait(self, party: int, fact: Fact) -> None:
        """Let it wait, see what can be delivered, and refuse if that left it in a circle."""
        self.waiting[party] = fact
        self.arrival.append(party)
        self.settle()
        if self.waiting.get(party) is not fact or fact.other in {ANY, KERNEL}:
            return
        del self.waiting[party]
        if self.closes_a_circle(party, fact.other):
            self.arrival.remove(party)
            self.told.append((party, ("failed", ELOCKED)))
        else:
            self.waiting[party] = fact

    def receivable(self, party: int) -> Iterator[tuple[str, Any]]:
        """What may be delivered to a party that receives, the first thing first."""
        fact = self.waiting.get(party)
        if fact is not None and fact.kind == "receive":
            for to, source in sorted(self.notes, key=lambda note: note[1]):
                at = KERNEL if source == KERNEL.slot else self.endpoints[source]
                if to == party and fact.other in {ANY, at} and not fact.reply:
                    yield "note", (source, at)
            yield from self.posted(party, fact)
            yield from self.sent(party, fact)

    def posted(self, party: int, fact: Fact) -> Iterator[tuple[str, Any]]:
        for sender in range(PARTIES):
            for line in self.tables.get(sender, []):
                fits = line.error is None and line.other == self.endpoints[party]
                not_now = fact.reply and Deliver.NOREPLY in line.how
                if fits and fact.other in {ANY, self.endpoints[sender]} and not not_now:
                    yield "line", (sender, line)

    def sent(self, party: int, fact: Fact) -> Iterator[tuple[str, Any]]:
        for sender in self.arrival:
            sent = self.waiting.get(sender)
            to_party = sent and sent.kind == "send" and sent.other == self.endpoints[party]
            if to_party and fact.other in {ANY, self.endpoints[sender]}:
                yield "sent", (sender, sent)

    def settle(self) -> None:
        while any(self.deliver(party) for party in range(PARTIES)):
            pass

    def deliver(self, party: int) -> bool:
        for what, thing in self.receivable(party):
            del self.waiting[party]
            self.arrival.remove(party)
            if what == "note":
                self.notes.discard((party, thing[0]))
                self.told.append((party, ("arrived", thing[1], None)))
            else:
                sender, fact = thing
                self.told.append((party, ("arrived", self.endpoints[sender], fact.message)))
                self.done(sender, fact, what)
            return True
        return False

    def done(self, sender: int, fact: Fact, what: str) -> None:
        if what == "line":
            self.finish(sender, fact, 0)
        elif fact.reply:
            self.waiting[sender] = Fact("receive", sender, fact.other, reply=True)
        else:
            del self.waiting[sender]
            self.arrival.remove(sender)
            self.told.append((sender, ("done",)))

    def finish(self, sender: int, line: Fact, error: int) -> None:
        line.error = error
        if Deliver.NOTIFY in line.how or (error and Deliver.NOTIFY_ERR in line.how):
            self.notes.add((sender, KERNEL.slot))

    def ask(self, party: int, primitive: Primitives) -> None:
        match primitive:
            case letters.Send(to, message, wait):
                self.send(party, to, message, wait=wait, reply=False)
            case letters.SendRec(to, message):
                self.send(party, to, message, wait=True, reply=True)
            case letters.Receive(source, wait):
                self.receive(party, source, wait=wait)
            case letters.Notify(to):
                if self.alive(to):
                    self.notes.add((to.slot, party))
                    self.told.append((party, ("done",)))
                    self.settle()
                else:
                    self.told.append((party, ("failed", EDEADSRCDST)))
            case letters.SendA(lines):
                self.senda(party, lines)
            case letters.Table():
                table = self.tables.get(party, [])
                lines_ = tuple((line.error is not None, line.error or 0) for line in table)
                self.told.append((party, ("status", lines_)))

    def send(self, party: int, to: Endpoint, message: bytes, *, wait: bool, reply: bool) -> None:
        if not self.alive(to):
            self.told.append((party, ("failed", EDEADSRCDST)))
            return
        fact = Fact("send", party, to, message, reply=reply)
        before = len(self.told)
        if wait:
            self.wait(party, fact)
            return
        self.waiting[party] = fact
        self.arrival.append(party)
        self.settle()
        if self.waiting.pop(party, None) is not None:
            self.arrival.remove(party)
            assert len(self.told) == before
            self.told.append((party, ("failed", ENOTREADY)))

    def receive(self, party: int, source: Endpoint, *, wait: bool) -> None:
        if source not in {ANY, KERNEL} and not self.alive(source):
            self.told.append((party, ("failed", EDEADSRCDST)))
            return
        fact = Fact("receive", party, source)
        if wait:
            self.wait(party, fact)
            return
        self.waiting[party] = fact
        self.arrival.append(party)
        self.settle()
        if self.waiting.pop(party, None) is not None:
            self.arrival.remove(party)
            self.told.append((party, ("failed", ENOTREADY)))

    def senda(self, party: int, lines: tuple[letters.Line, ...]) -> None:
        table = [Fact("line", party, line.to, line.message, Deliver(line.how)) for line in lines]
        self.tables[party] = table
        for line in table:
            if not self.alive(line.other):
                self.finish(party, line, EDEADSRCDST)
            elif line.other == self.endpoints[party]:
                self.finish(party, line, 1)
        self.told.append((party, ("done",)))
        self.settle()

    def die(self, party: int) -> None:
        """It is gone; another one gets its slot."""
        former = self.endpoints[party]
        self.endpoints[party] = Endpoint(party, former.generation + 1)
        if self.waiting.pop(party, None):
            self.arrival.remove(party)
        for other, fact in list(self.waiting.items()):
            if fact.other == former:
                del self.waiting[other]
                self.arrival.remove(other)
                self.told.append((other, ("failed", EDEADSRCDST)))
        self.notes = {note for note in self.notes if party not in note}
        self.tables.pop(party, None)
        for sender, table in self.tables.items():
            for line in table:
                if line.other == former and line.error is None:
                    self.finish(sender, line, EDEADSRCDST)
        self.settle()


def seen(outcome: Outcomes) -> Any:
    match outcome:
        case Arrived(source, message):
            return ("arrived", source, message)
        case Failed(error, _):
            return ("failed", error)
        case Status(lines):
            return ("status", lines)
        case Done():
            return ("done",)
    raise AssertionError(outcome)


class Machine:
    """The rendezvous itself."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Any]] = []
        self.circles: list[str] = []
        self._rendezvous = Rendezvous(lambda _one, _other: True, self.circles.append)
        self._parties = [self._rendezvous.enter("", Caller(n)) for n in range(PARTIES)]

    @property
    def endpoints(self) -> list[Endpoint]:
        return [party.endpoint for party in self._parties]

    def ask(self, party: int, primitive: Primitives) -> None:
        def told(outcome: Outcomes) -> None:
            self.told.append((party, seen(outcome)))

        self._rendezvous.ask(self._parties[party], primitive, told)

    def die(self, party: int) -> None:
        self._rendezvous.leave(self._parties[party])
        self._parties[party] = self._rendezvous.enter("", Caller(party))

    def hear(self) -> list[tuple[int, Any]]:
        heard, self.told = self.told, []
        return heard


class Sockets:
    """The kernel proper of a microkernel, by the sockets of its mailboxes."""

    def __init__(self, counter: Callable[[], SocketCounter]) -> None:
        self._open = counter
        self._counters = [counter() for _ in range(PARTIES)]
        self._barrier = counter()

    @property
    def endpoints(self) -> list[Endpoint]:
        return [counter.endpoint for counter in self._counters]

    def ask(self, party: int, primitive: Primitives) -> None:
        post(self._counters[party]._connection, primitive)

    def die(self, party: int) -> None:
        self._counters[party].close()
        self._wait()
        self._counters[party] = self._open()

    def hear(self) -> list[tuple[int, Any]]:
        """What was said up to now: the kernel has dealt with all of it when it answers again."""
        self._wait()
        heard = []
        for number, counter in enumerate(self._counters):
            counter._connection.setblocking(False)
            while True:
                try:
                    heard.append((number, seen(OUTCOMES(take(counter._connection).message))))
                except BlockingIOError:
                    break
            counter._connection.setblocking(True)
        return heard

    def _wait(self) -> None:
        self._barrier.ask(letters.Table(), None)
        self._barrier.ask(letters.Table(), None)

    def close(self) -> None:
        for counter in (*self._counters, self._barrier):
            counter.close()


parties = st.integers(0, PARTIES - 1)
Step = tuple[str, int, Any]


endpoints = st.builds(Endpoint, parties, st.sampled_from([0] * 15 + [1]))
"""A slot, and how many generations ago: who is there now, or whoever was before."""
lines = st.builds(
    letters.Line,
    endpoints,
    st.binary(max_size=3),
    st.sampled_from([how.value for how in (Deliver.PLAIN, *Deliver)]),
)
primitives = st.one_of(
    st.builds(letters.Send, endpoints, st.binary(max_size=3), st.booleans()),
    st.builds(letters.SendRec, endpoints, st.binary(max_size=3)),
    st.builds(
        letters.Receive,
        st.one_of(st.just(ANY), st.just(ANY), endpoints, st.just(KERNEL)),
        st.sampled_from([True, True, False]),
    ),
    st.builds(letters.Notify, endpoints),
    st.builds(letters.SendA, st.lists(lines, max_size=4).map(tuple)),
    st.just(letters.Table()),
)
asks = st.tuples(st.just("ask"), parties, primitives)
deaths = st.tuples(st.just("die"), parties, st.none())
steps = st.lists(st.one_of(*[asks] * 15, deaths), min_size=25, max_size=50)


def resolved(primitive: Any, now: list[Endpoint]) -> Primitives:
    """The same with real endpoints."""

    def at(relative: Endpoint) -> Endpoint:
        if relative.slot < 0:
            return relative
        return Endpoint(relative.slot, now[relative.slot].generation - relative.generation)

    changes: dict[str, Any] = {
        name: at(value)
        for name in ("to", "source")
        if (value := getattr(primitive, name, None)) is not None
    }
    if isinstance(primitive, letters.SendA):
        changes["lines"] = tuple(replace(line, to=at(line.to)) for line in primitive.lines)
    resolved: Primitives = replace(primitive, **changes)
    return resolved


def walk(program: list[Step], real: Machine | Sockets) -> None:
    """A program, step by step, on the real thing and on the model."""
    model = Model(real.endpoints)
    for what, party, primitive in program:
        if what == "die":
            model.die(party)
            real.die(party)
        elif party not in model.waiting:
            now = resolved(primitive, model.endpoints)
            model.ask(party, now)
            real.ask(party, now)
        expected, model.told = model.told, []
        heard = [each for each in real.hear() if what == "ask" or each[0] != party]
        assert sorted(heard, key=repr) == sorted(expected, key=repr), (what, party, primitive)


@given(steps)
@settings(max_examples=700)
def test_the_machine_does_what_the_model_says(program: list[Step]) -> None:
    walk(program, Machine())


@given(steps)
@settings(max_examples=80)
def test_so_does_the_kernel_proper(program: list[Step]) -> None:
    count = itertools.count()
    system = _system()

    def open_box() -> SocketCounter:
        return agent(system).mailbox(system.caller, f"box {next(count)}")

    sockets = Sockets(open_box)
    try:
        walk(program, sockets)
    finally:
        sockets.close()


@pytest.fixture(scope="module", autouse=True)
def _one_system() -> Iterator[None]:
    """A system for all programs: their slots are used again and again."""
    with boot("microkernel", Clock) as system:
        _SYSTEMS.append(system)
        yield
        _SYSTEMS.clear()


_SYSTEMS: Final[list[System]] = []


def _system() -> System:
    return _SYSTEMS[0]


def heard_in_order(*asks: tuple[int, Primitives]) -> list[Any]:
    """What party 0 is told when these are asked for, one after the other."""
    machine = Machine()
    for party, primitive in asks:
        machine.ask(party, primitive)
    return [what for party, what in machine.told if party == 0]


ME, YOU, SHE = (Endpoint(slot, 1) for slot in range(3))


def test_notifications_come_first_then_what_was_posted_then_what_waits() -> None:
    posted = letters.SendA((letters.Line(ME, b"posted", 0),))
    told = heard_in_order(
        (1, letters.SendA((letters.Line(ME, b"first posted", 0),))),
        (1, letters.Send(ME, b"sent")),
        (2, posted),
        (2, letters.Notify(ME)),
        *[(0, letters.Receive(ANY))] * 4,
    )
    assert [what[2] for what in told] == [None, b"first posted", b"posted", b"sent"]


def test_a_reply_may_lie_ready_and_a_note_waits_until_after_it() -> None:
    told = heard_in_order(
        (1, letters.SendA((letters.Line(ME, b"early", 0),))),
        (2, letters.Notify(ME)),
        (0, letters.SendRec(YOU, b"?")),
        (1, letters.Receive(ANY)),
        (0, letters.Receive(ANY)),
    )
    assert told == [("arrived", YOU, b"early"), ("arrived", SHE, None)]


def test_a_circle_of_any_length_is_refused_and_told() -> None:
    machine = Machine()
    machine.ask(0, letters.Send(YOU, b""))
    machine.ask(1, letters.Receive(SHE))
    machine.ask(2, letters.SendRec(ME, b""))
    assert machine.hear() == [(2, ("failed", ELOCKED))]
    (circle,) = machine.circles
    assert circle.replace("mailbox ", "").split(", ") == [
        "2.1 sends to 0.1",
        "0.1 sends to 1.1",
        "1.1 receives from 2.1",
    ]


def test_a_party_waits_in_one_primitive_at_a_time_and_may_do_others_meanwhile() -> None:
    told = heard_in_order(
        (0, letters.Receive(ANY)),
        (0, letters.Receive(YOU)),
        (0, letters.Send(YOU, b"")),
        (0, letters.Table()),
        (1, letters.Notify(ME)),
    )
    busy = ("failed", errno.EBUSY)
    assert told == [busy, busy, ("status", ()), ("arrived", YOU, None)]


def test_what_can_not_be_is_refused() -> None:
    long, strange = b"x" * (LONGEST_MESSAGE + 1), letters.Line(YOU, b"", 64)
    many = letters.SendA((letters.Line(YOU, b"", 0),) * (MOST_LINES + 1))
    told = heard_in_order(
        (0, letters.Send(YOU, long)),
        (0, letters.SendA((letters.Line(YOU, long, 0),))),
        (0, letters.SendA((strange,))),
        (0, many),
        (0, letters.Lookup("nobody")),
    )
    codes = [errno.EMSGSIZE, errno.EMSGSIZE, errno.EINVAL, errno.E2BIG, errno.ESRCH]
    assert told == [("failed", code) for code in codes]


def test_the_table_of_parties_has_an_end() -> None:
    rendezvous = Rendezvous(lambda _one, _other: True, lambda _circle: None)
    parties = [rendezvous.enter("", Caller(1)) for _ in range(MOST_PARTIES)]
    with pytest.raises(BlockingIOError):
        rendezvous.enter("", Caller(1))
    rendezvous.leave(parties[7])
    assert rendezvous.enter("", Caller(1)).endpoint == Endpoint(7, 2)
