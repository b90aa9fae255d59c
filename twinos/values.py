"""Values: what may travel in a message.

Immutable things only: int, bool, float, str, bytes, None, enum members, NamedTuples, frozen
msgspec structs, and tuples of these. So copying can't be told from sharing, and a service means
the same whether its argument was passed or encoded.

A *coercer* turns what a client passed into exactly the declared type, as Python's own `os` module
does: whatever has `__index__` is an int, whatever has `__fspath__` a str, any buffer is bytes.
Everything else is a TypeError, at the client, before anything is sent.
"""

import enum
import os
import types
from collections.abc import Callable
from functools import cache
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from twinos.errors import ContractError

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**64 - 1

Coercer = Callable[[Any], Any]


def type_name(annotation: Any) -> str:
    """A type as its author wrote it: `int`, `str | bytes`, `tuple[Stat, ...]`."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is Ellipsis:
        return "..."
    if isinstance(annotation, NewType):
        return annotation.__name__
    origin = get_origin(annotation)
    if origin is Annotated:
        return type_name(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return " | ".join(type_name(arm) for arm in get_args(annotation))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, get_args(annotation)))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(type_name, get_args(annotation)))}]"
    return getattr(annotation, "__name__", repr(annotation))


@cache
def coercer(annotation: Any) -> Coercer:
    """The coercer for one declared type.

    Raises:
        ContractError: values of this type may not travel.
    """
    if isinstance(annotation, NewType):
        return coercer(annotation.__supertype__)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin = get_origin(annotation)
    if origin is not None:
        return _generic(annotation, origin, get_args(annotation))
    if isinstance(annotation, type):
        return _class(annotation)
    raise _refused(annotation)


def check_type(annotation: Any) -> None:
    """Raise ContractError unless values of this type may travel, and can be told apart."""
    try:
        coercer(annotation)
        msgspec.msgpack.Decoder(annotation)
    except ContractError:
        raise
    except RecursionError:
        raise ContractError(f"{type_name(annotation)} may not travel: it holds itself") from None
    except (TypeError, ValueError, NameError, NotImplementedError) as error:
        raise ContractError(f"{type_name(annotation)}: {error}") from None


def _refused(annotation: Any) -> ContractError:
    return ContractError(
        f"{type_name(annotation)} may not travel in a message: use int, bool, float, str, bytes, "
        "None, an enum, a NamedTuple, a frozen msgspec.Struct, or a tuple of these"
    )


def _mismatch(expected: Any, value: Any) -> TypeError:
    return TypeError(f"expected {type_name(expected)}, got {type(value).__name__}")


def _int(value: Any) -> int:
    try:
        number = int(value.__index__())
    except AttributeError:
        raise _mismatch(int, value) from None
    if not INT_MIN <= number <= INT_MAX:
        raise OverflowError(f"{number} does not fit in 64 bits")
    return number


def _float(value: Any) -> float:
    if isinstance(value, float | int) or hasattr(value, "__float__"):
        return float(value)
    raise _mismatch(float, value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _mismatch(bool, value)


def _str(value: Any) -> str:
    if not isinstance(value, str) and hasattr(value, "__fspath__"):
        value = os.fsdecode(value)
    if isinstance(value, str):
        return str.__str__(value)
    raise _mismatch(str, value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value if type(value) is bytes else bytes(value)
    try:
        return memoryview(value).tobytes()
    except TypeError:
        raise _mismatch(bytes, value) from None


def _none(value: Any) -> None:
    if value is not None:
        raise _mismatch(None, value)


_PLAIN: Final[dict[Any, Coercer]] = {
    int: _int,
    float: _float,
    bool: _bool,
    str: _str,
    bytes: _bytes,
    None: _none,
    type(None): _none,
}


def _generic(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Coercer:
    if origin is Annotated:
        if any(isinstance(extra, msgspec.Meta) for extra in annotation.__metadata__):
            raise ContractError("a bound on a value is the operation's to check: no msgspec.Meta")
        return coercer(arguments[0])
    if origin in {Union, types.UnionType}:
        return _union(annotation, arguments)
    if origin is Literal:
        return _literal(annotation, arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _sequence(annotation, coercer(arguments[0]))
    if origin is tuple:
        return _record(annotation, tuple, tuple(map(coercer, arguments)))
    raise _refused(annotation)


def _class(cls: type) -> Coercer:
    if issubclass(cls, enum.Enum):
        return _member(cls)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        hints = get_type_hints(cls, include_extras=True)
        fields = tuple(coercer(hints[name]) for name in cls._fields)
        return _record(cls, cls._make, fields)  # type: ignore[attr-defined]  # a NamedTuple has it
    if issubclass(cls, msgspec.Struct):
        return _struct(cls)
    raise _refused(cls)


def _union(annotation: Any, arms: tuple[Any, ...]) -> Coercer:
    exact = {arm: coercer(arm) for arm in arms}

    def coerce(value: Any) -> Any:
        arm = exact.get(type(value))
        if arm is not None:
            return arm(value)
        for candidate in exact.values():
            try:
                return candidate(value)
            except TypeError:
                continue
        raise _mismatch(annotation, value)

    return coerce


def _literal(annotation: Any, choices: tuple[Any, ...]) -> Coercer:
    allowed = {(type(choice), choice) for choice in choices}
    if not all(isinstance(choice, int | str) for choice in choices):
        raise _refused(annotation)

    def coerce(value: Any) -> Any:
        if (type(value), value) not in allowed:
            raise TypeError(f"expected {type_name(annotation)}, got {value!r}")
        return value

    return coerce


def _member(cls: type[enum.Enum]) -> Coercer:
    if not all(type(member.value) in {int, str} for member in cls):
        raise ContractError(f"{cls.__name__}: members of an enum that travels are int or str")

    def coerce(value: Any) -> Any:
        if not isinstance(value, cls):
            raise _mismatch(cls, value)
        if isinstance(value, enum.Flag):
            _int(value.value)  # flags that no member names may not fit
        return value

    return coerce


def _sequence(annotation: Any, item: Coercer) -> Coercer:
    def coerce(value: Any) -> Any:
        if not isinstance(value, tuple | list):
            raise _mismatch(annotation, value)
        return tuple(map(item, value))

    return coerce


def _record(annotation: Any, make: Callable[[Any], Any], items: tuple[Coercer, ...]) -> Coercer:
    accepted = tuple | list if make is tuple else annotation

    def coerce(value: Any) -> Any:
        if not isinstance(value, accepted) or len(value) != len(items):
            raise _mismatch(annotation, value)
        return make(item(part) for item, part in zip(items, value, strict=True))

    return coerce


def _struct(cls: type[msgspec.Struct]) -> Coercer:
    if not cls.__struct_config__.frozen:
        raise ContractError(f"{cls.__name__} may not travel: declare it with frozen=True")
    fields = {field.name: coercer(field.type) for field in msgspec.structs.fields(cls)}

    def coerce(value: Any) -> Any:
        if type(value) is not cls:
            raise _mismatch(cls, value)
        return cls(**{name: item(getattr(value, name)) for name, item in fields.items()})

    return coerce
