"""Large messages: through the store, whole, whatever the other end does to it meanwhile."""

import errno
import os
import random
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from kernels.bulk import STORE, Bulk, Store, create_store, payload_of
from kernels.frames import HEADER, IN_STORE, LARGE, MAX_PAYLOAD, OK, MalformedFrameError, frame
from kernels.line import Line
from kernels.parcels import close_all
from kernels.pipes import PIPE, PipeChannel
from kernels.remote import deliver
from tests.conftest import Kernel
from tests.kernels.channels import channel, channel_pair
from tests.kernels.services import Bugs, Card, Echo, Mood, Point
from twinos import ServerDied, operations
from twinos.codec import encode

EDGES = [LARGE - 9, LARGE, LARGE + 1, 65_536, 1 << 20, STORE - 6, STORE - 5, STORE, STORE + 1]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with boot("microkernel", Echo, Bugs) as system:
        yield system


@pytest.mark.parametrize("size", EDGES)
def test_bytes_of_any_size_come_back(kernel: Kernel, size: int, rng: random.Random) -> None:
    data = rng.randbytes(size)
    with kernel.boot(Echo) as system:
        assert system[Echo].data(data) == data
        assert system[Echo].data(b"small") == b"small"  # and the store is not read again


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


@given(st.integers(LARGE, LARGE + 100), st.integers(0, 255), st.booleans())
def test_only_a_header_goes_through_the_pipe(size: int, code: int, plain: bool) -> None:
    ours, theirs = channel_pair()
    data = os.urandom(8) * (size // 8)
    message = Bulk.of_bytes(code, data) if plain else Bulk(code, data + bytes(8))
    header = ours.store.lay_down(message)
    assert len(header) == HEADER.size
    os.write(ours.sink, header)
    received = theirs.complete(b"")
    assert isinstance(received, Bulk)
    assert (received.code, received.payload, len(received)) == (code, message.payload, len(message))
    ours.close()
    theirs.close()


@pytest.mark.parametrize("size", [0, 1, LARGE - 1, STORE + 1, IN_STORE - 1])
def test_a_size_that_no_store_has_is_malformed(size: int) -> None:
    ours, theirs = channel_pair()
    os.write(ours.sink, HEADER.pack(IN_STORE | size, OK))
    with pytest.raises(MalformedFrameError):
        theirs.complete(b"")
    ours.close()
    theirs.close()


def test_a_payload_too_large_to_send() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_PAYLOAD

    assert len(Bulk(OK, Huge())) == HEADER.size + MAX_PAYLOAD
    with pytest.raises(OSError, match="Message too long"):
        Bulk.of_bytes(OK, Huge())


def test_content_that_looks_like_an_encoding_is_content(system: System) -> None:
    looks = encode(bytes(LARGE))
    assert system[Echo].data(looks) == looks
    assert system[Echo].data(encode(looks)) == encode(looks)


def test_a_store_keeps_its_size() -> None:
    descriptor = create_store()
    for size in (0, STORE - 1, STORE + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    os.close(descriptor)
    other = os.memfd_create("other")
    with pytest.raises(OSError, match="Invalid argument"):
        Store(other)
    os.close(other)


@pytest.mark.parametrize("arrived", [0, 1, 2])
def test_a_channel_that_arrived_in_part_leaves_nothing(arrived: int) -> None:
    ours, theirs = PIPE.ends()
    with pytest.raises(OSError, match="Too many open files"):
        PipeChannel.adopt(ours[:arrived])
    for descriptor in ours[:arrived]:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    close_all(ours[arrived:] + theirs)


def test_a_channel_whose_store_is_none_leaves_nothing() -> None:
    (source, sink, store), theirs = PIPE.ends()
    other = os.memfd_create("other")
    with pytest.raises(OSError, match="Invalid argument"):
        PipeChannel.adopt((source, sink, other))
    for descriptor in (source, sink, other):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    close_all((store, *theirs))


class Scribbler:
    """Writes noise over a store, again and again, until the end of the block."""

    def __init__(self, store: Store, seed: int) -> None:
        self._memory = store._memory
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


def test_a_client_that_writes_while_the_server_looks_harms_itself(system: System) -> None:
    pid, operation = system[Echo].pid(), operations(Echo)["data"]
    payload = encode((bytes(2 * LARGE),))
    for seed in range(60):
        mine = channel(system)
        with Scribbler(mine.store, seed):
            for _ in range(5):
                try:
                    os.write(mine.sink, mine.store.lay_down(Bulk(operation.number, payload)))
                    mine.complete(b"")
                except (BrokenPipeError, EOFError):
                    break  # malformed: it cost the channel
        mine.close()
    assert system[Echo].pid() == pid
    assert system[Echo].data(payload) == payload


def test_bytes_whose_inner_size_is_not_the_payloads_are_refused() -> None:
    ours, theirs = channel_pair()
    line = Line(PIPE, lambda: ours, lambda _: ConnectionResetError(errno.ECONNRESET, "lost"))
    os.write(theirs.sink, theirs.store.lay_down(Bulk(OK, encode(bytes(1 << 16)) + b"more")))
    with pytest.raises(OSError, match="malformed reply"):
        deliver(line, operations(Echo)["data"])(b"")
    line.close()
    theirs.close()


def scribbled_reply(name: str, seed: int) -> object:
    """What a client makes of a large reply over which its sender writes noise: or the errno."""
    ours, theirs = channel_pair()
    line = Line(PIPE, lambda: ours, lambda _: ConnectionResetError(errno.ECONNRESET, "lost"))
    operation = operations(Echo)[name]

    def answer() -> None:
        theirs.complete(b"")
        os.write(theirs.sink, theirs.store.lay_down(Bulk(OK, encode(bytes(LARGE)))))

    server = threading.Thread(target=answer)
    try:
        with Scribbler(theirs.store, seed):
            server.start()
            return deliver(line, operation)(*[0] * len(operation.parameters))
    except OSError as error:
        return error.errno
    finally:
        server.join()
        line.close()
        theirs.close()


@pytest.mark.parametrize("name", ["data", "text", "everything", "number", "null"])
def test_a_server_that_writes_while_the_client_looks_can_not_change_a_type(name: str) -> None:
    for seed in range(40):
        result = scribbled_reply(name, seed)
        assert result == errno.EPROTO or (name == "data" and isinstance(result, bytes))


def test_a_server_that_dies_with_a_grant_takes_nothing_along(system: System) -> None:
    data = bytes(1 << 20)
    for _ in range(3):
        assert system[Echo].data(data) == data
        with pytest.raises(ServerDied):
            system[Bugs].die(signal.SIGKILL)
        assert system[Echo].data(data) == data


def test_a_message_larger_than_a_store_goes_through_the_pipe() -> None:
    ours, theirs = channel_pair()
    message = Bulk(3, bytes(STORE + 1))
    assert ours.store.lay_down(message) == frame(3, message.body)
    ours.close()
    theirs.close()


def test_the_flag_is_beyond_every_size() -> None:
    assert IN_STORE > STORE
    assert payload_of(Bulk.of_bytes(OK, b"abc")) == b"\xc6\0\0\0\x03abc"
