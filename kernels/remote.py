"""Requests as messages: what becomes of a call on its way to another process.

`deliver` is the client's half: arguments, a frame, the reply, a result or an exception; it is
compiled for each operation, with the transport's way of sending and receiving in it. The server's
half is `kernels.serving`. Whatever is uncommon (a name that is not UTF-8, a large message, an
error) leaves the straight way for a function that knows all cases.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from textwrap import indent
from typing import Any, Final, get_args

from kernels.bulk import STORE, Bulk, Frame, payload_of
from kernels.frames import LARGE, OK, SIZE, SMALL, Headers, frame
from kernels.line import Exchange, Line
from kernels.source import function
from kernels.transport import Channel, Transport
from twinos import Bind, Op, ServerDied
from twinos.codec import (
    DAMAGED,
    MalformedMessage,
    decoder,
    encode,
    encode_plain,
    error_decoder,
    plain_decoder,
)
from twinos.errors import put_together

RETRIES: Final = 3
"""How often a stub sends an idempotent request again to a restarted server."""

DONE: Final = frame(OK, b"")
"""The reply of an operation whose result is None."""

LEFT_OUT: Final = encode(b"")
"""The payload of a reply whose result, bytes, is granted."""

WHOLE: Final = Headers(OK, extra=SIZE)
"""The header of a reply that says OK, by the length of that reply."""

Around = Callable[[Exchange], Exchange]
"""An exchange around an exchange: counting."""


def remote_binder(line: Line, around: Around | None = None) -> Bind:
    """A binder that delivers by messages."""
    return partial(deliver, line, around=around)


def deliver(line: Line, operation: Op, around: Around | None = None) -> Callable[..., Any]:
    """The callable that sends one operation's requests and returns its results."""
    exchange = around(line.exchange) if around else line.exchange
    send = partial(persist, exchange) if operation.idempotent else exchange
    room = room_for(operation.result)
    finish = partial(finish_reply, operation, decoder(operation.result))

    def recover(channel: Channel, error: BaseException, request: bytes) -> Frame:
        raised = line.broken(channel, error)
        if operation.idempotent and isinstance(raised, ServerDied):
            return persist(exchange, request, room, RETRIES - 1)
        raise raised from None

    names = codec(operation.result) | {
        "_take": line.idle.pop,
        "_open": line.open,
        "_give": line.idle.append,
        "_retired": line.retired,
        "_close_idle": line.close,
        "_recover": recover,
        "_exchange": send,
        "_headers": Headers(operation.number),
        "_whole": WHOLE,
        "_request": frame(operation.number, b""),
        "_at_length": lambda message: finish(send(message, room)),
        "_bulk": partial(Bulk, operation.number),
        "_grant": partial(_by_grant, operation),
        "_finish": finish,
        **line.transport.names,
    }
    parameters = [parameter.name for parameter in operation.parameters]
    value = f"({', '.join(parameters)},)"
    text = ENCODE.format(value=value) + _REQUEST if parameters else ""
    place = place_of_bytes(operation)
    if place is not None:
        text = _GRANT.format(value=value, contents=parameters[place]) + text
    request = "request" if parameters else "_request"
    if around:
        text += _COUNTED.format(request=request, room=room)
    else:
        text += _exchange(line.transport, request, room)
    return function(operation.name, parameters, text + RESULT, names, kind="remote")


def _exchange(transport: Transport, request: str, room: int) -> str:
    """The source of an exchange: `Line.exchange`, written out."""
    crossing = "\n".join(
        (
            transport.send.format(message=request),
            transport.receive.format(start="reply", room=room),
        )
    )
    return _EXCHANGE.format(
        hot=transport.hot, request=request, crossing=indent(crossing, "    ").lstrip()
    )


def codec(annotation: Any) -> dict[str, Any]:
    """What compiled code uses to encode anything and to decode values of one type."""
    return {
        "_encode": encode_plain,
        "_encode_escaped": encode,
        "_decode": plain_decoder(annotation),
        "_done": DONE,
        "_Damaged": DAMAGED,
        "_Unencodable": UnicodeEncodeError,
        "_OSError": OSError,
        "_IndexError": IndexError,
        "_BaseException": BaseException,
        "_len": len,
    }


ENCODE: Final = """\
try:
    payload = _encode({value})
except _Unencodable:
    payload = _encode_escaped({value})
"""
"""Source that sets `payload` to the encoding of `{value}`."""

_GRANT: Final = f"""\
if {LARGE} <= _len({{contents}}) <= {STORE}: return _at_length(_grant({{value}}))
"""

_REQUEST: Final = f"""\
if _len(payload) >= {LARGE}: return _at_length(_bulk(payload))
request = _headers[_len(payload)] + payload
"""

_EXCHANGE: Final = f"""\
try:
    hot = _take()
except _IndexError:
    hot = _open()
{{hot}} = hot
try:
    {{crossing}}
    whole = reply[:{SIZE}] == _whole[_len(reply)]
    if not whole: reply = channel.complete(reply)
except _BaseException as error:
    whole, reply = False, _recover(channel, error, {{request}})
else:
    _give(hot)
    if _retired: _close_idle()
"""

_COUNTED: Final = """\
whole, reply = False, _exchange({request}, {room})
"""

RESULT: Final = f"""\
if whole:
    if reply == _done: return None
    try:
        return _decode(reply[{SIZE}:])
    except _Damaged:
        pass
return _finish(reply)"""
"""Source that returns the result in a reply, which is `whole` if it is in one piece and says OK."""


def persist(exchange: Exchange, request: bytes | Bulk, room: int, again: int = RETRIES) -> Frame:
    """Exchange a request that may be sent again when its server was restarted, several times."""
    for _ in range(again):
        try:
            return exchange(request, room)
        except ServerDied:
            continue
    return exchange(request, room)


def finish_reply(operation: Op, decode: Callable[[Any], Any], reply: Frame) -> Any:
    """The result in a reply, or the exception in it, raised."""
    status = reply[SIZE - 1]
    try:
        if isinstance(reply, Bulk) and reply.payload:
            return _contents(operation, reply)
        payload = payload_of(reply)
        if status == OK:
            return None if not payload else decode(payload)
        error = put_together(error_decoder(payload))
    except (MalformedMessage, IndexError) as reason:
        text = f"{operation} sent a malformed reply: {reason}"
        raise OSError(errno.EPROTO, text) from None
    raise error


def _contents(operation: Op, reply: Bulk) -> bytes:
    """The result that a grant is."""
    if operation.result is not bytes or reply.code != OK or reply.payload != LEFT_OUT:
        raise MalformedMessage("a grant for what is not bytes")
    return bytes(reply.contents)


def _by_grant(operation: Op, values: tuple[Any, ...]) -> Bulk:
    """A request whose one bytes argument is granted instead of being encoded."""
    place = place_of_bytes(operation) or 0
    payload = encode((*values[:place], b"", *values[place + 1 :]))
    if len(payload) >= LARGE:
        return Bulk(operation.number, encode(values))
    return Bulk(operation.number, values[place], payload)


def place_of_bytes(operation: Op) -> int | None:
    """Which parameter's contents may be granted: the only one that is `bytes`, if there is one."""
    places = [place for place, each in enumerate(operation.types) if each is bytes]
    return places[0] if len(places) == 1 else None


def room_for(*annotations: Any) -> int:
    """How many bytes to expect of a message that holds values of these types."""
    return LARGE if any(map(_mentions_bytes, annotations)) else SMALL


def _mentions_bytes(annotation: Any) -> bool:
    return annotation is bytes or any(map(_mentions_bytes, get_args(annotation)))
