"""Who knows the code and means harm: malformed frames, forged callers, things nobody asked for."""

import errno
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from kernels.boot import REQUESTS
from kernels.bulk import STORE, payload_of
from kernels.control import (
    ANSWERS,
    Boot,
    Connect,
    Crowded,
    Departure,
    Dismiss,
    Enrol,
    Failed,
    Granted,
    Hello,
    Inquest,
    Knock,
    LastWords,
    Ready,
    Refused,
    Share,
    Shutdown,
    Tour,
)
from kernels.frames import HEADER, IN_STORE, LARGE, MAX_PAYLOAD, MalformedFrameError, frame
from kernels.line import Line
from kernels.nucleus import MOST_CALLERS
from kernels.parcels import post, take
from kernels.pipes import CHUNK, PIPE
from kernels.remote import deliver
from kernels.switchboard import MOST_QUESTIONS
from tests.conftest import eventually
from tests.kernels import programs
from tests.kernels.channels import agent, channel, channel_pair
from tests.kernels.services import Bugs, Card, Echo, Front, Mailbox, Mood, Point
from twinos import Caller, KernelPanic, Op, operations
from twinos.codec import MalformedMessage, encode

FRAMES = [
    frame(op.number, encode(arguments) if arguments else b"")
    for op, arguments in (
        (operations(Echo)["null"], ()),
        (operations(Echo)["number"], (5,)),
        (operations(Echo)["text"], ("name \udcff",)),
        (operations(Echo)["data"], (b"x" * 700,)),
        (operations(Echo)["defaults"], (1, "2", b"3")),
        (operations(Echo)["fails"], (2, "text", "name", None)),
        (
            operations(Echo)["everything"],
            (True, 0.5, Mood.BAD, Card("t", (Point(1),)), (Point(2, 3),), None),
        ),
    )
]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with boot("microkernel", Echo, Front, Mailbox) as system:
        yield system


def status(pid: int) -> dict[str, int]:
    """What a process holds."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        anonymous = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    return {
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "kilobytes": anonymous,
    }


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def unharmed(system: System) -> Callable[[], None]:
    """Fails if a server or the nucleus died, or holds more than before."""
    pid = system[Echo].pid()
    watched = [pid, parent(pid)]
    system[Echo].data(bytes(CHUNK))
    hostile(system, b"warm")
    system[Echo].null()  # from now on our channels have a crew
    hostile(system, b"warm")
    intrude(system, b"warm")
    before = [status(each) for each in watched]

    def check() -> None:
        assert system[Echo].pid() == pid
        assert system[Echo].everything(True, 1.0, Mood.GOOD, Card("x"), (), 5)[-1] == 5

        def flat() -> bool:
            now = [status(each) for each in watched]
            return all(
                each[what] <= former[what]
                for each, former in zip(now, before, strict=True)
                for what in ("threads", "descriptors")
            )

        eventually(flat, "threads and descriptors as before")

    return check


def hostile(system: System, *messages: bytes) -> bytes:
    """Write to a channel of one's own, hang up, and return whatever comes."""
    mine = channel(system)
    source, sink = mine.source, mine.sink
    mine.received.close()
    mine.sent.close()
    with suppress(BrokenPipeError):
        for message in messages:
            os.write(sink, message)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        return file.read()


MUTATED = st.builds(
    lambda message, changes, tail: (
        bytes(changes.get(index, byte) for index, byte in enumerate(message)) + tail
    ),
    st.sampled_from(FRAMES),
    st.dictionaries(st.integers(0, 40), st.integers(0, 255), max_size=4),
    st.binary(max_size=3),
)


@settings(max_examples=150)
@given(st.lists(st.one_of(st.binary(max_size=60), MUTATED), min_size=1, max_size=3))
def test_noise_and_mutated_requests(system: System, messages: list[bytes]) -> None:
    for message in messages:
        assert hostile(system, message) is not None
    hostile(system, *messages)
    assert system[Echo].number(1) == 1


def test_many_mutants_leave_nothing_behind(
    system: System, unharmed: Callable[[], None], rng: random.Random
) -> None:
    pid = system[Echo].pid()
    before = 0
    for number in range(1600):
        if number == 100:  # warm by now
            before = status(pid)["kilobytes"]
        message = bytearray(rng.choice(FRAMES))
        for _ in range(rng.randrange(1, 5)):
            message[rng.randrange(len(message))] = rng.randrange(256)
        hostile(system, bytes(message[: rng.choice([len(message), rng.randrange(len(message))])]))
    assert status(pid)["kilobytes"] - before < 2048
    unharmed()


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        HEADER.pack(0, 255),
        HEADER.pack(0, len(operations(Echo))),
        HEADER.pack(5, 0) + bytes(5),
        HEADER.pack(MAX_PAYLOAD + 1, 0),
        HEADER.pack(2**32 - 1, 3),
        HEADER.pack(IN_STORE, 3),
        HEADER.pack(IN_STORE | LARGE - 1, 3),
        HEADER.pack(IN_STORE | STORE + 1, 3),
        HEADER.pack(IN_STORE | LARGE, 3),  # zeros, which are no arguments
        HEADER.pack(IN_STORE | LARGE, 255),
        HEADER.pack(IN_STORE | LARGE, 3) + b"\0",
        HEADER.pack(MAX_PAYLOAD, 3) + bytes(4096),
        FRAMES[1][:-1],
        FRAMES[1] + b"\0",
        FRAMES[1] * 2,
        frame(operations(Echo)["number"].number, encode(("x",))),
        frame(operations(Echo)["number"].number, encode((2**63 * 1.0,))),
        frame(operations(Echo)["number"].number, encode((1, 2))),
        frame(operations(Echo)["number"].number, encode(())),
        frame(operations(Echo)["number"].number, b""),
        frame(operations(Echo)["number"].number, encode((1,)) + b"\0"),
        frame(operations(Echo)["text"].number, b"\x91\xa1\xff"),
        frame(operations(Echo)["caller"].number, encode((Caller(1, uid=0),))),
        frame(operations(Echo)["everything"].number, b"\x96\xc3\xcb" + b"\x91" * 50_000),
        frame(operations(Echo)["data"].number, b"\x91\xc6\xff\xff\xff\xff" + bytes(100)),
        frame(operations(Echo)["text"].number, b"\x91" * 60_000),
    ],
    ids=lambda message: repr(message[:16]),
)
def test_what_is_no_request_costs_its_sender_the_channel(
    system: System, unharmed: Callable[[], None], message: bytes
) -> None:
    assert hostile(system, message) == b""
    unharmed()


def test_a_deeply_nested_unknown_field(system: System, unharmed: Callable[[], None]) -> None:
    card = b"\x82\xa5title\xa1x\xa4what" + b"\x91" * 60_000 + b"\xc0"
    payload = b"\x96\xc3" + encode(0.5) + encode("good") + card + encode(()) + encode(None)
    assert hostile(system, frame(operations(Echo)["everything"].number, payload)) == b""
    unharmed()


def test_a_request_comes_in_any_pieces(system: System, rng: random.Random) -> None:
    mine = channel(system)
    data = rng.randbytes(3000)
    request = frame(operations(Echo)["data"].number, encode((data,)))
    for _ in range(5):
        at = 0
        while at < len(request):
            at += os.write(mine.sink, request[at : at + rng.randrange(1, 700)])
        reply = mine.complete(b"")
        assert msgspec.msgpack.decode(payload_of(reply)) == data
    mine.close()


def test_who_does_not_read_its_replies_keeps_nobody_waiting(
    system: System, unharmed: Callable[[], None]
) -> None:
    mine = channel(system)
    request = frame(operations(Echo)["zeros"].number, encode((STORE + 1,)))
    os.write(mine.sink, request)
    os.read(mine.source, 1)  # the reply is under way, and the pipe is full
    for number in range(100):
        assert system[Echo].number(number) == number
    mine.close()
    unharmed()


# Replies that no server sent.


def forged(operation: Op, reply: bytes) -> Any:
    """What a client makes of that reply."""
    ours, theirs = channel_pair()
    line = Line(PIPE, lambda: ours, lambda _: ConnectionResetError(errno.ECONNRESET, "lost"))

    def answer() -> None:
        os.read(theirs.source, 1 << 16)
        with suppress(BrokenPipeError):
            os.write(theirs.sink, reply)
        theirs.close()

    server = threading.Thread(target=answer)
    server.start()
    try:
        return deliver(line, operation)(*[b""] * len(operation.parameters))
    finally:
        server.join()
        line.close()


@settings(max_examples=200)
@given(
    st.sampled_from(["null", "number", "text", "data", "caller", "everything"]),
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            frame,
            st.integers(0, 3),
            st.one_of(st.binary(max_size=20), st.just(b"\x91" * 3000)),
        ),
        MUTATED,
    ),
)
def test_a_forged_reply_is_an_error_or_well_typed(name: str, reply: bytes) -> None:
    operation = operations(Echo)[name]
    try:
        result = forged(operation, reply)
    except OSError:
        return
    expected = {"null": type(None), "number": int, "text": str, "data": bytes, "caller": Caller}
    assert result is None or isinstance(result, expected.get(name, tuple))


# The control connection.


def intrude(system: System, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
    """Say anything to the nucleus, over a connection of one's own."""
    with agent(system).knock() as connection:
        with suppress(OSError):
            socket.send_fds(connection, [message], descriptors)
            connection.shutdown(socket.SHUT_WR)
        with suppress(EOFError):
            while True:
                for each in take(connection).descriptors:
                    os.close(each)


ASKS = [
    Connect(1, "Echo"),
    Inquest(2, "Echo", 0),
    Inquest(2, "Nowhere", 1),
    Enrol(0, 0, (1,)),
    Dismiss(1),
    Share(1, "Bugs", "store"),
    Hello(),
    Tour(),
    Knock(),
    Boot(),
    Departure(1),
    Crowded(1),
    Ready(),
    Failed(None, "x"),
    LastWords("x"),
    Shutdown(),
]


@settings(max_examples=150)
@given(
    st.data(),
    st.one_of(st.binary(max_size=50), st.sampled_from(ASKS).map(lambda a: b"1234" + encode(a))),
)
def test_noise_and_mutants_for_the_nucleus(
    system: System, data: st.DataObject, message: bytes
) -> None:
    mutant = bytearray(message)
    for _ in range(data.draw(st.integers(0, 3))):
        if mutant:
            mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    with open(os.devnull, "rb") as file:
        intrude(system, bytes(mutant), (file.fileno(),) * data.draw(st.integers(0, 6)))
    assert system[Echo].number(1) == 1


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"\0\0\0",
        b"\0\0\0\0",
        b"1234" + b"\x91" * 60_000,
        b"1234" + b"\x93" + encode("Connect") + encode(1) + encode("Echo") + b"\x91" * 50_000,
        b"1234\x94" + encode("Connect") + encode(1) + encode("Echo") + b"\x91" * 50_000 + b"\xc0",
        b"1234" + bytes(70_000),
    ],
    ids=lambda message: repr(message[:16]),
)
def test_what_the_nucleus_does_not_understand(
    system: System, unharmed: Callable[[], None], message: bytes
) -> None:
    with open(os.devnull, "rb") as file:
        for count in (0, 1, 4, 9):
            intrude(system, message, (file.fileno(),) * count)
    unharmed()


def test_knocking_with_what_is_no_connection(system: System, unharmed: Callable[[], None]) -> None:
    door = agent(system).door
    assert door is not None
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    unconnected = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pipe = os.pipe()
    event = os.eventfd(0)
    with ours, theirs, unconnected, open(os.devnull, "rb") as null:
        for descriptor in (unconnected.fileno(), *pipe, event, null.fileno(), theirs.fileno()):
            post(door, Knock(), (descriptor,))
            socket.send_fds(door, [b""], [descriptor])
            socket.send_fds(door, [b"x"], [descriptor] * 9)
        ours.send(b"1234 nonsense")
    for descriptor in (*pipe, event):
        os.close(descriptor)
    unharmed()


def test_hello_with_what_is_no_process(system: System, unharmed: Callable[[], None]) -> None:
    with open(os.devnull, "rb") as file:
        intrude(system, b"1234" + encode(Hello()), (file.fileno(), file.fileno()))
    unharmed()


def refusal(system: System, ask: Any) -> int | None:
    """The errno with which the nucleus refuses what a stranger asks; None: it does not."""
    with agent(system).knock() as connection:
        post(connection, ask, number=1)
        parcel = take(connection)
        for each in parcel.descriptors:
            os.close(each)
        answer = ANSWERS(parcel.message)
        return None if isinstance(answer, Granted) else answer.error[1]  # type: ignore[union-attr,index,return-value]  # refused


def test_callers_can_not_be_forged(system: System, unharmed: Callable[[], None]) -> None:
    with system.user(uid=1000) as user:
        for caller in (0, 1, 2, system.caller.id, user.caller.id, -1, 2**64 - 1):
            assert refusal(system, Connect(caller, "Echo")) == errno.EPERM
    assert refusal(system, Connect(system.caller.id, "Nowhere")) == errno.EPERM
    assert refusal(system, Inquest(2, "Nowhere", 0)) == errno.EPERM
    assert refusal(system, Share(system.caller.id, "Nowhere", "store")) == errno.EPERM
    unharmed()


def test_only_the_owner_boots_and_only_servers_speak_as_servers(
    system: System, unharmed: Callable[[], None]
) -> None:
    servers_say = (Ready(), Failed(None, ""), LastWords(""), Departure(5), Crowded(1))
    for ask in (Boot(), Shutdown(), Knock(), *servers_say):
        assert refusal(system, ask) == errno.EPERM
    with pytest.raises(PermissionError):
        agent(system).ask(Ready())
    before = system[Mailbox].gone()
    assert refusal(system, Dismiss(system.caller.id)) is None
    assert system[Mailbox].gone() == before  # it dismissed nobody
    assert system[Echo].caller() == system.caller
    unharmed()


def test_a_server_reaches_what_it_was_wired_to_and_nothing_else(system: System) -> None:
    front = system[Front]
    itself = next(c for c in range(1, 6) if front.try_connecting("Bugs", c) == 0)
    assert front.try_connecting("Bugs", itself) == 0
    for service in ("Echo", "Mailbox", "Front", "Nowhere", ""):
        assert front.try_connecting(service, itself) == errno.EPERM
    for caller in (0, itself + 1, itself - 1, system.caller.id):
        assert front.try_connecting("Bugs", caller) == errno.EPERM
    assert front.try_enrolling() == errno.EPERM


def open_in(pid: int) -> list[str]:
    """What a process has open beside the standard descriptors."""
    folder = f"/proc/{pid}/fd"
    return [os.readlink(f"{folder}/{entry}") for entry in os.listdir(folder) if int(entry) > 2]


def test_no_process_holds_what_it_does_not_need(system: System) -> None:
    system[Front].again()
    pid, front = system[Bugs].pid(), system[Front].pid()

    def pipes() -> int:
        return sum(each.startswith("pipe") for each in open_in(pid))

    eventually(lambda: pipes() == 4)  # its clients are Front and we, once others have gone
    held = open_in(pid)  # it calls nobody
    assert sum(each.startswith("socket") for each in held) == 4  # two are the region's shelf
    assert sum("twinos:bulk" in each for each in held) == 4
    crews = "anon_inode:[event"  # Front has been made to open several channels
    common = ("socket", "pipe", "/memfd:twinos:bulk", crews)
    rest = [each for each in held if not each.startswith(common)]
    assert all("twinos:Bugs.store" in each for each in rest)
    held = open_in(front)
    assert sum(each.startswith("socket") for each in held) == 2
    assert sum(each.startswith("pipe") for each in held) == 4
    assert sum("twinos:bulk" in each for each in held) == 4
    assert len(held) == 10
    nucleus = open_in(parent(pid))  # it is on no channel's way
    assert not [each for each in nucleus if each.startswith("pipe") or "twinos:bulk" in each]


MODES: dict[str, dict[str, Any]] = {
    "pipe": {},
    "ring": {"transport": "ring"},
    "routed": {"transport": "routed"},
    "grouped": {"kernel": "hybrid", "groups": [[Echo, Mailbox]]},
    "one space": {"kernel": "monolithic", "users": "process"},
    "cells": {"sandbox": True},
}


@pytest.mark.parametrize("mode", MODES)
def test_what_is_open_in_two_processes_is_what_they_talk_by(mode: str) -> None:
    """Every pipe and every piece of shared memory, in the kernel and in all servers."""
    options = {"kernel": "microkernel", **MODES[mode]}
    if mode == "cells" and os.getuid():
        pytest.skip("only the superuser sees what is open in a cell")
    with boot(options.pop("kernel"), Echo, Front, Mailbox, **options) as system:
        system[Echo].data(bytes(LARGE))
        system[Mailbox].waiting()
        system[Front].again()
        nucleus = system._kernel._nucleus.pid  # type: ignore[attr-defined]  # of a microkernel
        of = {name: each.pid for each in system.status() for name in each.services}
        me, front, bugs = os.getpid(), of["Front"], of["Bugs"]
        pairs = [{me, server} for server in of.values()] + [{front, bugs}]
        ends = [{pid, nucleus} for pid in (me, *of.values())] if mode == "routed" else pairs

        def settled() -> None:
            mine = held_by(me)
            for (name, inode), others in held_by(nucleus, *of.values()).items():
                holders = others | mine.get((name, inode), set())
                if name in {"pipe", "twinos:bulk"}:
                    assert holders in (ends if name == "pipe" else pairs), (name, holders)
                else:
                    owner = of[name.removeprefix("twinos:").partition(".")[0]]
                    assert holders <= {owner, nucleus}, (name, holders)

        eventually(lambda: not failed(settled), "nothing is open that need not be")


def failed(check: Callable[[], None]) -> bool:
    try:
        check()
    except (AssertionError, OSError):
        return True
    return False


def held_by(*pids: int) -> dict[tuple[str, int], set[int]]:
    """What these processes hold that others may, too: its name and its inode, and who has it."""
    found: dict[tuple[str, int], set[int]] = {}
    for pid in pids:
        for entry in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{entry}"
            with suppress(FileNotFoundError):  # the listing's own
                link = os.readlink(path).removeprefix("/memfd:")
                kind = link.partition(" ")[0].partition(":[")[0]
                if int(entry) > 2 and not kind.startswith(("socket", "anon_inode")):
                    found.setdefault((kind, os.stat(path).st_ino), set()).add(pid)
    return found


def test_more_groups_than_a_message_holds_are_refused(system: System) -> None:
    with pytest.raises(OSError, match="Message too long") as caught:
        system.user(groups=tuple(range(2**40, 2**40 + 50_000)))
    assert caught.value.errno == errno.EMSGSIZE
    assert system[Echo].number(1) == 1


def test_a_message_too_large_to_send() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_PAYLOAD + 1

    with pytest.raises(OSError, match="Message too long"):
        frame(0, Huge())
    ours, theirs = channel_pair()
    os.write(ours.sink, HEADER.pack(MAX_PAYLOAD + 1, 0))
    with pytest.raises(MalformedFrameError):
        theirs.complete(b"")
    ours.close()
    theirs.close()


def test_a_program_that_was_told_to_go_is_heard_no_more() -> None:
    with boot("microkernel", Mailbox, Echo) as system:
        process = system.process(programs.loop)
        system[Mailbox].take()
    with pytest.raises(KernelPanic):
        agent(system).knock()
    assert process.join() == -9


def test_malformed_is_what_the_codec_calls_it() -> None:
    assert issubclass(MalformedMessage, Exception)
    assert not issubclass(MalformedMessage, OSError)


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
@pytest.mark.parametrize("most", [REQUESTS, 3])
def test_a_flood_of_requests_that_wait_is_bounded(kernel: str, most: int) -> None:
    """Who has its share under way is told to try again; who has not is served."""
    with boot(kernel, Mailbox, users="process", requests=most) as system, system.user() as other:
        refused: list[OSError] = []
        taken: list[bytes] = []

        def take_one() -> None:
            try:
                taken.append(system[Mailbox].take())
            except BlockingIOError as error:
                refused.append(error)

        flood = [threading.Thread(target=take_one) for _ in range(most + 4)]
        for thread in flood:
            thread.start()
        eventually(lambda: len(refused) == 4, "four too many are refused")
        assert {error.errno for error in refused} == {errno.EAGAIN}
        eventually(lambda: other[Mailbox].waiting() == most)
        for _ in range(most):
            other[Mailbox].put(b"x")
        for thread in flood:
            thread.join()
        assert taken == [b"x"] * most
        system[Mailbox].put(b"y")
        assert system[Mailbox].take() == b"y"  # and later it is served again


def test_a_flood_of_callers_is_bounded() -> None:
    """Who enrols for ever, and never leaves, is refused at some time."""
    with boot("microkernel", Echo) as system, agent(system).knock() as connection:
        refused = 0
        for _ in range(MOST_CALLERS + 2):
            post(connection, Enrol(0, 0, ()), number=1)
            refused += isinstance(ANSWERS(take(connection).message), Refused)
        assert refused == 2
        assert system[Echo].number(1) == 1


def test_a_flood_of_questions_is_bounded() -> None:
    """Questions about lives to come stay open for a while: only so many."""
    with boot("microkernel", Echo) as system, agent(system).knock() as connection:
        post(connection, Enrol(0, 0, ()), number=1)
        granted = ANSWERS(take(connection).message)
        assert isinstance(granted, Granted)
        assert granted.caller is not None
        for _ in range(MOST_QUESTIONS + 2):
            post(connection, Inquest(granted.caller.id, "Echo", 2**40), number=2)
        answers = [ANSWERS(take(connection).message) for _ in range(MOST_QUESTIONS + 2)]
        assert sum(isinstance(answer, Refused) for answer in answers) == 2
        assert system[Echo].number(1) == 1


def test_nothing_of_a_system_has_a_name_on_the_host(system: System) -> None:
    """There is nothing to guess: no shared memory, no socket, no pipe that could be opened."""
    with open("/proc/net/unix", encoding="utf-8") as file:
        named = {fields[6]: fields[7] for line in file if len(fields := line.split()) > 7}
    pids = [system[Bugs].pid(), system[Front].pid(), parent(system[Bugs].pid())]
    for pid in pids:
        for link in open_in(pid):
            kind, _, inode = link.partition(":[")
            assert kind in {"socket", "pipe", "anon_inode"} or link.startswith(
                ("/memfd:", "anon_inode:")
            )
            assert inode.rstrip("]") not in named
            assert not link.startswith("/memfd:") or link.endswith("(deleted)")
