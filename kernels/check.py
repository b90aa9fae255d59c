"""Checks written out: source that tells whether a value has exactly its declared type.

A value that passes needs no coercer, and nearly all do; a call of one costs more than the test.
"""

from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from kernels.frames import LARGE
from twinos import Op, Pages
from twinos.values import INT_MAX, INT_MIN, Coercer, coercer

NAMES: Final[dict[str, Any]] = {
    "_type": type,
    "_int": int,
    "_str": str,
    "_bytes": bytes,
    "_bool": bool,
    "_float": float,
}
"""What the source of a check uses; the underscores keep parameters from hiding it."""

_SMALL: Final = (1 << 30) - 1
_EXACT: Final[dict[Any, str]] = {
    None: "{0} is not None",
    type(None): "{0} is not None",
    # Python compares small numbers fast, and two at a time: nearly all are small.
    int: f"_type({{0}}) is not _int or ({{0}} < 0 or {{0}} > {_SMALL}) and "
    f"not {INT_MIN} <= {{0}} <= {INT_MAX}",
    str: "_type({0}) is not _str",
    bytes: "_type({0}) is not _bytes",
    bool: "_type({0}) is not _bool",
    float: "_type({0}) is not _float",
}


def unless_exact(annotation: Any, name: str) -> str:
    """`if ...: `, true for whatever the variable `name` holds that needs the coercer."""
    arms = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)
    wrong = [_EXACT.get(arm, "") for arm in arms]
    return f"if {' and '.join(f'({test})' for test in wrong).format(name)}: " if all(wrong) else ""


def result_of(operation: Op, room: int = 0) -> Coercer:
    """What makes an operation's result of what its method returned.

    Args:
        operation: which.
        room: how many bytes may stay in pages: they are laid elsewhere without being joined.
    """
    coerce = coercer(operation.result)
    if not operation.paged:
        return coerce

    def kept_or_joined(value: Any) -> Any:
        if type(value) is not Pages:
            return coerce(value)
        return value if LARGE <= len(value) <= room else bytes(value)

    return kept_or_joined


def joined(method: Callable[..., Any], operation: Op) -> Callable[..., Any]:
    """`method`, of which nothing comes in pages."""
    result = result_of(operation)

    def called(*arguments: Any, **named: Any) -> Any:
        return result(method(*arguments, **named))

    return called


def container(annotation: Any) -> type | None:
    """The class of a value that is made of others, which its maker answers for."""
    if get_origin(annotation) is tuple:
        return tuple
    made_of_others = isinstance(annotation, type) and (
        hasattr(annotation, "_fields") or issubclass(annotation, msgspec.Struct)
    )
    return annotation if made_of_others else None


def passed_on(operation: Op) -> Iterator[str]:
    """The arguments of a call of the method."""
    for parameter in operation.parameters:
        by_name = parameter.kind is parameter.KEYWORD_ONLY
        yield f"{parameter.name}={parameter.name}" if by_name else parameter.name
