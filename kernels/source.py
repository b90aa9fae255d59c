"""Functions written to measure.

Passing `*args` through layers costs more than encoding a message. So stubs, gates and dispatch are
compiled for each operation, with its own fixed parameters, as dataclasses and namedtuples are.
"""

import linecache
from collections.abc import Callable, Iterable
from functools import lru_cache
from textwrap import indent
from types import CodeType
from typing import Any, Final, NamedTuple

GATE: Final = "gate"
"""The kind of those functions in which a user's thread is inside the kernel."""


HANDLER: Final = "handler"
"""The kind of those in which a server's thread carries out a request."""


class Piece(NamedTuple):
    """A part of a function's body, and the names that it uses beside the parameters."""

    text: str
    names: dict[str, Any]


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
