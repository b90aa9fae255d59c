"""From words to what a command is given: tilde, parameters, substitutions, fields, paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from workloads.shell import patterns
from workloads.shell.arithmetic import ArithmeticFault, evaluate
from workloads.shell.patterns import Piece
from workloads.shell.state import ShellFault, State
from workloads.shell.syntax import (
    Arithmetic,
    Parameter,
    Part,
    Sequence,
    Substitution,
    Text,
    Word,
)

_BLANKS: Final = " \t\n"


class Host(NamedTuple):
    """What expanding needs of the world.

    Attributes:
        capture: what a list of commands writes.
        names: what is in a directory.
        exists: whether there is something at a path.
    """

    capture: Callable[[Sequence], str]
    names: Callable[[str], tuple[str, ...]]
    exists: Callable[[str], bool]


class _Break:
    """Between two fields, wherever they come from."""


_BREAK: Final = _Break()
_Item = Piece | _Break


class Expansion:
    """Expands words.

    Args:
        state: the shell's.
        host: the world.
    """

    def __init__(self, state: State, host: Host) -> None:
        self._state = state
        self._host = host

    def fields(self, words: tuple[Word, ...]) -> list[str]:
        """The arguments that words become: split, and with patterns replaced by paths."""
        found: list[str] = []
        for word in words:
            for field in _fields(self._items(word, split=True)):
                found += self._paths(field)
        return found

    def text(self, word: Word) -> str:
        """The one text that a word becomes where nothing is split: in assignments and the like."""
        return "".join(text for text, _ in self.pattern(word))

    def pattern(self, word: Word) -> list[Piece]:
        """The same, in which quotes are remembered: a pattern."""
        items = self._items(word, split=False)
        return [(" ", True) if isinstance(item, _Break) else item for item in items]

    def _paths(self, field: list[Piece]) -> list[str]:
        plain = "".join(text for text, _ in field)
        if "f" in self._state.options or not patterns.is_pattern(field):
            return [plain]
        return patterns.paths(field, self._host.names, self._host.exists) or [plain]

    def _items(self, word: Word, *, split: bool) -> Iterator[_Item]:
        for place, part in enumerate(word):
            if isinstance(part, Text):
                if not place and not part.quoted and part.value.startswith("~"):
                    yield from self._tilde(part.value)
                else:
                    yield part.value, part.quoted
            elif isinstance(part, Parameter):
                yield from self._parameter(part, split=split)
            else:
                value = self._computed(part)
                yield from self._split(value) if split and not part.quoted else [(value, True)]

    def _computed(self, part: Substitution | Arithmetic) -> str:
        if isinstance(part, Substitution):
            return self._host.capture(part.body).rstrip("\n")
        try:
            return str(evaluate(self.text(part.expression), self._number, self._state.put))
        except ArithmeticFault as fault:
            raise ShellFault(str(fault)) from None

    def _number(self, name: str) -> str:
        return self._state.get(name) or ""

    def _tilde(self, text: str) -> Iterator[_Item]:
        head, slash, rest = text.partition("/")
        home = self._state.get("HOME")
        if head == "~" and home:
            yield home, True
            yield slash + rest, False
        else:
            yield text, False

    def _parameter(self, part: Parameter, *, split: bool) -> Iterator[_Item]:
        if (
            part.name in {"@", "*"}
            and part.operator != "len"
            and (not part.operator or self._state.arguments)
        ):
            yield from self._arguments(part, split=split)
            return
        value = self.value(part.name)
        empty = value is None or (part.operator.startswith(":") and not value)
        kind = part.operator[-1:]
        if part.operator == "len":
            yield str(len(value or "")), True
        elif kind and kind in "%#":
            yield from self._said(self._trimmed(part, value or ""), part, split=split)
        elif kind == "+":
            yield from () if empty else self._items(part.word, split=split and not part.quoted)
        elif not kind or not empty:
            if value is None and "u" in self._state.options:
                raise ShellFault(f"{part.name}: parameter not set")
            yield from self._said(value or "", part, split=split)
        else:
            yield from self._instead(part, kind, split=split)

    def _instead(self, part: Parameter, kind: str, *, split: bool) -> Iterator[_Item]:
        """What stands for a parameter that is not set."""
        if kind == "?":
            raise ShellFault(f"{part.name}: {self.text(part.word) or 'parameter not set'}")
        if kind == "=":
            value = self.text(part.word)
            self._state.put(part.name, value)
            yield from self._said(value, part, split=split)
        else:
            yield from self._items(part.word, split=split and not part.quoted)

    def _said(self, value: str, part: Parameter, *, split: bool) -> Iterator[_Item]:
        if split and not part.quoted:
            yield from self._split(value)
        else:
            yield value, part.quoted

    def _trimmed(self, part: Parameter, value: str) -> str:
        pattern = self.pattern(part.word)
        cut = patterns.without_prefix if part.operator[0] == "#" else patterns.without_suffix
        return cut(pattern, value, longest=len(part.operator) == 2)

    def _arguments(self, part: Parameter, *, split: bool) -> Iterator[_Item]:
        arguments = self._state.arguments
        if part.quoted and part.name == "*":
            separator = self._state.get("IFS")
            yield (" " if separator is None else separator[:1]).join(arguments), True
            return
        for place, argument in enumerate(arguments):
            if place:
                yield _BREAK
            if part.quoted or not split:
                yield argument, True
            else:
                yield from self._split(argument)

    def value(self, name: str) -> str | None:
        """A parameter's value; None: it is not set."""
        state = self._state
        special: dict[str, Callable[[], str | None]] = {
            "?": lambda: str(state.status),
            "$": lambda: str(state.pid),
            "!": lambda: str(state.background) if state.background else None,
            "#": lambda: str(len(state.arguments)),
            "0": lambda: state.name,
            "-": lambda: state.options,
            "@": lambda: " ".join(state.arguments) if state.arguments else None,
            "*": lambda: " ".join(state.arguments) if state.arguments else None,
        }
        if name in special:
            return special[name]()
        if name.isdecimal():
            place = int(name) - 1
            return state.arguments[place] if place < len(state.arguments) else None
        return state.get(name)

    def _split(self, value: str) -> Iterator[_Item]:
        """Fields of a value that no quotes protect, cut at the letters of IFS."""
        given = self._state.get("IFS")
        separators = _BLANKS if given is None else given
        blanks = "".join(letter for letter in separators if letter in _BLANKS)
        place = 0
        while place < len(value):
            if value[place] not in separators:
                end = place
                while end < len(value) and value[end] not in separators:
                    end += 1
                yield value[place:end], False
                place = end
            else:
                end = place
                while end < len(value) and value[end] in blanks:
                    end += 1
                if end < len(value) and value[end] in separators:
                    end += 1
                    yield "", False
                    yield _HARD
                    while end < len(value) and value[end] in blanks:
                        end += 1
                else:
                    yield _BREAK
                place = end


class _Hard(_Break):
    """A separator that is no blank: the field before it exists, if it is empty."""


_HARD: Final = _Hard()


def _fields(items: Iterator[_Item]) -> Iterator[list[Piece]]:
    """What stands between breaks; a field without letters counts if quotes stand there."""
    field: list[Piece] = []
    for item in items:
        if isinstance(item, _Break):
            if _counts(field) or isinstance(item, _Hard):
                yield field or [("", True)]
            field = []
        else:
            field.append(item)
    if _counts(field):
        yield field


def _counts(field: list[Piece]) -> bool:
    return any(text or quoted for text, quoted in field)


__all__ = ["Expansion", "Host", "Part"]
