"""grep: lines that match a pattern."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from servers.process import Process
from workloads.programs._common import (
    USAGE,
    is_directory,
    join,
    lines,
    number,
    options,
    ordered,
    put,
    usage,
)

_BASIC_SPECIAL: Final = frozenset("+?|(){}")
_CLASSES: Final = {
    b"alpha": b"a-zA-Z", b"digit": b"0-9", b"alnum": b"a-zA-Z0-9", b"upper": b"A-Z",
    b"lower": b"a-z", b"space": rb"\s", b"blank": b" \t", b"punct": rb"!-/:-@\[-`{-~",
}  # fmt: skip


class _Found(NamedTuple):
    number: int
    line: bytes


def main(process: Process, *arguments: str) -> int:
    """`grep [-EFHRchilnoqrsvwx] [-m N] [-e] PATTERN [FILE...]`: 0 if a line matches, else 1."""
    given, rest = options(process, arguments, "EFHRchilnoqrsvwxe:m:", USAGE)
    if "e" not in given and not rest:
        usage(process, "a pattern is missing", USAGE)
    pattern = _compile(process, given["e"] if "e" in given else rest.pop(0), given)
    deep = bool({"r", "R"} & given.keys())
    paths = rest or (["."] if deep else ["-"])
    named = ("H" in given or deep or len(paths) > 1) and "h" not in given
    grep = _Grep(process, given, pattern, named=named)
    for path in _files(process, paths) if deep else paths:
        if grep.search(path):
            break
    return USAGE if grep.failed and not (grep.matched and "q" in given) else int(not grep.matched)


class _Grep:
    def __init__(
        self, process: Process, given: dict[str, str], pattern: re.Pattern[bytes], *, named: bool
    ) -> None:
        self._process = process
        self._given = given
        self._pattern = pattern
        self._named = named
        self._most = number(process, given["m"]) if "m" in given else -1
        self.matched = self.failed = False

    def search(self, path: str) -> bool:
        """Search a file; whether that is enough."""
        count = 0
        try:
            for found in self._matching(path):
                count += 1
                self.matched = True
                if "q" in self._given:
                    return True
                if "l" in self._given or count == self._most:
                    self._show(path, found)
                    break
                self._show(path, found)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.failed = True
            if "s" not in self._given:
                self._process.complain(path, error)
            return False
        if "l" in self._given and count:
            self._process.stdout.write(f"{_shown(path)}\n")
        elif "c" in self._given:
            prefix = f"{_shown(path)}:" if self._named else ""
            self._process.stdout.write(f"{prefix}{count}\n")
        return False

    def _matching(self, path: str) -> Iterator[_Found]:
        if path != "-" and is_directory(self._process, path):
            self._process.complain(f"{path}: Is a directory")
            return
        wanted = "v" not in self._given
        search = self._pattern.search
        for count, line in enumerate(lines(self._process, path), 1):
            if (search(line.removesuffix(b"\n")) is not None) == wanted:
                yield _Found(count, line)

    def _show(self, path: str, found: _Found) -> None:
        if {"c", "l", "q"} & self._given.keys():
            return
        prefix = f"{_shown(path)}:" if self._named else ""
        prefix += f"{found.number}:" if "n" in self._given else ""
        line = found.line.removesuffix(b"\n")
        parts = [line]
        if "o" in self._given:
            parts = [match[0] for match in self._pattern.finditer(line) if match[0]]
        for part in parts:
            put(self._process, prefix.encode(errors="surrogateescape") + part + b"\n")


def _compile(process: Process, text: str, given: dict[str, str]) -> re.Pattern[bytes]:
    alternatives = text.encode(errors="surrogateescape").split(b"\n")
    translated = [_translate(one, given) for one in alternatives]
    pattern = b"|".join(b"(?:" + one + b")" for one in translated)
    if "w" in given:
        pattern = rb"(?<!\w)(?:" + pattern + rb")(?!\w)"
    if "x" in given:
        pattern = rb"\A(?:" + pattern + rb")\Z"
    try:
        return re.compile(pattern, re.IGNORECASE if "i" in given else 0)
    except re.error as error:
        usage(process, f"invalid pattern: {error}", USAGE)


def _translate(pattern: bytes, given: dict[str, str]) -> bytes:
    """A POSIX pattern as Python has it."""
    if "F" in given:
        return re.escape(pattern)
    text, place = b"", 0
    while place < len(pattern):
        letter = pattern[place : place + 1]
        if letter == b"[":
            end = _bracket_end(pattern, place)
            inner = pattern[place + 1 : end]
            for name, letters in _CLASSES.items():
                inner = inner.replace(b"[:" + name + b":]", letters)
            text += b"[" + inner.replace(b"\\", b"\\\\").replace(b"\\\\s", b"\\s") + b"]"
            place = end + 1
            continue
        if letter == b"\\":
            following = pattern[place + 1 : place + 2]
            plain = "E" in given or following.decode("latin-1") not in _BASIC_SPECIAL
            text += letter + following if plain else following
            place += 2
            continue
        basic = "E" not in given and letter.decode("latin-1") in _BASIC_SPECIAL
        starred = letter == b"*" and not text
        text += b"\\" + letter if basic or starred else letter
        place += 1
    return text


def _bracket_end(pattern: bytes, start: int) -> int:
    place = start + 1
    if pattern[place : place + 1] == b"^":
        place += 1
    if pattern[place : place + 1] == b"]":
        place += 1
    while place < len(pattern) and pattern[place : place + 1] != b"]":
        named = pattern.find(b":]", place) if pattern.startswith(b"[:", place) else -1
        place = named + 2 if named >= 0 else place + 1
    return place


def _files(process: Process, paths: list[str]) -> Iterator[str]:
    """All files at and below some paths."""
    for path in paths:
        if is_directory(process, path):
            yield from _files(process, [join(path, name) for name in ordered(process, path)])
        else:
            yield path


def _shown(path: str) -> str:
    return "(standard input)" if path == "-" else path
