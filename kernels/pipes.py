"""Messages over pipes.

A channel is two pipes, one for requests and one for replies, with one request under way at most. So
a client writes all of a request before it reads, a server reads all of it before it writes, and
messages larger than a pipe holds can't make both wait for each other.

    request: u32 size of the payload, u8 number of the operation, payload (the arguments)
    reply:   u32 size of the payload, u8 status,                  payload (the result or error)
"""

import errno
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from twinos import fail

HEADER: Final = struct.Struct("<IB")
SIZE: Final = HEADER.size
MAX_PAYLOAD: Final = 1 << 30
"""Bytes in one message at most."""

OK: Final = 0
FAILED: Final = 1

SMALL: Final = 480
"""Room for a common message; a read with more room costs more (the interpreter allocates it)."""
LARGE: Final = 16 * 1024
"""Room where a block or a page of data is expected."""
CHUNK: Final = 1 << 20
"""Bytes asked of the host at a time for a message that is longer than expected."""

Frame = bytes | bytearray


class MalformedFrameError(Exception):
    """What arrived is no message."""


class Channel(NamedTuple):
    """One end of a channel, as descriptors.

    Attributes:
        source: where messages are read from.
        sink: where messages are written to.
        life: which incarnation of the server is at the other end, counted from 1.
    """

    source: int
    sink: int
    life: int = 0

    def close(self) -> None:
        """Close both pipes' ends; whoever is at the others sees an end of file."""
        os.close(self.source)
        os.close(self.sink)


def channel_pair() -> tuple[Channel, Channel]:
    """A new channel: the client's end and the server's end."""
    request_source, request_sink = os.pipe2(os.O_CLOEXEC)
    try:
        reply_source, reply_sink = os.pipe2(os.O_CLOEXEC)
    except OSError:
        os.close(request_source)
        os.close(request_sink)
        raise
    return Channel(reply_source, request_sink), Channel(request_source, reply_sink)


def frame(code: int, payload: bytes) -> bytes:
    """A message: a request (`code` is the operation's number) or a reply (the status).

    Raises:
        OSError: EMSGSIZE, it is larger than `MAX_PAYLOAD`.
    """
    if len(payload) > MAX_PAYLOAD:
        raise fail(errno.EMSGSIZE)
    return HEADER.pack(len(payload), code) + payload


def complete(source: int, start: Frame) -> bytearray:
    """Read the rest of the message of which `start` came first.

    Raises:
        EOFError: the other end is closed.
        MalformedFrameError: it is too large, or followed by what nobody asked for.
    """
    message = bytearray(start)
    while len(message) < SIZE:
        message += _more(source, SIZE - len(message))
    whole = HEADER.unpack_from(message)[0] + SIZE
    if whole > MAX_PAYLOAD + SIZE:
        raise MalformedFrameError(f"a message of {whole} bytes")
    while len(message) < whole:
        message += _more(source, min(whole - len(message), CHUNK))
    if len(message) > whole:
        raise MalformedFrameError("more than one message at a time")
    return message


def send(sink: int, message: bytes) -> None:
    """Write one message, however many writes it takes."""
    sent = os.write(sink, message)
    if sent < len(message):
        rest = memoryview(message)[sent:]
        while rest:
            rest = rest[os.write(sink, rest) :]


def payload_of(message: Frame) -> bytes | memoryview:
    """The payload, copied when it is small and viewed when it is large."""
    return bytes(message[SIZE:]) if len(message) < LARGE else memoryview(message)[SIZE:]


def _more(source: int, count: int) -> bytes:
    data = os.read(source, count)
    if not data:
        raise EOFError
    return data


Exchange = Callable[[bytes, int], Frame]
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
        retired = self._retired

        def exchange(request: bytes, room: int) -> Frame:
            try:
                channel = take()
            except IndexError:
                channel = self._open()
            source, sink, _ = channel
            reply: Frame
            try:
                sent = write(sink, request)
                if sent < len(request):
                    send(sink, request[sent:])
                reply = read(source, room)
                if len(reply) < SIZE or unpack(reply)[0] + SIZE != len(reply):
                    reply = complete(source, reply)
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
