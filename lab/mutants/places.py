"""Where in a module something can be changed: statements and expressions in bodies of functions.

Not: docstrings, defaults, decorators, annotations, patterns and the insides of f-strings.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef

_LEFT_OUT: Final = frozenset(["decorator_list", "args", "returns", "annotation", "pattern"])


@dataclass(frozen=True, slots=True)
class Place:
    """A node, and how to replace it.

    Attributes:
        node: what stands there.
        parent: whose part it is.
        field: of the parent.
        index: in that field, if it is a list; else None.
        statement: the innermost statement that it is or is part of.
        inside: the qualified name of the function.
    """

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    statement: ast.stmt
    inside: str

    def put(self, nodes: list[ast.AST]) -> None:
        """Let other nodes stand there; in place of an expression, one."""
        if self.index is None:
            setattr(self.parent, self.field, nodes[0])
        else:
            getattr(self.parent, self.field)[self.index : self.index + 1] = nodes


def places(module: ast.Module) -> Iterator[Place]:
    """All places, in the order of the text."""
    for scope, function in _functions(module, ""):
        for index, statement in enumerate(function.body):
            if not (index == 0 and _is_docstring(statement)):
                yield from _in_statement(statement, function, "body", index, scope)


def header(statement: ast.stmt) -> str:
    """The text of a statement; of one that holds others, its first line."""
    holds_others = hasattr(statement, "body") or hasattr(statement, "cases")
    text = ast.unparse(statement)
    return text.splitlines()[0] if holds_others else text


def _functions(node: ast.AST, scope: str) -> Iterator[tuple[str, Function]]:
    """The functions that are in no other function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{scope}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{scope}{child.name}.")
        elif isinstance(child, ast.stmt):
            yield from _functions(child, scope)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _in_statement(
    node: ast.stmt, parent: ast.AST, field: str, index: int | None, inside: str
) -> Iterator[Place]:
    yield Place(node, parent, field, index, node, inside)
    yield from _below(node, node, inside)


def _below(node: ast.AST, statement: ast.stmt, inside: str) -> Iterator[Place]:
    for field, index, child in _children(node):
        if isinstance(child, ast.stmt):
            yield from _in_statement(child, node, field, index, inside)
            continue
        if isinstance(child, ast.expr):
            yield Place(child, node, field, index, statement, inside)
        yield from _below(child, statement, inside)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    if isinstance(node, ast.JoinedStr):
        return
    for field, value in ast.iter_fields(node):
        if field in _LEFT_OUT:
            continue
        if isinstance(value, list):
            nodes = [(i, each) for i, each in enumerate(value) if isinstance(each, ast.AST)]
            yield from ((field, index, each) for index, each in nodes)
        elif isinstance(value, ast.AST):
            yield field, None, value
