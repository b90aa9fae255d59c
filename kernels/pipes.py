"""The pipe transport: a channel is two pipes, one for requests and one for replies.

As a channel has one request under way at most, messages larger than a pipe holds can't make both
ends wait for each other. The payload of a large message lies in the channel's store instead: see
`kernels.bulk`.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final, Self

from kernels.bulk import Bulk, Frame, Store, create_store
from kernels.frames import HEADER, IN_STORE, MAX_PAYLOAD, SIZE, MalformedFrameError
from kernels.transport import Channel, Ends, Transport
from twinos import fail

CHUNK: Final = 1 << 20
"""Bytes asked of the host at a time for a message that is longer than expected."""

DESCRIPTORS: Final = 3
"""What an end of a channel is on its way to its owner: source, sink, store."""


class PipeChannel(Channel):
    """One end of a channel.

    Args:
        source: where messages are read from, as a descriptor.
        sink: where messages are written to, as a descriptor.
        store: where the payload of large messages lies.
        life: which incarnation of the server is at the other end.
    """

    def __init__(self, source: int, sink: int, store: Store, life: int = 0) -> None:
        self.source = self.hangup = source
        self.sink = sink
        self.store = store
        self.life = life
        self.hot = (source, sink, self)

    @classmethod
    def adopt(cls, descriptors: Sequence[int], life: int = 0) -> Self:
        """The end that these descriptors are; see `Transport.adopt`."""
        with ExitStack() as on_failure:
            for descriptor in descriptors:
                on_failure.callback(os.close, descriptor)
            if len(descriptors) != DESCRIPTORS:
                raise fail(errno.EMFILE)  # the host cut the message short
            source, sink, memory = descriptors
            store = Store(memory)
            on_failure.pop_all()
        os.close(memory)
        return cls(source, sink, store, life)

    def send(self, message: Frame) -> None:
        """Write one message, however many writes it takes."""
        written = self.store.lay_down(message) if isinstance(message, Bulk) else message
        self.go_on(written, os.write(self.sink, written))

    def go_on(self, message: bytes | bytearray, sent: int) -> None:
        """Write the rest of a message, of which so many bytes have been written."""
        rest = memoryview(message)[sent:]
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
        while len(message) < SIZE:
            message += self._more(SIZE - len(message))
        size, code = HEADER.unpack_from(message)
        in_pipe = SIZE if size & IN_STORE else SIZE + size
        if in_pipe > MAX_PAYLOAD + SIZE:
            raise MalformedFrameError(f"a message of {in_pipe} bytes")
        while len(message) < in_pipe:
            message += self._more(min(in_pipe - len(message), CHUNK))
        if len(message) > in_pipe:
            raise MalformedFrameError("more than one message at a time")
        return self.store.take_up(code, size - IN_STORE) if size & IN_STORE else message

    def _more(self, count: int) -> bytes:
        data = os.read(self.source, count)
        if not data:
            raise EOFError
        return data

    def close(self) -> None:
        """Close both pipes' ends; whoever is at the others sees an end of file."""
        os.close(self.source)
        os.close(self.sink)
        self.store.close()


def channel_ends() -> Ends:
    """A new channel."""
    with ExitStack() as on_failure:

        def keep(*descriptors: int) -> tuple[int, ...]:
            for descriptor in descriptors:
                on_failure.callback(os.close, descriptor)
            return descriptors

        request_source, request_sink = keep(*os.pipe2(os.O_CLOEXEC))
        reply_source, reply_sink = keep(*os.pipe2(os.O_CLOEXEC))
        (store,) = keep(create_store())
        (same_store,) = keep(os.dup(store))
        on_failure.pop_all()
    return (reply_source, request_sink, store), (request_source, reply_sink, same_store)


PIPE: Final = Transport(
    name="pipe",
    ends=channel_ends,
    adopt=PipeChannel.adopt,
    hot="source, sink, channel",
    send="""\
sent = _write(sink, {message})
if sent != _len({message}): channel.go_on({message}, sent)""",
    receive="{start} = _read(source, {room})",
    names={"_write": os.write, "_read": os.read, "_len": len},
)

ROUTED: Final = replace(PIPE, name="routed", routed=True)
"""The same with the kernel proper on every message's way: an experiment."""
