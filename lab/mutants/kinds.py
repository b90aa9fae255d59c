"""The mistakes: what is made of a node, or None where there is nothing to get wrong.

After the operators of mutation testing (DeMillo, Lipton and Sayward, 1978), plus two that a kernel
must stand: a loop that never ends, and garbage for a result.
"""

import ast
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lab.mutants.places import Place

GARBAGE: Final = "garbage"
"""What `return` is given its value by; see `lab.mutants.swap`."""

Mistake = Callable[[Place], ast.AST | None]

_FLIPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_NEXT: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_DROPPED: Final = (
    ast.Expr,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Raise,
    ast.Delete,
    ast.Assert,
)
_BEFORE: Final = (*_DROPPED, ast.Return)


def _drop(place: Place) -> ast.AST | None:
    return ast.Pass() if isinstance(place.node, _DROPPED) else None


def _flip(place: Place) -> ast.AST | None:
    match place.node:
        case ast.Compare(left, [operator, *more], comparators):
            return ast.Compare(left, [_FLIPPED[type(operator)](), *more], comparators)
        case ast.UnaryOp(ast.Not(), operand):
            return operand
        case ast.Name() | ast.Attribute() | ast.Call() if place.field == "test":
            return ast.UnaryOp(ast.Not(), place.node)
    return None


def _off_by_one(place: Place) -> ast.AST | None:
    match place.node:
        case ast.Compare(left, [operator], comparators) if type(operator) in _NEXT:
            return ast.Compare(left, [_NEXT[type(operator)]()], comparators)
        case ast.Constant(value) if type(value) is int:
            return ast.Constant(value + 1)
        case ast.expr() if place.field in {"lower", "upper"}:
            return ast.BinOp(place.node, ast.Add(), ast.Constant(1))
    return None


def _swap(place: Place) -> ast.AST | None:
    match place.node:
        case ast.Call(function, [first, second, *rest], keywords) if not (
            isinstance(first, ast.Starred) or isinstance(second, ast.Starred)
        ):
            return ast.Call(function, [second, first, *rest], keywords)
    return None


def _wrong_constant(place: Place) -> ast.AST | None:
    match place.node:
        case ast.Constant(value):
            return ast.Constant(_other(value))
        case ast.Attribute(ast.Name("errno") as module, name, context):
            return ast.Attribute(module, "EIO" if name != "EIO" else "ENOENT", context)
        case ast.Name(name, ast.Load()) if name.lstrip("_").isupper() and place.field != "value":
            return ast.BinOp(place.node, ast.Mult(), ast.Constant(2))
    return None


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value * 2 + 3
        case str():
            return value + "?"
        case bytes():
            return value + b"?"
    return 0


def _endless(place: Place) -> ast.AST | None:
    if not isinstance(place.node, _BEFORE):
        return None
    return ast.While(ast.Constant(value=True), [ast.Pass()], [])


def _garbage(place: Place) -> ast.AST | None:
    match place.node:
        case ast.Return(ast.expr() as value):
            return ast.Return(ast.Call(ast.Name(GARBAGE, ast.Load()), [value], []))
    return None


class Kind(NamedTuple):
    """A kind of mistake, and what it is called in a table."""

    mistake: Mistake
    told: str


KINDS: Final = {
    "drop": Kind(_drop, "a statement dropped"),
    "flip": Kind(_flip, "a comparison flipped"),
    "off": Kind(_off_by_one, "off by one"),
    "swap": Kind(_swap, "arguments swapped"),
    "constant": Kind(_wrong_constant, "a wrong constant"),
    "loop": Kind(_endless, "an endless loop"),
    "garbage": Kind(_garbage, "garbage returned"),
}
