"""From tokens to the tree: the grammar of POSIX's shell, by recursive descent."""

from __future__ import annotations

import re
from typing import Final

from workloads.shell.reader import Reader, assignment
from workloads.shell.syntax import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Pipeline,
    Redirect,
    Sequence,
    Simple,
    Subshell,
    While,
    Word,
    literal,
)

_CLOSING: Final = frozenset(["then", "elif", "else", "fi", "do", "done", "esac", "}"])
RESERVED: Final = _CLOSING | {"if", "while", "until", "for", "case", "{", "!", "in"}
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def parse(text: str) -> Sequence:
    """All of a script. SyntaxFault."""
    parser = Parser(text)
    items: list[tuple[AndOr, bool]] = []
    while (line := parser.line()) is not None:
        items += line.items
    return Sequence(tuple(items))


class Parser(Reader):
    """Parses a script, a line (or what belongs together) at a time.

    Args:
        text: the script.
        first: the number of its first line.
    """

    def line(self) -> Sequence | None:
        """The commands of the next line; None at the end. SyntaxFault."""
        while self._peek().operator == "\n":
            self._take()
        if self._at_end():
            return None
        items = []
        while not self._at_end() and self._peek().operator != "\n":
            items.append(self._item())
            if self._peek().operator not in {"\n", ""} and not self._separated:
                raise self._unexpected()
            if self._peek().operator in {")", ";;", ";", "&"} or self._word() in _CLOSING:
                raise self._unexpected()
        if not self._at_end():
            self._take()  # the line's end, and the texts that follow it
        elif self._lexer.documents:
            self._lexer._read_documents()  # noqa: SLF001 (they are empty)
        return Sequence(tuple(items))

    def substitution(self, place: int) -> tuple[Sequence, int]:
        """What stands in parentheses from `place` on, and where it ends."""
        inner = Parser(self._lexer.text)
        inner._lexer.place = place
        body = inner._sequence()
        if inner._peek().operator != ")":
            raise inner._unexpected()
        return body, inner._peek().start

    _separated = False

    def _item(self) -> tuple[AndOr, bool]:
        start = self._peek().start
        found = self._and_or()
        end = self._peek().start
        found.text = self._lexer.text[start:end].strip()
        operator = self._peek().operator
        self._separated = operator in {";", "&"}
        if self._separated:
            self._take()
        return found, operator == "&"

    def _sequence(self) -> Sequence:
        """Lists until something closes them."""
        items: list[tuple[AndOr, bool]] = []
        self._skip_lines()
        while not self._closes():
            items.append(self._item())
            if not self._separated and self._peek().operator != "\n" and not self._closes():
                raise self._unexpected()
            self._skip_lines()
        return Sequence(tuple(items))

    def _closes(self) -> bool:
        return self._at_end() or self._peek().operator in {")", ";;"} or self._word() in _CLOSING

    def _body(self, *ends: str) -> Sequence:
        """A list that must not be empty, up to one of some words; that is not taken."""
        body = self._sequence()
        if self._word() not in ends:
            raise self._unexpected(f' (expecting "{ends[0]}")')
        if not body.items:
            raise self._unexpected()
        return body

    def _and_or(self) -> AndOr:
        pipelines = [("", self._pipeline())]
        while (operator := self._peek().operator) in {"&&", "||"}:
            self._take()
            self._skip_lines()
            pipelines.append((operator, self._pipeline()))
        return AndOr(tuple(pipelines))

    def _pipeline(self) -> Pipeline:
        negated = self._word() == "!"
        if negated:
            self._take()
        commands = [self._command()]
        while self._peek().operator == "|":
            self._take()
            self._skip_lines()
            commands.append(self._command())
        return Pipeline(tuple(commands), negated)

    def _command(self) -> Command:
        compound = {
            "if": self._if,
            "while": self._while,
            "until": self._while,
            "for": self._for,
            "case": self._case,
            "{": self._group,
        }.get(self._word() or "")
        if compound is not None or self._peek().operator == "(":
            command = compound() if compound is not None else self._subshell()
            command.redirects = tuple(self._redirects())  # type: ignore[union-attr]  # all have
            return command
        if self._word() in RESERVED:
            raise self._unexpected()
        return self._simple()

    def _subshell(self) -> Command:
        self._take()
        body = self._sequence()
        if self._peek().operator != ")" or not body.items:
            raise self._unexpected(' (expecting ")")' if body.items else "")
        self._take()
        return Subshell(body)

    def _group(self) -> Command:
        self._take()
        body = self._body("}")
        self._take()
        return Group(body)

    def _if(self) -> Command:
        branches, otherwise = [], None
        while self._word() in {"if", "elif"}:
            self._take()
            condition = self._body("then")
            self._take()
            branches.append((condition, self._body("fi", "elif", "else")))
        if self._word() == "else":
            self._take()
            otherwise = self._body("fi")
        self._take()
        return If(tuple(branches), otherwise)

    def _while(self) -> Command:
        until = self._word() == "until"
        self._take()
        condition = self._body("do")
        return While(condition, self._do(), until)

    def _do(self) -> Sequence:
        if self._word() != "do":
            raise self._unexpected(' (expecting "do")')
        self._take()
        body = self._body("done")
        self._take()
        return body

    def _for(self) -> Command:
        self._take()
        name = literal(self._take().word or ())
        if name is None or not _NAME.fullmatch(name):
            raise self._lexer.fault("Bad for loop variable")
        self._skip_lines()
        words: list[Word] | None = None
        if self._word() == "in":
            self._take()
            words = []
            while (word := self._peek().word) is not None:
                self._take()
                words.append(word)
        if self._peek().operator == ";":
            self._take()
        self._skip_lines()
        return For(name, None if words is None else tuple(words), self._do())

    def _case(self) -> Command:
        self._take()
        word = self._take().word
        self._skip_lines()
        if word is None or self._word() != "in":
            raise self._unexpected(' (expecting "in")')
        self._take()
        self._skip_lines()
        branches = []
        while self._word() != "esac":
            branches.append(self._branch())
            self._skip_lines()
        self._take()
        return Case(word, tuple(branches))

    def _branch(self) -> tuple[tuple[Word, ...], Sequence]:
        if self._peek().operator == "(":
            self._take()
        patterns = []
        while True:
            pattern = self._take().word
            if pattern is None:
                raise self._unexpected()
            patterns.append(pattern)
            if self._peek().operator != "|":
                break
            self._take()
        if self._take().operator != ")":
            raise self._unexpected(' (expecting ")")')
        body = self._sequence()
        if self._peek().operator == ";;":
            self._take()
        elif self._word() != "esac":
            raise self._unexpected(' (expecting ";;")')
        return tuple(patterns), body

    def _simple(self) -> Command:
        line = self._lexer.line
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            redirects += self._redirects()
            word = self._peek().word
            if word is None:
                break
            self._take()
            if not words and (found := assignment(word)):
                assignments.append(found)
                continue
            words.append(word)
            if len(words) == 1 and self._peek().operator == "(" and not assignments:
                return self._function(word)
        if not (assignments or words or redirects):
            raise self._unexpected()
        return Simple(tuple(assignments), tuple(words), tuple(redirects), line)

    def _function(self, word: Word) -> Command:
        self._take()
        name = literal(word)
        if self._take().operator != ")":
            raise self._unexpected(' (expecting ")")')
        if name is None or not _NAME.fullmatch(name):
            raise self._lexer.fault("Bad function name")
        self._skip_lines()
        return Function(name, self._command())
