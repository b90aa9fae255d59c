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
from kernels.line import Exchange, Hope, Line
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
    make_sure_of,
    plain_decoder,
)
from twinos.errors import put_together

DONE: Final = frame(OK, b"")
"""The reply of an operation whose result is None."""

LEFT_OUT: Final = encode(b"")
"""The payload of a reply whose result, bytes, is granted."""

WHOLE: Final = Headers(OK, extra=SIZE)
"""The header of a reply that says OK, by the length of that reply."""

Around = Callable[[Exchange], Exchange]
"""An exchange around an exchange: counting."""


def remote_binder(line: Line, around: Around | None = None, *, survives: bool = False) -> Bind:
    """A binder that delivers by messages.

    Args:
        line: the way to the service.
        around: what goes around exchanges.
        survives: whether the service's state is to survive it, so that its requests are recorded.
    """
    return partial(deliver, line, around=around, survives=survives)


def is_repeatable(operation: Op, survives: bool) -> bool:
    """Whether a request may be sent again without a record of it."""
    return operation.idempotent or (survives and operation.repeatable)


def deliver(
    line: Line, operation: Op, around: Around | None = None, *, survives: bool = False
) -> Callable[..., Any]:
    """The callable that sends one operation's requests and returns its results."""
    repeatable = is_repeatable(operation, survives)
    once = survives and not repeatable
    exchange: Exchange = line.exchange_once if once else line.exchange
    exchange = around(exchange) if around else exchange
    needs_state = not operation.idempotent
    send = partial(persist, exchange, needs_state=needs_state) if repeatable else exchange
    room = room_for(operation.result)
    finish = partial(finish_reply, operation, decoder(operation.result))

    def recover(channel: Channel, error: BaseException, request: bytes) -> Frame:
        if once:
            return line.go_on(channel, error, request, room)
        raised = line.broken(channel, error)
        if not repeatable:
            raise raised from None
        return persist(exchange, request, room, raised, needs_state=needs_state)

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
        "_make_sure_of": make_sure_of,
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
        text += _exchange(line.transport, request, room, counted=once)
    return function(operation.name, parameters, text + RESULT, names, kind="remote")


def _exchange(transport: Transport, request: str, room: int, *, counted: bool) -> str:
    """The source of an exchange: `Line.exchange`, or `exchange_once`, written out."""
    crossing = "\n".join(
        (
            *(["channel.messages += 1"] if counted else []),
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
if _len({{contents}}) >= {LARGE}:
    if _len({{contents}}) <= {STORE}: return _at_length(_grant({{value}}))
    _make_sure_of(_len({{contents}}))
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


def persist(
    exchange: Exchange,
    request: bytes | Bulk,
    room: int,
    error: BaseException | None = None,
    *,
    needs_state: bool = False,
) -> Frame:
    """Exchange a request that may be sent again when its server was restarted, several times.

    Args:
        exchange: sends it once.
        request: what to send.
        room: how many bytes to expect of the reply.
        error: what came of it the first time.
        needs_state: whether it is only to be sent to a server whose state has survived.
    """
    hope = Hope()
    while True:
        if error is not None and not hope.after(error, needs_state=needs_state):
            raise error
        try:
            return exchange(request, room)
        except ServerDied as died:
            error = died


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
