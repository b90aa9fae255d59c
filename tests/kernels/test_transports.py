"""Every transport against a model: what is sent arrives, once and whole, or the end is seen."""

import fcntl
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import boot, patience
from kernels.bulk import Bulk, Frame, payload_of
from kernels.frames import LARGE, OK, SIZE, SMALL, MalformedFrameError, frame
from kernels.line import Line
from kernels.loops import Served, serve
from kernels.pipes import PipeChannel
from kernels.remote import deliver
from kernels.ring import ASLEEP, NEXT, SLOT, TICKET, RingChannel
from kernels.serving import ask
from kernels.transport import Channel
from kernels.transports import TRANSPORTS
from tests.conftest import reap_orphans
from tests.kernels.channels import agent, channel_pair, routed_ends
from tests.kernels.services import Echo
from twinos import WiringError, operations
from twinos.codec import encode

transports = pytest.mark.parametrize("transport", list(TRANSPORTS))
POLLS: Final = 5

SIZES = st.one_of(
    st.integers(0, 40),
    st.sampled_from([SMALL - SIZE, SMALL - SIZE + 1, 4096, LARGE - 1, LARGE, LARGE + 1, 1 << 17]),
    st.integers(0, 2 * LARGE),
)


def message(seed: int, size: int) -> Frame:
    data = random.Random(seed).randbytes(size)
    return frame(seed % 256, data) if size < LARGE else Bulk(seed % 256, data)


def told(message: Frame) -> tuple[int, bytes]:
    """What a message says, however it travelled."""
    if isinstance(message, Bulk):
        return message.code, message.contents
    return message[SIZE - 1], bytes(payload_of(message))


class Peer(threading.Thread):
    """The other end: answers the n-th request with the n-th reply, and keeps what it got."""

    def __init__(self, channel: Channel, replies: list[Frame]) -> None:
        super().__init__()
        self.got: list[Frame] = []
        self._channel = channel
        self._replies = replies

    def run(self) -> None:
        with suppress(EOFError, BrokenPipeError):
            for reply in self._replies:
                self.got.append(self._channel.receive(SMALL))
                self._channel.send(reply)


@contextmanager
def disturbed(*ends: Channel) -> Iterator[None]:
    """Signals for this thread, bells that nobody rang, and pipes with little room."""
    over, main = threading.Event(), threading.get_ident()
    for end in ends:
        if isinstance(end, PipeChannel):
            fcntl.fcntl(end.sink, fcntl.F_SETPIPE_SZ, 4096)

    def disturb() -> None:
        while not over.wait(0.0005):
            signal.pthread_kill(main, signal.SIGUSR1)
            for end in ends:
                if isinstance(end, RingChannel):
                    end.wake()

    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, previous)


@transports
@settings(max_examples=40)
@given(pairs=st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=6), polls=st.booleans())
def test_a_channel_is_a_pair_of_queues(
    transport: str, pairs: list[tuple[int, int]], polls: bool
) -> None:
    ours, theirs = channel_pair(transport)
    if polls:
        poll(ours, theirs)
    requests = [message(2 * number, size) for number, (size, _) in enumerate(pairs)]
    replies = [message(2 * number + 1, size) for number, (_, size) in enumerate(pairs)]
    peer = Peer(theirs, replies)
    with disturbed(ours, theirs):
        peer.start()
        for request, reply in zip(requests, replies, strict=True):
            assert told(exchange(ours, request)) == told(reply)
        peer.join()
    assert list(map(told, peer.got)) == list(map(told, requests))
    theirs.close()
    with pytest.raises((EOFError, BrokenPipeError)):
        exchange(ours, requests[0])
    ours.close()


def exchange(channel: Channel, request: Frame) -> Frame:
    channel.send(request)
    return channel.receive(SMALL)


def poll(*ends: Channel) -> None:
    for end in ends:
        if isinstance(end, RingChannel):
            end._tickets[2] = POLLS


@transports
def test_what_was_sent_before_the_end_arrives(transport: str) -> None:
    for large in (False, True):
        ours, theirs = channel_pair(transport)
        sent = message(1, 2 * LARGE if large else 9)
        theirs.send(sent)
        theirs.close()
        assert told(ours.receive(SMALL)) == told(sent)
        with pytest.raises(EOFError):
            ours.receive(SMALL)
        ours.close()


@pytest.fixture(autouse=True)
def _relays_end() -> Iterator[None]:
    yield
    reap_orphans()


# An end that dies at any step.


@pytest.fixture(autouse=True)
def _polls_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "POLLS", POLLS)


def die_at(step: int, *, begun: bool = False) -> None:
    """Be killed when this thread comes to that line of ours, counted from a compiled one on."""
    left = step

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left, begun
        name = frame.f_code.co_filename
        compiled = name.startswith("<twinos") and frame.f_code.co_name != "<module>"
        begun = begun or compiled
        if event == "line" and begun and name.endswith(STEPS):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def dying(step: int, play: Callable[[], None], *others: Channel) -> int:
    """Have a child play, and be killed when it comes to that line of ours; its pid."""
    pid = os.fork()
    if pid:
        return pid
    for other in others:
        other.close()
    die_at(step)
    status = 1
    try:
        with suppress(EOFError, OSError):
            play()
        status = 0
    finally:
        os._exit(status)


def outcome(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


DATA: Final = operations(Echo)["data"]
STEPS: Final = (">", "ring.py", "pipes.py", "bulk.py", "line.py", "patience.py", "relay.py")
"""Files whose lines are steps: `>` ends those of compiled functions."""


@pytest.mark.parametrize("size", [3, LARGE])
@pytest.mark.parametrize(
    ("transport", "polls"),
    [("pipe", False), ("routed", False), ("ring", False), ("ring", True)],
    ids=["pipe", "routed", "ring, asleep", "ring, polling"],
)
def test_a_client_is_killed_at_every_step(transport: str, size: int, polls: bool) -> None:
    data = random.Random(size).randbytes(size)
    for step in range(1, 500):
        ours, theirs = channel_pair(transport)
        if polls:
            poll(ours, theirs)
        line = Line(TRANSPORTS[transport], lambda ours=ours: ours, lambda _: OSError("lost"))  # type: ignore[misc]  # mypy can't infer a default's type
        call = deliver(line, DATA)
        pid = dying(step, lambda call=call: call(data) + call(data) + call(data), theirs)  # type: ignore[misc]  # the same
        ours.close()
        with suppress(EOFError, BrokenPipeError):
            while True:
                request = theirs.receive(SMALL)
                assert request[SIZE - 1] == DATA.number
                if isinstance(request, Bulk):
                    assert request.contents == data
                else:
                    assert payload_of(request) == encode((data,))
                theirs.send(frame(OK, encode(b"x")))
        theirs.close()
        ended = outcome(pid)
        if ended == 0:
            assert step > 20
            return
        assert ended == -signal.SIGKILL
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("size", [3, LARGE])
@pytest.mark.parametrize(
    ("transport", "polls"),
    [("pipe", False), ("routed", False), ("ring", False), ("ring", True)],
    ids=["pipe", "routed", "ring, asleep", "ring, polling"],
)
def test_a_server_is_killed_at_every_step(transport: str, size: int, polls: bool) -> None:
    data = random.Random(size).randbytes(size)
    roads = [(DATA, partial(ask, bytes, DATA))] * (DATA.number + 1)
    sent = Bulk(DATA.number, data, encode((b"",))) if size >= LARGE else None
    for step in range(1, 500):
        ours, theirs = channel_pair(transport)
        if polls:
            poll(ours, theirs)
        pid = dying(step, lambda end=theirs: serve(Served(TRANSPORTS[transport], end, roads)), ours)  # type: ignore[misc]  # mypy can't infer a default's type
        theirs.close()
        with suppress(EOFError, BrokenPipeError):
            for _ in range(2):
                reply = exchange(ours, sent or frame(DATA.number, encode((data,))))
                assert reply[SIZE - 1] == OK
                if isinstance(reply, Bulk):
                    assert reply.contents == data
                else:
                    assert payload_of(reply) == encode(data)
        ours.close()
        ended = outcome(pid)
        if ended == 0:
            assert step > 20
            return
        assert ended == -signal.SIGKILL
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("size", [3, 2 * LARGE])
def test_a_kernel_on_the_way_is_killed_at_every_step(size: int) -> None:
    """Each message arrives as it was sent, or whoever waits for it sees the end."""
    for step in range(1, 200):
        ends = routed_ends(partial(die_at, step, begun=True))
        ours, theirs = (TRANSPORTS["routed"].adopt(end, 0) for end in ends)
        requests = [message(number, size) for number in range(2)]
        peer = Peer(theirs, requests)
        peer.start()
        answered = []
        with suppress(EOFError, BrokenPipeError):
            answered += [told(exchange(ours, each)) for each in requests]
        ours.close()
        peer.join()
        theirs.close()
        said = list(map(told, requests))
        got = list(map(told, peer.got))
        assert got == said[: len(got)]
        assert answered == said[: len(answered)]
        if len(answered) == len(said):
            assert step > 10
            return
    pytest.fail("it never came to its end")


# The ring by itself.


def ring_pair() -> tuple[RingChannel, RingChannel]:
    ours, theirs = channel_pair("ring")
    assert isinstance(ours, RingChannel)
    assert isinstance(theirs, RingChannel)
    return ours, theirs


@given(st.integers(0, 2**64 - 1), st.binary(max_size=60))
def test_whatever_a_ticket_says_harms_only_who_says_it(word: int, content: bytes) -> None:
    ours, theirs = ring_pair()
    ours._ours[SLOT : SLOT + len(content)] = content
    ours._said[TICKET] = word
    ours.wake()
    ours.close()
    ended = (EOFError, MalformedFrameError)
    with suppress(*ended):
        received = theirs.receive(SMALL)
        assert word >= NEXT
        assert told(received)[1] == content[SIZE:]
    with pytest.raises(ended):
        receive_all(theirs)
    theirs.close()


def receive_all(channel: Channel) -> None:
    while True:
        channel.receive(SMALL)


def test_a_pipe_full_of_bells_keeps_nobody_waiting() -> None:
    ours, theirs = ring_pair()
    for _ in range(70_000):
        ours.wake()
    theirs._said[ASLEEP] = 1  # it lies
    ours.send(b"\0\0\0\0\0")
    assert theirs.receive(SMALL) == b"\0\0\0\0\0"
    ours.close()
    with pytest.raises(EOFError):
        theirs.receive(SMALL)
    theirs.close()


def test_on_one_cpu_nobody_polls() -> None:
    cpu = max(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        with boot("microkernel", Echo, cpus={cpu}, transport="ring") as system:
            connected = agent(system)._connect("Echo", system.caller)
            assert isinstance(connected, RingChannel)
            for _ in range(3 * patience.RECHECK):
                assert exchange(connected, frame(0, b"")) == frame(OK, b"")
                assert connected._tickets[2] == 0
            connected.close()
    finally:
        os.sched_setaffinity(0, before)


def other_places(here: int) -> list[int]:
    return [0, patience.SEVERAL, here, here + 1]


@pytest.mark.parametrize("there", range(4))
def test_who_polls_can_run_beside_the_other(there: int) -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        here = patience.place()
        said: list[int] = []
        patient = patience.Patience(said.append, lambda: other_places(here)[there])
        polls = [patient.next(number) for number in range(1, 10)]
    finally:
        os.sched_setaffinity(0, before)
    assert said[0] == here
    assert any(polls) == (there in {1, 3})


@given(st.lists(st.integers(0, 5), min_size=20, max_size=60))
def test_vain_polls_grow_rare(hits: list[int]) -> None:
    """Each wait that sleeps comes after some that did not have to."""
    patient, number, vain, polls = patience.Patience(lambda _: None, lambda: 1), 0, 0, 0
    patient._may_poll = lambda: True  # type: ignore[method-assign]  # wherever this test runs
    rests: list[int] = []
    for paid in hits:
        number += 1 + (paid if polls else 0)
        was, polls = polls, patient.next(number)
        if was:
            vain = 1 if paid else vain + 1
            rests.append(0)
            assert polls == 0
        elif rests:
            rests[-1] += 1
            assert (polls > 0) == (rests[-1] == 1 << min(vain, patience.LONGEST_REST) - 1)


def test_where_the_order_does_not_hold_the_ring_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(WiringError, match=r"^the transport 'ring' does not work here: .*aarch64$"):
        boot("microkernel", Echo, transport="ring")
