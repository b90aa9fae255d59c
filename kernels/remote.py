"""Requests as messages: what becomes of a call on its way through a pipe.

`deliver` is the client's half: arguments, a frame, the reply, a result or an exception.
`dispatcher` is the server's: a frame, arguments, the operation, a reply. Both are compiled for each
operation.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any, Final, get_args

from kernels.bulk import HEADER, Bulk
from kernels.pipes import (
    FAILED,
    LARGE,
    OK,
    SIZE,
    SMALL,
    Exchange,
    Frame,
    frame,
    payload_of,
)
from kernels.source import function
from twinos import Bind, Op, ServerDied
from twinos.codec import (
    DAMAGED,
    MalformedMessage,
    arguments_type,
    decoder,
    encode,
    encode_plain,
    error_decoder,
    plain_decoder,
)
from twinos.errors import put_together, take_apart

Dispatch = Callable[[Frame], bytes | Bulk]
"""Turns a request into its reply. Raises MalformedMessage."""

RETRIES: Final = 3
"""How often a stub sends an idempotent request again to a restarted server."""

DONE: Final = frame(OK, b"")
"""The reply of an operation whose result is None."""


def remote_binder(exchange: Exchange) -> Bind:
    """A binder that delivers by messages."""
    return partial(deliver, exchange)


def deliver(exchange: Exchange, operation: Op) -> Callable[..., Any]:
    """The callable that sends one operation's requests and returns its results."""
    names = _codec(operation.result) | {
        "_exchange": partial(_persist, exchange) if operation.idempotent else exchange,
        "_request": frame(operation.number, b""),
        "_finish": partial(_finish, operation, decoder(operation.result)),
    }
    parameters = [parameter.name for parameter in operation.parameters]
    encode_them = _ENCODE.format(
        value=f"({', '.join(parameters)},)", message="request", code=operation.number, **_SIZES
    )
    room = LARGE if _mentions_bytes(operation.result) else SMALL
    receive_it = _RECEIVE.format(
        room=room, request="request" if parameters else "_request", **_SIZES
    )
    body = encode_them + receive_it if parameters else receive_it
    return function(operation.name, parameters, body, names, kind="remote")


def dispatcher(operation: Op, entry: Callable[..., Any]) -> Dispatch:
    """The server's half of `deliver`; `entry` has the operation carried out."""
    arguments = arguments_type(operation)
    names = _codec(arguments) | {
        "_slowly": decoder(arguments),
        "_payload": payload_of,
        "_check_empty": _check_empty,
        "_entry": entry,
        "_failure": _failure,
        "_of_bytes": Bulk.of_bytes,
    }
    parameters = ", ".join(parameter.name for parameter in operation.parameters)
    decode_them = _DECODE if parameters else "_check_empty(request)\n"
    encode_it = _ENCODE.format(value="result", message="reply", code=OK, **_SIZES)
    plain_bytes = _PLAIN_BYTES if operation.result is bytes else ""
    answer = _CALL + plain_bytes + encode_it + "return reply"
    body = (decode_them + answer).format(parameters=parameters, **_SIZES)
    return function(operation.name, ["request"], body, names, kind="dispatch")


def _codec(annotation: Any) -> dict[str, Any]:
    """What compiled code uses to encode anything and to decode values of one type."""
    return {
        "_encode": encode_plain,
        "_encode_escaped": encode,
        "_decode": plain_decoder(annotation),
        "_pack": HEADER.pack,
        "_bulk": Bulk,
        "_done": DONE,
        "_Damaged": DAMAGED,
        "_Unencodable": UnicodeEncodeError,
        "_OSError": OSError,
        "_len": len,
    }


# Whatever is uncommon (a name that is not UTF-8, a large message, an error) leaves the straight way
# for a function that knows all cases: `encode`, `frame`, `decoder`, `_finish`.
_SIZES: Final = {"size": SIZE, "status": SIZE - 1, "ok": OK, "large": LARGE}

_ENCODE: Final = """\
try:
    payload = _encode({value})
except _Unencodable:
    payload = _encode_escaped({value})
if _len(payload) < {large}:
    {message} = _pack(_len(payload), {code}) + payload
else:
    {message} = _bulk({code}, payload)
"""

_RECEIVE: Final = """\
reply = _exchange({request}, {room})
if reply == _done:
    return None
if reply[{status}] == {ok} and _len(reply) < {large}:
    try:
        return _decode(reply[{size}:])
    except _Damaged:
        pass
return _finish(reply)"""

_DECODE: Final = """\
try:
    {parameters}, = _decode(request[{size}:] if _len(request) < {large} else _payload(request))
except _Damaged:
    {parameters}, = _slowly(_payload(request))
"""

_CALL: Final = """\
try:
    result = _entry({parameters})
except _OSError as error:
    return _failure(error)
if result is None:
    return _done
"""


_PLAIN_BYTES: Final = """\
if _len(result) >= {large}:
    return _of_bytes({ok}, result)
"""


def _persist(exchange: Exchange, request: bytes | Bulk, room: int) -> Frame:
    for _ in range(RETRIES):
        try:
            return exchange(request, room)
        except ServerDied:
            continue
    return exchange(request, room)


def _finish(operation: Op, decode: Callable[[Any], Any], reply: Frame) -> Any:
    """The result in a reply, or the exception in it, raised."""
    status = reply[SIZE - 1]
    if isinstance(reply, Bulk) and reply.head and operation.result is bytes and status == OK:
        return reply.body
    payload = payload_of(reply)
    try:
        if status == OK:
            return None if not payload else decode(payload)
        error = put_together(error_decoder(payload))
    except (MalformedMessage, IndexError) as reason:
        text = f"{operation} sent a malformed reply: {reason}"
        raise OSError(errno.EPROTO, text) from None
    raise error


def _failure(error: OSError) -> bytes:
    return frame(FAILED, encode(take_apart(error)))


def _check_empty(request: Frame) -> None:
    if len(request) != SIZE:
        raise MalformedMessage("arguments for an operation that has none")


def _mentions_bytes(annotation: Any) -> bool:
    return annotation is bytes or any(map(_mentions_bytes, get_args(annotation)))
