"""Reading tokens: what the parser of the grammar stands on."""

from __future__ import annotations

import re
from typing import Final

from workloads.shell.lexer import REDIRECTIONS, HereDocument, Lexer, Token
from workloads.shell.syntax import Redirect, Sequence, SyntaxFault, Text, Unfinished, Word, literal

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=", re.ASCII)


class Reader:
    """One token ahead of a lexer; words, and redirections.

    Args:
        text: the script.
        first: the number of its first line.
    """

    def __init__(self, text: str, first: int = 1) -> None:
        self._lexer = Lexer(text, self.substitution, first)
        self._token: Token | None = None

    def substitution(self, place: int) -> tuple[Sequence, int]:
        """What stands in parentheses from `place` on, and where it ends."""
        raise NotImplementedError

    def _redirects(self) -> list[Redirect]:
        found: list[Redirect] = []
        while True:
            token = self._peek()
            number = -1
            digits = literal(token.word) if token.word is not None else None
            if digits is not None and digits.isdecimal() and self._touches_redirection(token):
                self._take()
                number = int(digits)
            if self._peek().operator not in REDIRECTIONS:
                return found
            found.append(self._redirect(number))

    def _touches_redirection(self, token: Token) -> bool:
        text, place = self._lexer.text, self._lexer.place
        return place > token.start and text[place : place + 1] in {"<", ">"}

    def _redirect(self, number: int) -> Redirect:
        operator = self._take().operator
        target = self._peek().word
        if target is None:
            raise self._unexpected()
        fd = number if number >= 0 else 0 if operator[0] == "<" else 1
        redirect = Redirect(fd, "<<" if operator == "<<-" else operator, target)
        if redirect.operator == "<<":
            delimiter = "".join(part.value for part in target if isinstance(part, Text))
            quoted = any(isinstance(part, Text) and part.quoted for part in target)
            document = HereDocument(redirect, delimiter, quoted, operator == "<<-")
            self._lexer.documents.append(document)
        self._take()
        return redirect

    def _skip_lines(self) -> None:
        while self._peek().operator == "\n":
            self._take()

    def _peek(self) -> Token:
        if self._token is None:
            self._token = self._lexer.next()
        return self._token

    def _take(self) -> Token:
        token, self._token = self._peek(), None
        return token

    def _word(self) -> str | None:
        word = self._peek().word
        return None if word is None else literal(word)

    def _at_end(self) -> bool:
        token = self._peek()
        return not token.operator and token.word is None

    def _unexpected(self, more: str = "") -> SyntaxFault:
        if self._at_end():
            return Unfinished(self._lexer.line, f"end of file unexpected{more}")
        token = self._peek()
        shown = token.operator or self._lexer.text[token.start : self._lexer.place]
        shown = "newline" if shown == "\n" else f'"{shown}"'
        return self._lexer.fault(f"{shown} unexpected{more}")


def assignment(word: Word) -> tuple[str, Word] | None:
    """The name and the value, if a word is `name=value`."""
    first = word[0] if word else None
    if isinstance(first, Text) and not first.quoted and (match := _ASSIGNMENT.match(first.value)):
        rest = first.value[match.end() :]
        return match[1], (*((Text(rest),) if rest else ()), *word[1:])
    return None
