"""Large messages: through the store, whole, whatever the other end does to it meanwhile."""

import errno
import os
import random
import signal
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from kernels.bulk import GRANT, KEPT, STORE, Bulk, create_outbox, map_box
from kernels.frames import (
    FAILED,
    HEADER,
    IN_STORE,
    LARGE,
    MAX_PAYLOAD,
    OK,
    SMALL,
    MalformedFrameError,
)
from kernels.line import Line
from kernels.parcels import close_all
from kernels.pipes import PIPE, PipeChannel
from kernels.remote import deliver
from kernels.transports import TRANSPORTS
from tests.conftest import KERNELS, RING, Kernel
from tests.kernels import programs
from tests.kernels.channels import channel, channel_pair
from tests.kernels.services import Bugs, Card, Desk, Echo, Mood, Point, pages_of
from twinos import Pages, ServerDied, operations
from twinos.codec import encode

EDGES = [LARGE - 9, LARGE, LARGE + 1, 65_536, 1 << 20, STORE - 6, STORE - 5, STORE, STORE + 1]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with boot("microkernel", Echo, Bugs) as system:
        yield system


@pytest.mark.parametrize("kernel", [*KERNELS, RING], ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("size", EDGES)
def test_bytes_of_any_size_come_back(kernel: Kernel, size: int, rng: random.Random) -> None:
    data = rng.randbytes(size)
    with kernel.boot(Echo) as system:
        assert system[Echo].data(data) == data
        assert system[Echo].data(b"small") == b"small"  # and the store is not read again


PAGED = [0, 1, 4096, LARGE - 1, LARGE, 1 << 20, KEPT + 4097, STORE, STORE + 1]


@pytest.mark.parametrize("kernel", [*KERNELS, RING], ids=lambda kernel: kernel.name)
def test_bytes_in_pages_of_any_size_come_back(kernel: Kernel) -> None:
    with kernel.boot(Echo, Desk) as system:
        for length in PAGED:
            for seed in (0, 0, 1):
                whole = bytes(Pages(pages_of(length, seed), 4096, length))
                assert system[Echo].paged(length, seed) == whole
            assert system[Desk].paged(length) == length
        with system.batch() as later:
            pending = [later(system[Echo].paged, length) for length in (1, LARGE, 3 * LARGE)]
        assert [len(each.result()) for each in pending] == [1, LARGE, 3 * LARGE]


@pytest.mark.parametrize("transport", ["pipe", "ring"])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PAGED[4:-1]), st.integers(0, 1))))
def test_an_outbox_remembers_what_lies_in_it(
    transport: str, contents: list[tuple[bool, int, int]]
) -> None:
    ours, theirs = channel_pair(transport)
    for in_pages, length, seed in contents:
        pages = Pages(pages_of(length, seed), 4096, length)
        ours.send(Bulk(OK, pages if in_pages else bytes(pages), b"payload"))
        received = theirs.receive(SMALL)
        assert isinstance(received, Bulk)
        assert received.contents == bytes(pages)
    ours.close()
    theirs.close()


def test_pages_are_copied_into_the_outbox_and_out_of_the_inbox_and_no_more() -> None:
    """Of what is allocated on the way of 1 MiB, all but little is what arrives."""
    ours, theirs = channel_pair()
    pages = Pages(pages_of(1 << 20, 0), 4096, 1 << 20)
    bytes(pages)  # how it is laid out is remembered
    tracemalloc.start()
    try:
        ours.send(Bulk(OK, pages, b"payload"))
        _, sending = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        received = theirs.receive(SMALL)
        _, receiving = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sending < 1 << 14
    assert 1 << 20 <= receiving < (1 << 20) + (1 << 14)
    assert len(received) > 1 << 20
    ours.close()
    theirs.close()


@settings(max_examples=60)
@given(
    st.integers(0, 3).flatmap(lambda power: st.integers(0, LARGE << power)),
    st.sampled_from(["x", "\N{SNOWMAN}", "\udcff"]),
)
def test_what_holds_something_large_comes_back(system: System, size: int, letter: str) -> None:
    card = Card(letter * size, (Point(1),))
    points = tuple(Point(number) for number in range(size >> 4))
    result = system[Echo].everything(True, 0.5, Mood.BAD, card, points, size)
    assert result == (True, 0.5, Mood.BAD, card, points, size)
    assert system[Echo].text(letter * size) == letter * size


@pytest.mark.parametrize("transport", ["pipe", "ring"])
@given(
    size=st.integers(LARGE, LARGE + 100), code=st.integers(0, 255), payload=st.binary(max_size=9)
)
def test_contents_are_granted(transport: str, size: int, code: int, payload: bytes) -> None:
    ours, theirs = channel_pair(transport)
    message = Bulk(code, os.urandom(8) * (size // 8), payload)
    if len(message.contents) >= LARGE:
        ours.send(message)
        received = theirs.receive(SMALL)
        assert isinstance(received, Bulk)
        assert (received.code, received.contents, received.payload, len(received)) == (
            message.code,
            message.contents,
            message.payload,
            len(message),
        )
    ours.close()
    theirs.close()


def test_only_a_grant_goes_through_the_pipe() -> None:
    ours, theirs = channel_pair()
    ours.send(Bulk(7, bytes(STORE), b"payload"))
    assert os.read(theirs.source, 1 << 16) == GRANT.pack(IN_STORE | 11, 7, STORE) + b"payload"
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "grant",
    [
        *(GRANT.pack(IN_STORE | 4, OK, size) for size in (0, 1, LARGE - 1, STORE + 1, IN_STORE)),
        HEADER.pack(IN_STORE, OK),
        HEADER.pack(IN_STORE | 3, OK) + bytes(3),
        GRANT.pack(IN_STORE | LARGE + 1, OK, LARGE),
        GRANT.pack(IN_STORE | IN_STORE - 1, OK, LARGE),
        GRANT.pack(IN_STORE | 4, OK, LARGE) + b"more",
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("transport", ["pipe", "ring"])
def test_what_no_outbox_holds_is_malformed(transport: str, grant: bytes) -> None:
    ours, theirs = channel_pair(transport)
    ours.send(grant)
    with pytest.raises(MalformedFrameError):
        theirs.receive(SMALL)
    ours.close()
    theirs.close()


def test_a_payload_too_large_to_send() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_PAYLOAD

    assert len(Bulk(OK, Huge())) == HEADER.size + MAX_PAYLOAD
    with pytest.raises(OSError, match="Message too long"):
        Bulk(OK, Huge(), b"x")


def test_content_that_looks_like_an_encoding_is_content(system: System) -> None:
    looks = encode(bytes(LARGE))
    assert system[Echo].data(looks) == looks
    assert system[Echo].data(encode(looks)) == encode(looks)


def test_an_outbox_keeps_its_size_and_has_one_writer() -> None:
    owners, readers = create_outbox()
    for descriptor in (owners, readers):
        for size in (0, STORE - 1, STORE + 1):
            with pytest.raises(OSError, match=r"not permitted|Invalid argument"):
                os.ftruncate(descriptor, size)
    with pytest.raises(PermissionError):
        map_box(readers, writable=True)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(readers, b"x")
    with map_box(owners, writable=True) as written, map_box(readers, writable=False) as read:
        written[:3] = b"abc"
        assert read[:3] == b"abc"
        with pytest.raises(TypeError):
            read[:3] = b"xyz"
    close_all((owners, readers))
    other = os.memfd_create("other")
    with pytest.raises(OSError, match="Invalid argument"):
        map_box(other, writable=True)
    os.close(other)


@pytest.mark.parametrize("transport", ["pipe", "ring"])
@pytest.mark.parametrize("arrived", [0, 1, 2, 3])
def test_a_channel_that_arrived_in_part_leaves_nothing(transport: str, arrived: int) -> None:
    ours, theirs = TRANSPORTS[transport].ends()
    with pytest.raises(OSError, match="Too many open files"):
        TRANSPORTS[transport].adopt(ours[:arrived], 0)
    assert_closed(*ours[:arrived])
    close_all(ours[arrived:] + theirs)


@pytest.mark.parametrize("transport", ["pipe", "ring"])
@pytest.mark.parametrize("place", [2, 3])
def test_a_channel_whose_memory_is_none_leaves_nothing(transport: str, place: int) -> None:
    ours, theirs = TRANSPORTS[transport].ends()
    os.close(ours[place])
    other = os.memfd_create("other")
    swapped = (*ours[:place], other, *ours[place + 1 :])
    with pytest.raises(OSError, match="Invalid argument"):
        TRANSPORTS[transport].adopt(swapped, 0)
    assert_closed(*swapped)
    close_all(theirs)


def assert_closed(*descriptors: int) -> None:
    for descriptor in descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


class Scribbler:
    """Writes noise over contents that were granted, again and again, until the end of the block."""

    def __init__(self, channel: PipeChannel, seed: int) -> None:
        self._memory = channel.sent
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._scribble)

    def _scribble(self) -> None:
        while not self._over.is_set():
            at = self._random.choice([0, 0, self._random.randrange(LARGE)])
            noise = self._random.choice([b"\xc6", b"\x91", b"\xdf\xff\xff\xff\xff"])
            self._memory[at : at + len(noise)] = noise

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.parametrize("left_out", [False, True], ids=["encoded", "left out"])
def test_a_client_that_writes_while_the_server_looks_harms_itself(
    system: System, left_out: bool
) -> None:
    pid, operation = system[Echo].pid(), operations(Echo)["data"]
    payload = encode((bytes(2 * LARGE),))
    sent = Bulk(operation.number, payload, encode((b"",)) if left_out else b"")
    for seed in range(40):
        mine = channel(system)
        with Scribbler(mine, seed):
            for _ in range(5):
                try:
                    mine.send(sent)
                    mine.receive(SMALL)
                except (BrokenPipeError, EOFError):
                    break  # malformed: it cost the channel
        mine.close()
    assert system[Echo].pid() == pid
    assert system[Echo].data(payload) == payload


@pytest.mark.parametrize(
    "payload", [encode((b"x",)), encode(()), encode((1,)), encode((b"", b"")), b"\xc4\0", b"\xc1"]
)
def test_a_grant_that_fits_no_argument_costs_the_channel(system: System, payload: bytes) -> None:
    for name in ("data", "number", "null", "everything", "text"):
        mine = channel(system)
        mine.send(Bulk(operations(Echo)[name].number, bytes(LARGE), payload))
        with pytest.raises(EOFError):
            mine.receive(SMALL)
        mine.close()
    assert system[Echo].number(1) == 1


BAD_REPLIES = [
    Bulk(OK, encode(bytes(1 << 16)) + b"more"),
    Bulk(OK, bytes(LARGE), encode(b"x")),
    Bulk(OK, bytes(LARGE), encode((b"",))),
    Bulk(FAILED, bytes(LARGE), encode(b"")),
    Bulk(FAILED, bytes(LARGE)),
]


def forge(name: str, reply: Bulk, seed: int | None = None) -> object:
    """What a client makes of a large reply, over which its sender may write noise; or the errno."""
    ours, theirs = channel_pair()
    line = Line(PIPE, lambda: ours, lambda _: ConnectionResetError(errno.ECONNRESET, "lost"))
    operation = operations(Echo)[name]

    def answer() -> None:
        theirs.receive(SMALL)
        theirs.send(reply)

    server = threading.Thread(target=answer)
    try:
        with nullcontext() if seed is None else Scribbler(theirs, seed):
            server.start()
            return deliver(line, operation)(*[b""] * len(operation.parameters))
    except OSError as error:
        return error.errno
    finally:
        server.join()
        line.close()
        theirs.close()


@pytest.mark.parametrize("reply", BAD_REPLIES, ids=range(len(BAD_REPLIES)))
def test_a_large_reply_that_is_none_is_told(reply: Bulk) -> None:
    assert forge("data", reply) == errno.EPROTO


@pytest.mark.parametrize("name", ["data", "text", "everything", "number", "null"])
def test_a_server_that_writes_while_the_client_looks_can_not_change_a_type(name: str) -> None:
    for seed in range(20):
        for reply in (Bulk(OK, encode(bytes(LARGE))), Bulk(OK, bytes(LARGE), encode(b""))):
            result = forge(name, reply, seed)
            assert result == errno.EPROTO or (name == "data" and isinstance(result, bytes))


def test_a_server_that_dies_with_a_grant_takes_nothing_along(system: System) -> None:
    data = bytes(1 << 20)
    for _ in range(3):
        assert system[Echo].data(data) == data
        with pytest.raises(ServerDied):
            system[Bugs].die(signal.SIGKILL)
        assert system[Echo].data(data) == data


def test_a_client_that_dies_with_a_grant_takes_nothing_along(system: System) -> None:
    data = bytes(1 << 20)
    for _ in range(3):
        process = system.process(programs.send_much_for_ever, 1 << 20)
        system[Echo].data(data)
        process.kill()
        assert process.join() == -signal.SIGKILL
    assert system[Echo].data(data) == data


@pytest.mark.parametrize("transport", ["pipe", "ring"])
@pytest.mark.parametrize("size", [STORE + 1, 2 * STORE, 2 * STORE + LARGE])
def test_a_message_larger_than_an_outbox_arrives(transport: str, size: int) -> None:
    ours, theirs = channel_pair(transport)
    sent = Bulk(3, random.Random(size).randbytes(size))
    sender = threading.Thread(target=ours.send, args=(sent,))
    sender.start()
    received = theirs.receive(SMALL)
    sender.join()
    assert not isinstance(received, Bulk)
    assert bytes(received) == sent.whole()
    ours.close()
    theirs.close()


def test_the_flag_is_beyond_every_size() -> None:
    assert IN_STORE > STORE
    assert IN_STORE > MAX_PAYLOAD


@pytest.mark.parametrize("kernel", [*KERNELS, RING], ids=lambda kernel: kernel.name)
def test_a_result_that_no_message_holds_is_an_error(kernel: Kernel) -> None:
    with kernel.boot(Echo) as system:
        if kernel.remote:
            with pytest.raises(OSError, match="Message too long") as caught:
                system[Echo].zeros(MAX_PAYLOAD + 1)
            assert caught.value.errno == errno.EMSGSIZE
        assert system[Echo].zeros(1) == b"\0"
