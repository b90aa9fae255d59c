"""Functions written to measure.

Passing `*args` through layers costs more than encoding a message. So stubs, gates and dispatch are
compiled for each operation, with its own fixed parameters, as dataclasses and namedtuples are.
"""

import linecache
from collections.abc import Callable, Iterable
from functools import lru_cache
from textwrap import indent
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

GATE: Final = "gate"
"""The kind of those functions in which a user's thread is inside the kernel."""
_GATE_FILE: Final = f"<twinos {GATE} "

HANDLER: Final = "handler"
"""The kind of those in which a server's thread carries out a request."""


class Piece(NamedTuple):
    """A part of a function's body, and the names that it uses beside the parameters."""

    text: str
    names: dict[str, Any]


_BODY: Final = "__twinos_body__"
_INSIDE: Final = "__twinos_inside__"


def offer(made: Callable[..., Any], body: Piece) -> Callable[..., Any]:
    """The same function, whose body, up to its `return result`, others may take over."""
    setattr(made, _BODY, body)
    return made


def body_of(function: Callable[..., Any]) -> Piece | None:
    """What `offer` said of a function. To write it into another one saves a call."""
    body: Piece | None = getattr(function, _BODY, None)
    return body


def gate(
    name: str, parameters: Iterable[str], first: str, body: Piece, names: dict[str, Any]
) -> Callable[..., Any]:
    """A function of the kind GATE: it does `first`, outside, and then goes in to do `body`."""
    names = {**names, **body.names, _INSIDE: 2 + first.count("\n")}
    return function(name, parameters, f"{first}{body.text}return result", names, kind=GATE)


def is_inside(frame: FrameType) -> bool:
    """Whether a frame is that of a gate, and has come to what it does inside."""
    if not frame.f_code.co_filename.startswith(_GATE_FILE):
        return False
    return frame.f_lineno is None or frame.f_lineno >= frame.f_globals[_INSIDE]


NOTHING: Final = Piece("", {})


def function(
    name: str, parameters: Iterable[str], body: str, names: dict[str, Any], kind: str = "stub"
) -> Callable[..., Any]:
    """The function of that name, parameters and body, which may use `names`.

    The source can be read in a traceback, where its file is called `<twinos KIND NAME>`.
    """
    source = f"def {name}({', '.join(parameters)}):\n{indent(body, '    ')}\n"
    space = dict(names)
    exec(_compiled(kind, name, source), space)  # noqa: S102 (our own text, from checked identifiers)
    made: Callable[..., Any] = space[name]
    return made


@lru_cache(maxsize=4096)
def _compiled(kind: str, name: str, source: str) -> CodeType:
    filename = f"<twinos {kind} {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return compile(source, filename, "exec")
