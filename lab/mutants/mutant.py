"""One mistake in one module: found, shown and compiled."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Final

import msgspec

from lab.dispatch import ROOT
from lab.mutants.kinds import KINDS
from lab.mutants.places import Place, header, places
from twinos import Service

MARK: Final = "mutant"
"""What is called when the place is reached; see `lab.mutants.swap`."""
_FAMILIES: Final = frozenset(["servers.examples"])
"""Packages that hold one service a module."""


class Mutant(msgspec.Struct, frozen=True):
    """One mistake.

    Attributes:
        id: tells it from all others of this code: file, line, column, kind.
        path: of the module, from the repository's root on.
        line: of the place.
        kind: of the mistake.
        inside: the qualified name of the function.
        before: the statement as it is.
        after: as it becomes.
    """

    id: str
    path: str
    line: int
    kind: str
    inside: str
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff has it."""
        gone = [f"- {line}" for line in self.before.splitlines()]
        come = [f"+ {line}" for line in self.after.splitlines()]
        return "\n".join([f"{self.path}:{self.line} in {self.inside}", *gone, *come])


def sources(service: type[Service]) -> list[Path]:
    """The files of a service that are loaded: its module, or all of its package."""
    package = ".".join(service.__module__.split(".")[:2])
    whole = package if package not in _FAMILIES else service.__module__
    names = sorted(n for n in sys.modules if n == whole or n.startswith(f"{whole}."))
    files = [getattr(sys.modules[name], "__file__", None) for name in names]
    return [Path(file) for file in files if file]


def mutants(path: Path) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its text."""
    for mutant, _, _ in _made(ast.parse(path.read_text()), path):
        yield mutant


def compiled(mutant: Mutant) -> CodeType:
    """The code of the module with the mistake in it, and a call of `MARK` before it.

    Raises:
        LookupError: this code has no such mutant.
    """
    path = ROOT / mutant.path
    module = ast.parse(path.read_text())
    for found, place, node in _made(module, path):
        if found.id == mutant.id:
            place.put(_marked(node))
            return compile(ast.fix_missing_locations(module), str(path), "exec")
    raise LookupError(mutant.id)


def _made(module: ast.Module, path: Path) -> Iterator[tuple[Mutant, Place, ast.AST]]:
    seen: Counter[str] = Counter()
    for place in list(places(module)):
        before = header(place.statement)
        for name, kind in KINDS.items():
            node = kind.mistake(place)
            after = _changed(place, node) if node is not None else before
            if node is None or after == before:
                continue
            file = str(path.relative_to(ROOT))
            key = f"{file}:{_line(place)}:{place.node.col_offset}:{name}"  # type: ignore[attr-defined]  # of statements and expressions
            seen[key] += 1
            key += f":{seen[key]}" if seen[key] > 1 else ""
            yield Mutant(key, file, _line(place), name, place.inside, before, after), place, node


def _line(place: Place) -> int:
    return int(place.node.lineno)  # type: ignore[attr-defined]  # of statements and expressions


def _changed(place: Place, node: ast.AST) -> str:
    """What the statement looks like with this node in place."""
    if isinstance(node, ast.stmt):
        return ast.unparse(node)
    place.put([node])
    try:
        return header(place.statement)
    finally:
        place.put([place.node])


def _marked(node: ast.AST) -> list[ast.AST]:
    mark = ast.Call(ast.Name(MARK, ast.Load()), [], [])
    if not isinstance(node, ast.expr):
        return [ast.Expr(mark), node]
    return [ast.BoolOp(ast.Or(), [mark, node])]  # it is reached: the mark is None
