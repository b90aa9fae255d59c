"""The pipe transport: a channel is two pipes, one for requests and one for replies.

As a channel has one request under way at most, messages larger than a pipe holds can't make both
ends wait for each other. The contents of a large message lie in an outbox instead: see
`kernels.bulk`.
"""

import errno
import mmap
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final, Self

from kernels.bulk import STORE, Bulk, Frame, Inbox, Outbox, create_outbox, map_box
from kernels.frames import (
    HEADER,
    IN_STORE,
    LARGE,
    MAX_PAYLOAD,
    SIZE,
    MalformedFrameError,
)
from kernels.transport import Channel, Ends, Transport
from twinos import fail

CHUNK: Final = 1 << 20
"""Bytes asked of the host at a time for a message that is longer than expected."""

DESCRIPTORS: Final = 4
"""What an end of a channel is on its way to its owner: two pipes' ends, an inbox, an outbox."""


class PipeChannel(Channel):
    """One end of a channel.

    Args:
        source: where messages are read from, as a descriptor.
        sink: where messages are written to, as a descriptor.
        received: the memory in which the other end puts large contents.
        sent: the memory in which this end does.
        life: which incarnation of the server is at the other end.
    """

    def __init__(
        self, source: int, sink: int, received: mmap.mmap, sent: mmap.mmap, life: int = 0
    ) -> None:
        self.source = self.hangup = source
        self.sink = sink
        self.received = received
        self.sent = sent
        self.life = life
        self.hot = (source, sink, self)
        self.about_to_block = _do_nothing
        self._inbox = Inbox(received)
        self._outbox = Outbox(sent)

    @classmethod
    def adopt(cls, descriptors: Sequence[int], life: int = 0) -> Self:
        """The end that these descriptors are; see `Transport.adopt`."""
        return cls(*adopted(descriptors, STORE), life)

    def send(self, message: Frame) -> None:
        """Write one message, however many writes it takes."""
        if isinstance(message, Bulk):
            message = self._outbox.lay_down(message) if message.fits else message.whole()
        if len(message) > LARGE + SIZE:
            self.about_to_block()
        self.go_on(message, os.write(self.sink, message))

    def go_on(self, message: bytes | bytearray, sent: int) -> None:
        """Write the rest of a message, of which so many bytes have been written."""
        rest = memoryview(message)[sent:]
        if rest:
            self.about_to_block()
        while rest:
            rest = rest[os.write(self.sink, rest) :]

    def receive(self, room: int) -> Frame:
        """Read the next message."""
        return self.complete(os.read(self.source, room))

    def complete(self, start: bytes) -> Frame:
        """Read the rest of the message of which `start` came first.

        Raises:
            EOFError: the other end is closed.
            MalformedFrameError: its size is wrong, or it is followed by what nobody asked for.
        """
        if len(start) >= SIZE and HEADER.unpack_from(start)[0] == len(start) - SIZE:
            return start
        message = bytearray(start)
        self.about_to_block()
        while len(message) < SIZE:
            message += self._more(SIZE - len(message))
        size, _ = HEADER.unpack_from(message)
        granted, size = size & IN_STORE, size & ~IN_STORE
        if size > (LARGE if granted else MAX_PAYLOAD):
            raise MalformedFrameError(f"a message of {size} bytes")
        while len(message) < SIZE + size:
            message += self._more(min(SIZE + size - len(message), CHUNK))
        if len(message) > SIZE + size:
            raise MalformedFrameError("more than one message at a time")
        return self._inbox.take_up(message) if granted else message

    def _more(self, count: int) -> bytes:
        data = os.read(self.source, count)
        if not data:
            raise EOFError
        return data

    def close(self) -> None:
        """Close both pipes' ends; whoever is at the others sees an end of file."""
        os.close(self.source)
        os.close(self.sink)
        self.received.close()
        self.sent.close()


def _do_nothing() -> None:
    pass


def adopted(descriptors: Sequence[int], size: int) -> tuple[int, int, mmap.mmap, mmap.mmap]:
    """Two pipes' ends and two boxes of `size` bytes out of an end's descriptors.

    Raises:
        OSError: EMFILE, some did not arrive, or another error of mapping; all that did are closed.
    """
    with ExitStack() as boxes, ExitStack() as on_failure:
        for descriptor in descriptors:
            on_failure.callback(os.close, descriptor)
        if len(descriptors) != DESCRIPTORS:
            raise fail(errno.EMFILE)  # the host cut the message short
        source, sink, received, sent = descriptors
        inbox = map_box(received, size, writable=False)
        on_failure.callback(inbox.close)
        outbox = map_box(sent, size, writable=True)
        on_failure.pop_all()
        boxes.callback(os.close, received)
        boxes.callback(os.close, sent)
    return source, sink, inbox, outbox


def channel_ends(size: int = STORE) -> Ends:
    """A new channel, with outboxes of `size` bytes."""
    with ExitStack() as on_failure:

        def keep(descriptors: tuple[int, int]) -> tuple[int, int]:
            for descriptor in descriptors:
                on_failure.callback(os.close, descriptor)
            return descriptors

        request_source, request_sink = keep(os.pipe2(os.O_CLOEXEC))
        reply_source, reply_sink = keep(os.pipe2(os.O_CLOEXEC))
        clients, clients_read = keep(create_outbox(size))
        servers, servers_read = keep(create_outbox(size))
        on_failure.pop_all()
    return (
        (reply_source, request_sink, servers_read, clients),
        (request_source, reply_sink, clients_read, servers),
    )


def always() -> str:
    """Pipes work wherever this does."""
    return ""


PIPE: Final = Transport(
    name="pipe",
    unusable=always,
    ends=channel_ends,
    adopt=PipeChannel.adopt,
    hot="source, sink, channel",
    send="""\
sent = _write(sink, {message})
if sent != _len({message}): channel.go_on({message}, sent)""",
    receive="{start} = _read(source, {room})",
    names={"_write": os.write, "_read": os.read, "_len": len},
    pollable=True,
)

ROUTED: Final = replace(PIPE, name="routed", routed=True)
"""The same with the kernel proper on every message's way: an experiment."""
