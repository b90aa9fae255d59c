"""From letters to tokens: operators and words, with their quotes and expansions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from workloads.shell.syntax import (
    Arithmetic,
    Parameter,
    Part,
    Redirect,
    Sequence,
    Substitution,
    SyntaxFault,
    Text,
    Unfinished,
    Word,
)

OPERATORS: Final = (
    *("<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|"),
    *("&", "|", ";", "(", ")", "<", ">", "\n"),
)
REDIRECTIONS: Final = frozenset(["<", ">", ">>", "<<", "<<-", "<&", ">&", "<>", ">|"])
_META: Final = frozenset(" \t\n|&;()<>")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SPECIAL: Final = frozenset("@*#?-$!0123456789")
_MODIFIER: Final = re.compile(r":?[-=?+]|%%?|##?")
_ESCAPED_IN_QUOTES: Final = frozenset('$`"\\')


class Token(NamedTuple):
    """An operator, a word, or (operator empty, no word) the end."""

    operator: str
    word: Word | None
    start: int


class HereDocument(NamedTuple):
    """A redirection whose text follows after the line."""

    redirect: Redirect
    delimiter: str
    quoted: bool
    tabs: bool


class Lexer:
    """Reads tokens.

    Args:
        text: the script.
        parse: parses what stands in `$( )`, given the place where it begins; it gives the tree and
            the place of the closing parenthesis.
        line: the number of the first line.
    """

    def __init__(
        self, text: str, parse: Callable[[int], tuple[Sequence, int]], line: int = 1
    ) -> None:
        self.text = text
        self.place = 0
        self.documents: list[HereDocument] = []
        self._parse = parse
        self._first_line = line

    @property
    def line(self) -> int:
        """The number of the present line."""
        return self._first_line + self.text.count("\n", 0, self.place)

    def fault(self, message: str) -> SyntaxFault:
        """An error here."""
        return SyntaxFault(self.line, message)

    def next(self) -> Token:
        """The next token."""
        self._skip_blanks()
        start = self.place
        if start >= len(self.text):
            return Token("", None, start)
        for operator in OPERATORS:
            if self.text.startswith(operator, start):
                self.place += len(operator)
                if operator == "\n":
                    self._read_documents()
                return Token(operator, None, start)
        return Token("", self.word(_META.__contains__), start)

    def _skip_blanks(self) -> None:
        text = self.text
        while self.place < len(text):
            if text[self.place] in " \t":
                self.place += 1
            elif text.startswith("\\\n", self.place):
                self.place += 2
            elif text[self.place] == "#":
                end = text.find("\n", self.place)
                self.place = len(text) if end < 0 else end
            else:
                return

    def word(self, ends: Callable[[str], bool], *, quoted: bool = False) -> Word:
        """Parts up to a letter that `ends` the word; in double quotes, if `quoted`."""
        parts: list[Part] = []
        while self.place < len(self.text) and not ends(letter := self.text[self.place]):
            if letter == "\\":
                self._escape(parts, quoted=quoted)
            elif letter == "'" and not quoted:
                self.place += 1
                parts.append(Text(self._until("'"), quoted=True))
            elif letter == '"' and not quoted:
                self.place += 1
                inner = self.word('"'.__eq__, quoted=True)
                self._expect('"')
                parts += inner or (Text("", quoted=True),)
            elif letter == "$":
                parts.append(self._dollar(quoted=quoted))
            elif letter == "`":
                parts.append(self._backquotes(quoted=quoted))
            else:
                self.place += 1
                _add(parts, letter, quoted=quoted)
        return tuple(parts)

    def _escape(self, parts: list[Part], *, quoted: bool) -> None:
        following = self.text[self.place + 1 : self.place + 2]
        self.place += 2
        if following == "\n":
            return
        if not following:
            self.place -= 1
            _add(parts, "\\", quoted=True)
        elif quoted and following not in _ESCAPED_IN_QUOTES and following != "}":
            _add(parts, "\\" + following, quoted=True)
        else:
            _add(parts, following, quoted=True)

    def _until(self, end: str) -> str:
        """The text up to `end`, which is skipped."""
        found = self.text.find(end, self.place)
        if found < 0:
            raise Unfinished(self.line, "Unterminated quoted string")
        text = self.text[self.place : found]
        self.place = found + len(end)
        return text

    def _expect(self, wanted: str) -> None:
        if not self.text.startswith(wanted, self.place):
            raise Unfinished(self.line, "Unterminated quoted string")
        self.place += len(wanted)

    def _dollar(self, *, quoted: bool) -> Part:
        rest = self.place + 1
        text = self.text
        if text.startswith("((", rest) and (found := self._arithmetic(quoted=quoted)):
            return found
        if text.startswith("(", rest):
            body, end = self._parse(rest + 1)
            self.place = end + 1
            return Substitution(body, quoted)
        if text.startswith("{", rest):
            self.place = rest + 1
            return self._braces(quoted=quoted)
        if match := _NAME.match(text, rest):
            self.place = match.end()
            return Parameter(match[0], quoted)
        if text[rest : rest + 1] in _SPECIAL and rest < len(text):
            self.place = rest + 1
            return Parameter(text[rest], quoted)
        self.place = rest
        return Text("$", quoted)

    def _arithmetic(self, *, quoted: bool) -> Arithmetic | None:
        """What stands in `$(( ))`; None: it is a subshell in `$( )` after all."""
        start, self.place = self.place, self.place + 3
        depth = 0

        def ends(letter: str) -> bool:
            nonlocal depth
            if letter == ")" and not depth:
                return True
            depth += {"(": 1, ")": -1}.get(letter, 0)
            return False

        expression = self.word(ends, quoted=True)
        if self.text.startswith("))", self.place):
            self.place += 2
            return Arithmetic(expression, quoted)
        if self.place >= len(self.text):
            raise Unfinished(self.line, "Missing '))'")
        self.place = start
        return None

    def _braces(self, *, quoted: bool) -> Parameter:
        text = self.text
        length = text.startswith("#", self.place) and not text.startswith("#}", self.place)
        self.place += length
        match = _NAME.match(text, self.place) or re.compile(r"\d+|[@*#?$!-]").match(
            text, self.place
        )
        if match is None:
            raise self._bad_substitution()
        self.place = match.end()
        operator = "len" if length else ""
        word: Word = ()
        if not length and (modifier := _MODIFIER.match(text, self.place)):
            self.place = modifier.end()
            operator = modifier[0]
            pattern = operator[0] in "%#"
            word = self.word("}".__eq__, quoted=quoted and not pattern)
        if not text.startswith("}", self.place):
            raise self._bad_substitution()
        self.place += 1
        return Parameter(match[0], quoted, operator, word)

    def _bad_substitution(self) -> SyntaxFault:
        if self.text.find("}", self.place) < 0:
            return Unfinished(self.line, "Missing '}'")
        return self.fault("Bad substitution")

    def _backquotes(self, *, quoted: bool) -> Substitution:
        self.place += 1
        inner = ""
        while not self.text.startswith("`", self.place):
            if self.place >= len(self.text):
                raise Unfinished(self.line, "EOF in backquote substitution")
            special = "$`\\" + '"' * quoted
            if (
                self.text[self.place] == "\\"
                and self.text[self.place + 1 : self.place + 2] in special
            ):
                self.place += 1
            inner += self.text[self.place]
            self.place += 1
        self.place += 1
        from workloads.shell.parser import parse  # noqa: PLC0415 (which uses this)

        return Substitution(parse(inner), quoted)

    def _read_documents(self) -> None:
        """Read the texts that were announced on the line that has just ended."""
        for document in self.documents:
            lines = []
            while True:
                if self.place >= len(self.text):
                    break  # as dash does: the end of the script ends it
                end = self.text.find("\n", self.place)
                end = len(self.text) if end < 0 else end
                line = self.text[self.place : end]
                self.place = min(end + 1, len(self.text))
                line = line.lstrip("\t") if document.tabs else line
                if line == document.delimiter:
                    break
                lines.append(line + "\n")
            body = "".join(lines)
            document.redirect.target = (
                (Text(body, quoted=True),) if document.quoted else self._expanded(body)
            )
        self.documents.clear()

    def _expanded(self, body: str) -> Word:
        inner = Lexer(body, self._parse, self.line)
        inner._parse = lambda place: _parse_within(body, place)
        return inner.word(lambda _: False, quoted=True)


def _parse_within(text: str, place: int) -> tuple[Sequence, int]:
    from workloads.shell.parser import Parser  # noqa: PLC0415 (which uses this)

    return Parser(text).substitution(place)


def _add(parts: list[Part], letters: str, *, quoted: bool) -> None:
    """Append letters, to the last part if it is alike."""
    last = parts[-1] if parts else None
    if isinstance(last, Text) and last.quoted == quoted:
        parts[-1] = Text(last.value + letters, quoted)
    else:
        parts.append(Text(letters, quoted))
