"""The ways that requests for one operation take through a server; see `kernels.serving`."""

import errno
from collections.abc import Callable
from functools import cached_property, partial
from textwrap import indent
from typing import Any, Final

from kernels.bulk import STORE, Bulk, Frame, payload_of
from kernels.frames import FAILED, LARGE, MAX_PAYLOAD, OK, SIZE, Headers, frame
from kernels.recorded import Recorded
from kernels.remote import DONE, ENCODE, LEFT_OUT, codec, place_of_bytes, room_for
from kernels.source import HANDLER, Piece, function
from kernels.transport import Channel
from twinos import Op, fail
from twinos.codec import MalformedMessage, arguments_type, decoder, encode, make_sure_of
from twinos.errors import take_apart

Handler = Callable[[Frame], bytes | None]
"""Turns a request, of which there may be more to come, into a reply; None: it has been sent.

Raises:
    EOFError, BrokenPipeError: the client is gone.
    MalformedFrameError, MalformedMessage: that was no request.
"""

_SIZES: Final = Headers(extra=SIZE, length=SIZE - 1)
"""The header's size, by the length of a message."""

_HEADERS: Final = Headers(OK)


class Road:
    """One operation on one channel.

    Attributes:
        room: how many bytes to expect of a request.
    """

    def __init__(
        self,
        channel: Channel,
        operation: Op,
        passage: Callable[..., Piece],
        said: Recorded | None = None,
        *,
        bundled: bool = False,
    ) -> None:
        self.room = room_for(*operation.types)
        self._channel = channel
        self._operation = operation
        around = said.around(operation, bundled=bundled) if said else ()
        self._recorded = bool(around)
        self._failed = said.failed if said and around else _nothing
        self._make: Callable[[], Piece] = partial(passage, *around)
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
                "_whole = request\n" if self._recorded else "",
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
            result = self._entry(*arguments, request)
        except OSError as error:
            self._failed()
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
        parameters = [*self._parameters, "_whole"]
        return function(
            self._operation.name, parameters, text + "return result", names, kind=HANDLER
        )

    def _answer_at_length(self, result: Any) -> None:
        if result is None:
            self._channel.send(DONE)
        elif self._operation.result is bytes and len(result) > MAX_PAYLOAD:
            self._channel.send(_TOO_LARGE)
        elif self._operation.result is bytes and LARGE <= len(result) <= STORE:
            self._channel.send(Bulk(OK, result, LEFT_OUT))  # in pages or in one piece
        else:
            self._send_encoded(result)

    def _send_encoded(self, result: Any) -> None:
        try:
            if self._operation.result is bytes:
                make_sure_of(len(result))
            payload = encode(result)
        except MemoryError:
            self._channel.send(_NO_MEMORY)
        else:
            self._send_at_length(payload)

    def _send_at_length(self, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD:
            self._channel.send(_TOO_LARGE)
        else:
            self._channel.send(frame(OK, payload) if len(payload) < LARGE else Bulk(OK, payload))

    def _failure(self, error: OSError) -> bytes | None:
        self._failed()
        reply = _told(error)
        if len(reply) < LARGE:
            return reply
        self._channel.send(reply)
        return None


def _nothing() -> None:
    pass


def _told(error: OSError) -> bytes:
    return frame(FAILED, encode(take_apart(error)))


_TOO_LARGE: Final = _told(fail(errno.EMSGSIZE))
_NO_MEMORY: Final = _told(fail(errno.ENOMEM))


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
