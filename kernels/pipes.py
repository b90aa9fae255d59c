"""Messages over pipes.

A channel is two pipes, one for requests and one for replies, with one request under way at most. So
a client writes all of a request before it reads, a server reads all of it before it writes, and
messages larger than a pipe holds can't make both wait for each other.

    request: u32 size of the payload, u8 number of the operation, payload (the arguments)
    reply:   u32 size of the payload, u8 status,                  payload (the result or error)

The payload of a large message lies in the channel's store instead: see `kernels.bulk`.
"""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final, NamedTuple

from kernels.bulk import (
    HEADER,
    IN_STORE,
    MAX_PAYLOAD,
    STORE,
    Bulk,
    Store,
    check_size,
    create_store,
)
from twinos import fail

SIZE: Final = HEADER.size

OK: Final = 0
FAILED: Final = 1

SMALL: Final = 480
"""Room for a common message; a read with more room costs more (the interpreter allocates it)."""
LARGE: Final = 16 * 1024
"""Room where a block or a page of data is expected; a larger payload lies in the store."""
CHUNK: Final = 1 << 20
"""Bytes asked of the host at a time for a message that is longer than expected."""

Frame = bytes | bytearray | Bulk


class MalformedFrameError(Exception):
    """What arrived is no message."""


class Channel(NamedTuple):
    """One end of a channel.

    Attributes:
        source: where messages are read from, as a descriptor.
        sink: where messages are written to, as a descriptor.
        store: where the payload of large messages lies.
        life: which incarnation of the server is at the other end, counted from 1.
    """

    source: int
    sink: int
    store: Store
    life: int = 0

    @classmethod
    def adopt(cls, descriptors: Sequence[int], life: int = 0) -> "Channel":
        """The end that these descriptors are: source, sink and store. They are its own from now on.

        Raises:
            OSError: EMFILE, some did not arrive, or another error of mapping the store; all that
                did are closed.
        """
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

    def close(self) -> None:
        """Close both pipes' ends; whoever is at the others sees an end of file."""
        os.close(self.source)
        os.close(self.sink)
        self.store.close()


DESCRIPTORS: Final = 3
"""What an end of a channel is on its way to its owner: source, sink, store."""


def channel_ends() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A new channel: the client's end and the server's end, each as descriptors to adopt."""
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


def frame(code: int, payload: bytes) -> bytes:
    """A message: a request (`code` is the operation's number) or a reply (the status).

    Raises:
        OSError: EMSGSIZE, it is larger than `MAX_PAYLOAD`.
    """
    check_size(len(payload))
    return HEADER.pack(len(payload), code) + payload


def complete(source: int, start: bytes, store: Store) -> Frame:
    """Read the rest of the message of which `start` came first.

    Raises:
        EOFError: the other end is closed.
        MalformedFrameError: its size is wrong, or it is followed by what nobody asked for.
    """
    message = bytearray(start)
    while len(message) < SIZE:
        message += _more(source, SIZE - len(message))
    size, code = HEADER.unpack_from(message)
    in_pipe = SIZE if size & IN_STORE else SIZE + size
    if in_pipe > MAX_PAYLOAD + SIZE:
        raise MalformedFrameError(f"a message of {in_pipe} bytes")
    while len(message) < in_pipe:
        message += _more(source, min(in_pipe - len(message), CHUNK))
    if len(message) > in_pipe:
        raise MalformedFrameError("more than one message at a time")
    return _stored(store, code, size - IN_STORE) if size & IN_STORE else message


def _stored(store: Store, code: int, size: int) -> Bulk:
    if not LARGE <= size <= STORE:
        raise MalformedFrameError(f"a payload of {size} bytes in the store")
    return store.take_up(code, size)


def send(sink: int, message: bytes) -> None:
    """Write one message, however many writes it takes."""
    sent = os.write(sink, message)
    if sent < len(message):
        rest = memoryview(message)[sent:]
        while rest:
            rest = rest[os.write(sink, rest) :]


def send_bulk(sink: int, message: Bulk, store: Store) -> None:
    """Put a large message into the store, and send the header that says so."""
    send(sink, store.lay_down(message))


def payload_of(message: Frame) -> bytes | memoryview:
    """The payload, copied when it is small and viewed when it is large."""
    if isinstance(message, Bulk):
        return message.payload
    return bytes(message[SIZE:]) if len(message) < LARGE else memoryview(message)[SIZE:]


def _more(source: int, count: int) -> bytes:
    data = os.read(source, count)
    if not data:
        raise EOFError
    return data


Exchange = Callable[[bytes | Bulk, int], Frame]
"""Sends a request and waits for its reply; the number is how many bytes to expect of it.

Raises:
    ServerDied: the server is gone, whether or not it had carried out the request.
"""


class Line:
    """A client's way to one service: its idle channels, and how to get another.

    Threads share a line; each request takes a channel of its own, so none waits for another. Taking
    from and giving to the list are atomic: no lock.

    Args:
        connect: asks the kernel for a new channel.
        lost: called when a channel broke in the middle of a request; returns what to raise.
    """

    def __init__(self, connect: Callable[[], Channel], lost: Callable[[Channel], OSError]) -> None:
        self._connect = connect
        self._lost = lost
        self._idle: list[Channel] = []
        self._retired: list[Callable[[], Exception]] = []
        self.exchange: Final = self._exchanger()

    def _exchanger(self) -> Exchange:
        """The function that sends a request and returns its reply.

        This is the most travelled way of all: what it needs is at hand in its cells, and the common
        cases of `send` and `complete` are written out.
        """
        take, give = self._idle.pop, self._idle.append
        write, read, unpack = os.write, os.read, HEADER.unpack_from
        length, retired = len, self._retired

        def exchange(request: Any, room: int) -> Frame:
            try:
                channel = take()
            except IndexError:
                channel = self._open()
            source, sink, store, _ = channel
            try:
                try:
                    sent = write(sink, request)
                except TypeError:  # a Bulk is no buffer: so the common message pays nothing for it
                    send_bulk(sink, request, store)
                else:
                    if sent < length(request):
                        send(sink, request[sent:])
                reply: Frame = (start := read(source, room))
                if length(start) < SIZE or unpack(start)[0] + SIZE != length(start):
                    reply = complete(source, start, store)
            except BaseException as error:  # noqa: BLE001 (all of them cost the channel)
                raise self._broken(channel, error) from None
            give(channel)
            if retired:
                self.close()
            return reply

        return exchange

    def _open(self) -> Channel:
        for make in self._retired:
            raise make()
        return self._connect()

    def _broken(self, channel: Channel, error: BaseException) -> BaseException:
        """What to raise for a request that did not come to its end."""
        channel.close()  # a reply may still come: nobody must take it for another's
        if isinstance(error, BrokenPipeError | EOFError | MalformedFrameError):
            self.close()
            return self._lost(channel)
        return error

    def retire(self, reason: Callable[[], Exception]) -> None:
        """Close the channels, those in use when their requests end; `reason` makes what to raise.

        For a caller that has left.
        """
        self._retired.append(reason)
        self.close()

    def close(self) -> None:
        """Close the idle channels; the next request asks for a new one."""
        with suppress(IndexError):  # another thread may take the last one
            while True:
                self._idle.pop().close()
