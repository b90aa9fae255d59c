"""Channels and lines by themselves: framing, and what becomes of a line's channels."""

import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from kernels.bulk import payload_of
from kernels.frames import LARGE, SIZE, frame
from kernels.line import Line
from kernels.pipes import CHUNK, PIPE, PipeChannel
from tests.conftest import eventually
from tests.kernels.channels import channel_pair
from tests.kernels.services import Echo, Mailbox


@given(st.integers(0, 255), st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=8))
def test_a_frame_arrives_however_it_is_cut(code: int, payload: bytes, cuts: list[int]) -> None:
    ours, theirs = channel_pair()
    message, at = frame(code, payload), 0
    start = message[: cuts[0]] if cuts else b""
    for cut in cuts[1:]:
        at += os.write(ours.sink, message[len(start) + at :][:cut])
    os.write(ours.sink, message[len(start) + at :])
    received = theirs.complete(start)
    assert (received[SIZE - 1], payload_of(received)) == (code, payload)
    ours.close()
    with pytest.raises(EOFError):
        theirs.complete(b"")
    theirs.close()


@pytest.mark.parametrize("size", [0, LARGE, 65536, CHUNK + 1, 3 * CHUNK])
def test_long_messages_take_many_writes_and_reads(size: int) -> None:
    ours, theirs = channel_pair()
    message = frame(7, os.urandom(64) * (size // 64))
    writer = threading.Thread(target=ours.send, args=(message,))
    writer.start()
    assert theirs.complete(b"") == message
    writer.join()
    ours.close()
    theirs.close()


class Lines:
    """A line to an echo that we play ourselves."""

    def __init__(self) -> None:
        self.theirs: list[PipeChannel] = []
        self.line = Line(PIPE, self.connect, lambda _: ConnectionResetError("lost"))

    def connect(self) -> PipeChannel:
        ours, theirs = channel_pair()
        self.theirs.append(theirs)
        return ours

    def answer(self, channel: PipeChannel) -> None:
        request = channel.complete(b"")
        assert isinstance(request, bytearray)
        os.write(channel.sink, request)

    def hang_up(self) -> None:
        for channel in self.theirs:
            channel.close()


def test_a_channel_is_used_again_and_threads_have_their_own() -> None:
    lines, results = Lines(), []
    asked = [
        threading.Thread(target=lambda: results.append(lines.line.exchange(frame(1, b"x"), 100)))
        for _ in range(3)
    ]
    for thread in asked:
        thread.start()
    eventually(lambda: len(lines.theirs) == 3)
    for channel in lines.theirs:
        lines.answer(channel)
    for thread in asked:
        thread.join()
    assert results == [frame(1, b"x")] * 3
    lines.line.close()
    lines.hang_up()


def test_a_line_that_is_retired_lets_go_of_what_is_in_use() -> None:
    lines = Lines()
    asking = threading.Thread(target=lines.line.exchange, args=(frame(1, b"x"), 100))
    asking.start()
    eventually(lambda: lines.theirs)
    lines.line.retire(LookupError)
    lines.answer(lines.theirs[0])
    asking.join()
    assert not os.read(lines.theirs[0].source, 1)  # our end is closed
    with pytest.raises(LookupError):
        lines.line.exchange(frame(1, b"x"), 100)
    lines.hang_up()


def test_a_broken_channel_is_never_used_again() -> None:
    lines = Lines()

    def stray() -> None:
        os.read(lines.theirs[0].source, 100)
        os.write(lines.theirs[0].sink, b"\x05\0\0\0\0abc")
        os.close(lines.theirs[0].sink)

    asking = threading.Thread(target=lambda: (eventually(lambda: lines.theirs), stray()))
    asking.start()
    with pytest.raises(ConnectionResetError, match="lost"):
        lines.line.exchange(frame(1, b"x"), 100)
    asking.join()
    assert not os.read(lines.theirs[0].source, 1)
    os.close(lines.theirs[0].source)
    lines.theirs[0].received.close()
    lines.theirs[0].sent.close()


def test_after_an_interrupt_nobody_gets_anothers_reply() -> None:
    with boot("microkernel", Mailbox, Echo) as system:
        mailbox = system[Mailbox]

        def interrupt() -> None:
            eventually(lambda: mailbox.waiting() == 1)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            mailbox.take()
        thread.join()
        eventually(lambda: mailbox.unwound() == 1)  # it is noticed that we hung up
        mailbox.put(b"x")
        assert mailbox.waiting() == 0
        assert mailbox.take() == b"x"
