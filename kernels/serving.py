"""Serving a channel: the server's half of `kernels.remote`.

Each operation gets a handler: a request, its arguments, the operation, a reply. It and the loop
that calls it are compiled, with the gate and the transport's way of sending and receiving in them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from functools import cached_property
from textwrap import indent
from typing import Any, Final

from kernels import probe
from kernels.bulk import STORE, Bulk, Frame, payload_of
from kernels.bundle import Gathered, frames_in
from kernels.frames import BUNDLE, FAILED, LARGE, MAX_PAYLOAD, OK, SIZE, SMALL, Headers, frame
from kernels.probe import Place
from kernels.remote import DONE, ENCODE, LEFT_OUT, codec, place_of_bytes, room_for
from kernels.source import HANDLER, Piece, function
from kernels.transport import Channel, Transport
from twinos import Op, fail
from twinos.codec import MalformedMessage, arguments_type, decoder, encode
from twinos.errors import take_apart

Handler = Callable[[Frame], bytes | None]
"""Turns a request, of which there may be more to come, into a reply; None: it has been sent.

Raises:
    EOFError, BrokenPipeError: the client is gone.
    MalformedFrameError, MalformedMessage: that was no request.
"""

Operations = Sequence[tuple[Op, Callable[[], Piece]]]

_SIZES: Final = Headers(extra=SIZE, length=SIZE - 1)
"""The header's size, by the length of a message."""

_HEADERS: Final = Headers(OK)


def serve(transport: Transport, channel: Channel, operations: Operations) -> None:
    """Answer one request after the other, until an exception says why not.

    Args:
        transport: the channel's.
        channel: where the requests come from.
        operations: the service's, by number, each with what makes the source that carries it
            out: it sets `result`, as `Space.passage` does. It is made when it is first asked for:
            most channels carry few operations, and many don't last.
    """
    handlers = roads(channel, operations)
    bundles = _Bundles(channel, operations)
    names = {"_IndexError": IndexError, "_BUNDLE": BUNDLE, "_bundles": bundles, **transport.names}
    receive = transport.receive.format(start="request", room="room")
    text = _LOOP.format(
        hot=transport.hot,
        receive=indent(receive, "    ").lstrip(),
        send=indent(transport.send.format(message="reply"), "        ").lstrip(),
    )
    loop = function("serve", ["hot", "handlers"], text, names, kind="loop")
    loop(channel.hot, handlers)


Road = tuple[Handler, int, Handler]
"""The straight way of one operation, how many bytes to expect of its request, the way for any."""


def roads(channel: Channel, operations: Operations) -> list[Road]:
    """What answers the requests that come by a channel, by the number of the operation."""
    made: list[Road] = []
    made += [_at_first(made, number, _Road(channel, *op)) for number, op in enumerate(operations)]
    return made


def _at_first(roads: list[Road], number: int, road: _Road) -> Road:
    """What stands for an operation until it is asked for, and then makes its handlers."""

    def made() -> Road:
        found = roads[number] = (
            _watched(road.handler()),
            road.room,
            _watched(road.at_length),
        )
        return found

    def straight(request: Frame) -> bytes | None:
        return made()[0](request)

    def at_length(request: Frame) -> bytes | None:
        return made()[2](request)

    return straight, road.room, at_length


def _watched(handler: Handler) -> Handler:
    return probe.around(Place.ARRIVED, Place.ANSWERED, handler)


_LOOP: Final = f"""\
{{hot}} = hot
room = {SMALL}
while True:
    {{receive}}
    try:
        handler, room, _ = handlers[request[{SIZE - 1}]]
    except _IndexError:
        request = channel.complete(request)
        number = request[{SIZE - 1}]
        _, room, handler = _bundles.road if number == _BUNDLE else handlers[number]
    reply = handler(request)
    if reply:
        {{send}}"""


class _Road:
    """One operation on one channel.

    Attributes:
        room: how many bytes to expect of a request.
    """

    def __init__(self, channel: Channel, operation: Op, passage: Callable[[], Piece]) -> None:
        self.room = room_for(*operation.types)
        self._channel = channel
        self._operation = operation
        self._make = passage
        self._parameters = [parameter.name for parameter in operation.parameters]

    @cached_property
    def _passage(self) -> Piece:
        return self._make()

    def handler(self) -> Handler:
        """The straight way."""
        arguments = arguments_type(self._operation)
        names = codec(arguments) | {
            "_at_length": self.at_length,
            "_answer_at_length": self._answer_at_length,
            "_send_at_length": self._send_at_length,
            "_empty": frame(self._operation.number, b""),
            "_sizes": _SIZES,
            "_headers": _HEADERS,
            "_failure": self._failure,
            **self._passage.names,
        }
        decode = _DECODE.format(parameters=", ".join(self._parameters))
        text = "".join(
            (
                decode if self._parameters else _NO_ARGUMENTS,
                _CALL.format(passage=indent(self._passage.text, "    ").strip()),
                _PLAIN_BYTES if self._operation.result is bytes else "",
                ENCODE.format(value="result"),
                _REPLY,
            )
        )
        return function(self._operation.name, ["request"], text, names, kind=HANDLER)

    def at_length(self, start: Frame) -> None:
        """The way for any request: in pieces, large, or with what no plain decoder takes."""
        request = start if isinstance(start, Bulk) else self._channel.complete(bytes(start))
        arguments = self._arguments(request)
        try:
            result = self._entry(*arguments)
        except OSError as error:
            self._channel.send(_told(error))
        else:
            self._answer_at_length(result)

    def _arguments(self, request: Frame) -> tuple[Any, ...]:
        if not isinstance(request, Bulk):
            return self._decode(payload_of(request))
        if not request.payload:
            return self._decode(bytes(request.contents))
        arguments, place = self._decode(request.payload), place_of_bytes(self._operation)
        if place is None or arguments[place]:
            raise MalformedMessage("a grant for what is not left out")
        return (*arguments[:place], bytes(request.contents), *arguments[place + 1 :])

    def _decode(self, payload: bytes | memoryview) -> tuple[Any, ...]:
        if self._parameters:
            arguments: tuple[Any, ...] = self._decoder(payload)
            return arguments
        if payload:
            raise MalformedMessage("arguments for an operation that has none")
        return ()

    @cached_property
    def _decoder(self) -> Callable[[bytes | memoryview], Any]:
        return decoder(arguments_type(self._operation))

    @cached_property
    def _entry(self) -> Callable[..., Any]:
        text, names = self._passage
        return function(
            self._operation.name, self._parameters, text + "return result", names, kind=HANDLER
        )

    def _answer_at_length(self, result: Any) -> None:
        if result is None:
            self._channel.send(DONE)
        elif self._operation.result is bytes and len(result) > MAX_PAYLOAD:
            self._channel.send(_TOO_LARGE)
        elif self._operation.result is bytes and LARGE <= len(result) <= STORE:
            self._channel.send(Bulk(OK, result, LEFT_OUT))  # in pages or in one piece
        else:
            self._send_at_length(encode(result))

    def _send_at_length(self, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD:
            self._channel.send(_TOO_LARGE)
        else:
            self._channel.send(frame(OK, payload) if len(payload) < LARGE else Bulk(OK, payload))

    def _failure(self, error: OSError) -> bytes | None:
        reply = _told(error)
        if len(reply) < LARGE:
            return reply
        self._channel.send(reply)
        return None


class _Bundles:
    """All operations on one channel, for requests that come several in a message.

    Attributes:
        road: as for one operation: a handler, how many bytes to expect, and the way for any length.
    """

    def __init__(self, channel: Channel, operations: Operations) -> None:
        self._channel = channel
        self._operations = operations
        self._replies = Gathered()
        self.road: Final = (self.answer, LARGE, self.answer)

    @cached_property
    def _handlers(self) -> list[Handler]:
        return [_Road(self._replies, *each).handler() for each in self._operations]

    def answer(self, bundle: Frame) -> None:
        """Answer one request after the other, and all of them together."""
        handlers, add = self._handlers, self._replies.replies.append
        for request in frames_in(bytes(payload_of(bundle))):
            reply = handlers[request[SIZE - 1]](request)
            if reply:
                add(reply)
        self._channel.send(self._replies.whole())


def _told(error: OSError) -> bytes:
    return frame(FAILED, encode(take_apart(error)))


_TOO_LARGE: Final = _told(fail(errno.EMSGSIZE))


_DECODE: Final = f"""\
if request[:{SIZE - 1}] != _sizes[_len(request)]: return _at_length(request)
try:
    {{parameters}}, = _decode(request[{SIZE}:])
except _Damaged:
    return _at_length(request)
"""

_NO_ARGUMENTS: Final = """\
if request != _empty: return _at_length(request)
"""

_CALL: Final = """\
try:
    {passage}
except _OSError as error:
    return _failure(error)
if result is None: return _done
"""

_PLAIN_BYTES: Final = f"""\
if _len(result) >= {LARGE}: return _answer_at_length(result)
"""

_REPLY: Final = f"""\
if _len(payload) >= {LARGE}: return _send_at_length(payload)
return _headers[_len(payload)] + payload"""


def ask(entry: Callable[..., Any], operation: Op) -> Piece:
    """The source that has `entry` called for an operation's result."""
    passed = ", ".join(parameter.name for parameter in operation.parameters)
    return Piece(f"result = _entry({passed})\n", {"_entry": entry})
