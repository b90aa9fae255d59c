"""`test` and `[`: whether something holds."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final

from servers.filesystem import Stat
from servers.process import Process
from workloads.shell.state import ShellFault

_KINDS: Final[dict[str, Callable[[int], bool]]] = {
    "-d": stat.S_ISDIR,
    "-f": stat.S_ISREG,
    "-p": stat.S_ISFIFO,
    "-b": stat.S_ISBLK,
    "-c": stat.S_ISCHR,
    "-S": stat.S_ISSOCK,
}
_MODES: Final = {"-r": os.R_OK, "-w": os.W_OK, "-x": os.X_OK}
_BITS: Final = {"-u": stat.S_ISUID, "-g": stat.S_ISGID, "-k": stat.S_ISVTX}
_STRINGS: Final[dict[str, Callable[[str, str], bool]]] = {
    "=": str.__eq__,
    "==": str.__eq__,
    "!=": str.__ne__,
    "<": str.__lt__,
    ">": str.__gt__,
}
_NUMBERS: Final[dict[str, Callable[[int, int], bool]]] = {
    "-eq": int.__eq__,
    "-ne": int.__ne__,
    "-lt": int.__lt__,
    "-le": int.__le__,
    "-gt": int.__gt__,
    "-ge": int.__ge__,
}
_FILES: Final = frozenset(["-nt", "-ot", "-ef"])
_UNARY: Final = frozenset(
    [*_KINDS, *_MODES, *_BITS, "-e", "-s", "-h", "-L", "-z", "-n", "-t", "-O", "-G"]
)
_BINARY: Final = frozenset([*_STRINGS, *_NUMBERS, *_FILES])


class Conditions:
    """Evaluates the arguments of `test`.

    Args:
        process: whose files they are about.
        arguments: the arguments, a closing `]` removed.
    """

    def __init__(self, process: Process, arguments: list[str]) -> None:
        self._process = process
        self._rest = arguments

    def hold(self) -> bool:
        """Whether they hold. ShellFault with status 2."""
        if not self._rest:
            return False
        answer = self._or()
        if self._rest:
            raise _fault(f"{self._rest[0]}: unexpected operator")
        return answer

    def _or(self) -> bool:
        answer = self._and()
        while self._rest[:1] == ["-o"]:
            self._rest.pop(0)
            answer = self._and() or answer
        return answer

    def _and(self) -> bool:
        answer = self._not()
        while self._rest[:1] == ["-a"]:
            self._rest.pop(0)
            answer = self._not() and answer
        return answer

    def _not(self) -> bool:
        if self._rest[:1] == ["!"] and len(self._rest) > 1 and not self._is_binary():
            self._rest.pop(0)
            return not self._not()
        return self._primary()

    def _is_binary(self) -> bool:
        return len(self._rest) >= 3 and self._rest[1] in _BINARY

    def _primary(self) -> bool:
        if self._is_binary():
            left, operator, right = self._rest[:3]
            del self._rest[:3]
            return self._compare(left, operator, right)
        if not self._rest:
            raise _fault("argument expected")
        first = self._rest.pop(0)
        if first == "(" and self._rest:
            answer = self._or()
            if self._rest[:1] != [")"]:
                raise _fault("closing paren expected")
            self._rest.pop(0)
            return answer
        if first in _UNARY and self._rest and self._rest[0] not in {"-a", "-o"}:
            return self._unary(first, self._rest.pop(0))
        return bool(first)

    def _compare(self, left: str, operator: str, right: str) -> bool:
        if operator in _STRINGS:
            return _STRINGS[operator](left, right)
        if operator in _NUMBERS:
            return _NUMBERS[operator](_number(left), _number(right))
        first, second = self._stat(left), self._stat(right)
        if operator == "-ef":
            return bool(first and second and first.st_ino == second.st_ino)
        newer, older = (first, second) if operator == "-nt" else (second, first)
        return newer is not None and (older is None or newer.st_mtime > older.st_mtime)

    def _unary(self, operator: str, word: str) -> bool:
        if operator in {"-z", "-n"}:
            return (not word) == (operator == "-z")
        if operator == "-t":
            fd = _number(word)
            return fd in self._process.inheritable() and self._process.isatty(fd)
        if operator in _MODES:
            return self._process.files.access(word, _MODES[operator])
        found = self._stat(word, follow=operator not in {"-h", "-L"})
        if found is None:
            return False
        if operator in _KINDS:
            return _KINDS[operator](found.st_mode)
        if operator in _BITS:
            return bool(found.st_mode & _BITS[operator])
        if operator in {"-h", "-L"}:
            return stat.S_ISLNK(found.st_mode)
        return operator != "-s" or found.st_size > 0

    def _stat(self, path: str, *, follow: bool = True) -> Stat | None:
        try:
            return self._process.files.stat(path) if follow else self._process.files.lstat(path)
        except OSError:
            return None


def _number(text: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise _fault(f"Illegal number: {text}") from None


def _fault(text: str) -> ShellFault:
    return ShellFault(f"test: {text}")
