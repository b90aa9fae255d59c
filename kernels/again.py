"""Requests that were recorded, carried out again: what a recorder needs for that."""

from collections.abc import Callable, Generator
from inspect import Parameter
from typing import Any

from kernels.bulk import Bulk, Frame
from kernels.bundle import in_one_piece
from kernels.check import result_of
from kernels.frames import HEADER, OK, SIZE, frame
from kernels.remote import DONE, place_of_bytes
from kernels.stablestore import Entry
from twinos import Caller, Op, Pages, Service
from twinos.codec import arguments_type, decoder, encode


def apart(request: Frame) -> tuple[bytes, bytes]:
    """A request as a frame, and the contents that the frame lacks."""
    if not isinstance(request, Bulk):
        return bytes(request), b""
    if not request.payload:
        return request.whole(), b""
    return HEADER.pack(len(request.payload), request.code) + request.payload, bytes(
        request.contents
    )


def reply_to(operation: Op | None, result: Any) -> bytes:
    """The reply that an operation's result is; without an operation it is one already."""
    if operation is None:
        whole: bytes = result
        return whole
    if isinstance(result, Pages):
        result = bytes(result)
    return DONE if result is None else frame(OK, encode(result))


def whole_reply(reply: Frame) -> bytes:
    """A reply in one piece."""
    return in_one_piece(reply) if isinstance(reply, Bulk) else bytes(reply)


def repeater(instance: Service, operation: Op) -> Callable[[Caller, Entry], Any]:
    """What carries out recorded requests for an operation; it returns the result."""
    method = getattr(instance, operation.name)
    decode, coerce = decoder(arguments_type(operation)), result_of(operation, 0)
    place = place_of_bytes(operation)
    parameters = operation.parameters

    def again(caller: Caller, entry: Entry) -> Any:
        values = list(decode(entry.frame[SIZE:])) if parameters else []
        if entry.contents and place is not None:
            values[place] = entry.contents
        named = {
            parameter.name: value
            for parameter, value in zip(parameters, values, strict=True)
            if parameter.kind is Parameter.KEYWORD_ONLY
        }
        passed = [caller] * operation.wants_caller + values[: len(values) - len(named)]
        result = method(*passed, **named)
        return coerce(_driven(result, operation) if operation.waits else result)

    return again


def _driven(waiting: Generator[Any, None, Any], operation: Op) -> Any:
    """The result of an operation that has waited for what is there now."""
    try:
        next(waiting)
    except StopIteration as done:
        return done.value
    raise RuntimeError(f"{operation} waits, and did not when it was recorded")
