"""What a shell knows: variables, functions, arguments; all that a subshell is told."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from workloads.shell.syntax import Command, Sequence

NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Variable(msgspec.Struct):
    """A variable: its value (None: it has only been exported), and what holds of it."""

    value: str | None = None
    exported: bool = False
    readonly: bool = False


class State(msgspec.Struct):
    """Everything that a subshell inherits.

    Attributes:
        variables: by name.
        functions: by name.
        arguments: the positional parameters, `$1` first.
        name: `$0`.
        pid: `$$`.
        status: `$?`.
        background: `$!`; 0: there was none.
        options: one letter each: e, f, u, x.
    """

    variables: dict[str, Variable]
    functions: dict[str, Command] = {}
    arguments: list[str] = []
    name: str = "sh"
    pid: int = 0
    status: int = 0
    background: int = 0
    options: str = ""

    def get(self, name: str) -> str | None:
        """A variable's value."""
        variable = self.variables.get(name)
        return None if variable is None else variable.value

    def put(self, name: str, value: str) -> None:
        """Set a variable. ShellFault: it is read-only."""
        variable = self.variables.setdefault(name, Variable())
        if variable.readonly:
            raise ShellFault(f"{name}: is read only")
        variable.value = value
        if "a" in self.options:
            variable.exported = True

    def environment(self) -> dict[str, str]:
        """What programs are told."""
        return {
            name: variable.value
            for name, variable in self.variables.items()
            if variable.exported and variable.value is not None
        }


class Errand(msgspec.Struct):
    """What a subshell is told: the state, and what to do."""

    state: State
    body: Sequence


class ShellFault(Exception):
    """Something that ends a script that is not interactive, with a status; the text says why."""

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def count_of(text: str, name: str) -> int:
    """A number that a builtin was given. ShellFault."""
    if not text.isdecimal():
        raise ShellFault(f"{name}: Illegal number: {text}")
    return int(text)
