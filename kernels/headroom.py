"""Headroom: what is left of the interpreter's stack, which services share with their users.

In one address space the calls of a service are nested in those of its user. A user who is deep in
recursion would end an operation by RecursionError anywhere, half done. So for who comes with less
than an operation may need the stack is let grow meanwhile: he finds out later, in his own code.
"""

import importlib
import sys
import threading
from collections.abc import Callable
from functools import cache
from types import FrameType
from typing import Any, Final, TypeVar

from kernels.source import Piece, gate, offer
from twinos import Op

R = TypeVar("R")

RESERVE: Final = 200
"""Calls that an operation may nest: twice what any does (a path of 40 symbolic links, the most)."""

_WAY_BACK: Final = 5
"""Calls that must be left for the limit to be lowered again: Python refuses one that is reached."""


def _counted() -> int:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (CPython's way to see callers)
    count = 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


def _quickest() -> Callable[[], int]:
    try:
        own = importlib.import_module("_testinternalcapi")
    except ImportError:  # some distributions leave out what CPython tests itself with
        return _counted
    depth: Callable[[], int] = getattr(own, "get_recursion_depth", _counted)
    return depth


depth: Final = _quickest()
"""How many calls are nested in this thread; CPython's own function costs less than a call."""


class _Limit:
    """The interpreter's limit, the same for all threads, raised while somebody needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guests = 0
        self._base = 0

    def deepest(self) -> int:
        """The depth beyond which less than the reserve is left: for small limits, half of them."""
        limit = self._base or sys.getrecursionlimit()
        return max(limit - RESERVE, limit // 2)

    def raise_(self) -> None:
        with self._lock:
            limit = self._base or sys.getrecursionlimit()
            if depth() > limit - _WAY_BACK:  # too late; and the room that others got is not his
                raise RecursionError("maximum recursion depth exceeded")
            if not self._guests:
                sys.setrecursionlimit(limit + RESERVE)
                self._base = limit
            self._guests += 1

    def lower(self) -> None:
        with self._lock:
            self._guests -= 1
            if not self._guests:
                if sys.getrecursionlimit() == self._base + RESERVE:  # nobody else has changed it
                    sys.setrecursionlimit(self._base)
                self._base = 0


_limit: Final = _Limit()


def with_room(work: Callable[..., R], *arguments: Any) -> R:
    """Call `work` with the reserve at least. RecursionError, before that, beyond the limit."""
    if depth() <= _limit.deepest():
        return work(*arguments)
    _limit.raise_()
    try:
        return work(*arguments)
    finally:
        _limit.lower()


def entrance(operation: Op, passage: Piece) -> Callable[..., Any]:
    """A function of a gate that does what `passage` says, with the reserve at least.

    It costs little, but for who is deep: its own limit is that of now, less the reserve.
    """
    name, parameters = operation.name, [parameter.name for parameter in operation.parameters]
    deep = cache(lambda: gate(name, parameters, "", passage, {}))

    def carried_out(*arguments: Any) -> Any:
        return deep()(*arguments)

    def at_depth(*arguments: Any) -> Any:
        return with_room(carried_out, *arguments)

    check = f"if _depth() > {_limit.deepest()}: return _at_depth({', '.join(parameters)})\n"
    names = passage.names | {"_depth": depth, "_at_depth": at_depth}
    checked = Piece(check + passage.text, names)
    return offer(gate(name, parameters, "", checked, {}), checked)
