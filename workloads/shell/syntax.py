"""What a script is made of: the tree that the parser makes and the interpreter walks.

All of it can travel: a subshell is another process, which gets the part of the tree that it is to
run as a message.
"""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, tag=True, array_like=True):
    """A part of a script."""


class Text(Node):
    """Letters as they stand. Quoted, they are neither split nor a pattern."""

    value: str
    quoted: bool = False


class Parameter(Node):
    """`$name`, or `${name OPERATOR word}`; the operator `len` is `${#name}`."""

    name: str
    quoted: bool = False
    operator: str = ""
    word: tuple[Part, ...] = ()


class Substitution(Node):
    """`$(body)`: what it writes."""

    body: Sequence
    quoted: bool = False


class Arithmetic(Node):
    """`$((expression))`."""

    expression: tuple[Part, ...]
    quoted: bool = False


Part = Text | Parameter | Substitution | Arithmetic
Word = tuple[Part, ...]


class Redirect(Node):
    """`fd OPERATOR target`; of `<<` the target is the text itself."""

    fd: int
    operator: str
    target: Word


class Simple(Node):
    """Assignments, then a command and its arguments."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    line: int = 0


class Subshell(Node):
    """`( body )`."""

    body: Sequence
    redirects: tuple[Redirect, ...] = ()


class Group(Node):
    """`{ body; }`."""

    body: Sequence
    redirects: tuple[Redirect, ...] = ()


class If(Node):
    """Conditions with what follows them, and what follows if none holds."""

    branches: tuple[tuple[Sequence, Sequence], ...]
    otherwise: Sequence | None = None
    redirects: tuple[Redirect, ...] = ()


class While(Node):
    """A loop; `until` turns its condition round."""

    condition: Sequence
    body: Sequence
    until: bool = False
    redirects: tuple[Redirect, ...] = ()


class For(Node):
    """A loop over words; None: over the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Sequence
    redirects: tuple[Redirect, ...] = ()


class Case(Node):
    """Patterns, and what is done for the first that fits."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], Sequence], ...]
    redirects: tuple[Redirect, ...] = ()


class Function(Node):
    """`name() body`."""

    name: str
    body: Command


Command = Simple | Subshell | Group | If | While | For | Case | Function


class Pipeline(Node):
    """Commands, each reading what the one before it writes."""

    commands: tuple[Command, ...]
    negated: bool = False


class AndOr(Node):
    """Pipelines joined by `&&` and `||`; the first one's operator is empty."""

    pipelines: tuple[tuple[str, Pipeline], ...]
    text: str = ""


class Sequence(Node):
    """Lists one after the other, and whether each runs in the background."""

    items: tuple[tuple[AndOr, bool], ...] = ()


class SyntaxFault(Exception):
    """What was read is no script."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class Unfinished(SyntaxFault):
    """What was read may go on: a quote is open, or a word such as `fi` is missing."""


def literal(word: Word) -> str | None:
    """The word, if it is letters without quotes, as reserved words are."""
    if len(word) == 1 and isinstance(word[0], Text) and not word[0].quoted:
        return word[0].value
    return None
