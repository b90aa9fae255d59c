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

from kernels.pipes import FAILED, LARGE, OK, SIZE, SMALL, Frame, Line, frame, payload_of
from kernels.source import function
from twinos import Bind, Op, ServerDied
from twinos.codec import (
    MalformedMessage,
    encode,
    error_decoder,
    reply_decoder,
    request_decoder,
)
from twinos.errors import put_together, take_apart

Dispatch = Callable[[Frame], bytes]
"""Turns a request into its reply. Raises MalformedMessage."""

RETRIES: Final = 3
"""How often a stub sends an idempotent request again to a restarted server."""

DONE: Final = frame(OK, b"")
"""The reply of an operation whose result is None."""


def remote_binder(line: Line) -> Bind:
    """A binder that delivers by messages over `line`."""
    return partial(deliver, line)


def deliver(line: Line, operation: Op) -> Callable[..., Any]:
    """The callable that sends one operation's requests and returns its results."""
    names: dict[str, Any] = {
        "_exchange": partial(_persist, line) if operation.idempotent else line.exchange,
        "_request": frame(operation.number, b""),
        "_frame": frame,
        "_encode": encode,
        "_finish": partial(_finish, operation, reply_decoder(operation)),
        "_done": DONE,
    }
    parameters = [parameter.name for parameter in operation.parameters]
    room = LARGE if _mentions_bytes(operation.result) else SMALL
    lines = []
    if parameters:
        arguments = f"({', '.join(parameters)},)"
        lines.append(f"_request = _frame({operation.number}, _encode({arguments}))")
    lines.append(f"reply = _exchange(_request, {room})")
    lines.append("return None if reply == _done else _finish(reply)")
    return function(operation.name, parameters, "\n".join(lines), names, kind="remote")


def dispatcher(operation: Op, entry: Callable[..., Any]) -> Dispatch:
    """The server's half of `deliver`; `entry` has the operation carried out."""
    names: dict[str, Any] = {
        "_payload": payload_of,
        "_decode": request_decoder(operation),
        "_entry": entry,
        "_frame": frame,
        "_encode": encode,
        "_failure": _failure,
        "_done": DONE,
        "_check_empty": _check_empty,
        "OSError": OSError,
    }
    parameters = ", ".join(parameter.name for parameter in operation.parameters)
    unpack = (
        f"{parameters}, = _decode(_payload(request))" if parameters else "_check_empty(request)"
    )
    body = _DISPATCH.format(unpack=unpack, parameters=parameters, ok=OK)
    return function(operation.name, ["request"], body, names, kind="dispatch")


_DISPATCH: Final = """\
{unpack}
try:
    result = _entry({parameters})
    return _done if result is None else _frame({ok}, _encode(result))
except OSError as error:
    return _failure(error)"""


def _persist(line: Line, request: bytes, room: int) -> Frame:
    for _ in range(RETRIES):
        try:
            return line.exchange(request, room)
        except ServerDied:
            continue
    return line.exchange(request, room)


def _finish(operation: Op, decode: Callable[[Any], Any], reply: Frame) -> Any:
    """The result in a reply, or the exception in it, raised."""
    payload = payload_of(reply)
    try:
        if reply[SIZE - 1] == OK:
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
