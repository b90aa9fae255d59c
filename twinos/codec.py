"""The codec: MessagePack by msgspec, typed from the signatures.

What a server decodes has the operation's types or is refused; nothing is ever unpickled. Names of
files that are not UTF-8 reach Python as str with lone surrogates (PEP 383), which MessagePack can't
hold: such a message is sent in an escaped form, as one extension object.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from twinos.errors import ErrorParts
from twinos.operation import Op

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes | memoryview], Any]

MalformedMessage = msgspec.DecodeError
"""Raised by a decoder for bytes that are not a message of its type."""

DAMAGED: Final = (MalformedMessage, RecursionError, ValueError)
"""What a plain decoder may raise: the latter two for deep nesting and for what is not UTF-8."""

_MESSAGE: Final = 1
_STRING: Final = 2
_EXT_HEADS: Final = frozenset([0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8])

encode_plain: Final[Encode] = msgspec.msgpack.Encoder().encode
"""A value as MessagePack, quickly. Raises UnicodeEncodeError where `encode` must be used."""


def plain_decoder(annotation: Any) -> Decode:
    """The decoder of one type, quickly. Raises one of `DAMAGED` where `decoder` must be asked."""
    decode: Decode = msgspec.msgpack.Decoder(annotation).decode
    return decode


def encode(value: Any) -> bytes:
    """A value as MessagePack."""
    try:
        return encode_plain(value)
    except UnicodeEncodeError:
        escaped = msgspec.msgpack.encode(_escape(msgspec.to_builtins(value, builtin_types=[bytes])))
        return msgspec.msgpack.encode(msgspec.msgpack.Ext(_MESSAGE, escaped))


def make_sure_of(size: int) -> None:
    """Raise MemoryError unless something so large can be encoded: msgspec would crash instead."""
    bytearray(2 * size)  # the host gives it no page, and counts it


def decoder(annotation: Any) -> Decode:
    """The decoder of one type; it raises MalformedMessage for anything else."""
    typed = plain_decoder(annotation)

    def decode(message: bytes | memoryview) -> Any:
        try:
            if message and message[0] in _EXT_HEADS:
                return msgspec.convert(_unescape(message), annotation, builtin_types=[bytes])
            return typed(message)
        except MalformedMessage:
            raise
        except DAMAGED as error:
            raise MalformedMessage(str(error)) from None

    return decode


def arguments_type(op: Op) -> Any:
    """The type of an operation's arguments taken together: a tuple."""
    types = op.types
    return tuple[types] if types else tuple[()]  # type: ignore[valid-type]  # at run time


error_decoder: Final = decoder(ErrorParts)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return msgspec.msgpack.Ext(_STRING, value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list | tuple):
        return [_escape(part) for part in value]
    if isinstance(value, dict):
        return {key: _escape(part) for key, part in value.items()}
    return value


def _unescape(message: bytes | memoryview) -> Any:
    outer = msgspec.msgpack.decode(message)
    if not isinstance(outer, msgspec.msgpack.Ext) or outer.code != _MESSAGE:
        raise MalformedMessage("an extension object that is no message")
    return msgspec.msgpack.decode(outer.data, ext_hook=_string)


def _string(code: int, data: memoryview) -> str:
    if code != _STRING:
        raise MalformedMessage(f"unknown extension {code}")
    return str(data, "utf-8", "surrogatepass")
