"""Patterns: `*`, `?` and `[...]`, for file names, `case` and `${name#pattern}`."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

Piece = tuple[str, bool]
"""Letters, and whether they are quoted: then none of them is special."""

_SPECIAL: Final = frozenset("*?[")
_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": " \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9a-fA-F",
}


def is_pattern(pieces: list[Piece]) -> bool:
    """Whether anything special stands outside of quotes."""
    return any(not quoted and _SPECIAL.intersection(text) for text, quoted in pieces)


def matches(pieces: list[Piece], text: str) -> bool:
    """Whether all of a text fits a pattern."""
    return _compiled(tuple(pieces)).fullmatch(text) is not None


def without_prefix(pieces: list[Piece], text: str, *, longest: bool) -> str:
    """The text without the start that fits; all of it, if none does."""
    ends = range(len(text), -1, -1) if longest else range(len(text) + 1)
    pattern = _compiled(tuple(pieces))
    return next((text[end:] for end in ends if pattern.fullmatch(text[:end])), text)


def without_suffix(pieces: list[Piece], text: str, *, longest: bool) -> str:
    """The text without the end that fits; all of it, if none does."""
    starts = range(len(text) + 1) if longest else range(len(text), -1, -1)
    pattern = _compiled(tuple(pieces))
    return next((text[:start] for start in starts if pattern.fullmatch(text[start:])), text)


def paths(
    pieces: list[Piece], names: Callable[[str], tuple[str, ...]], exists: Callable[[str], bool]
) -> list[str]:
    """The paths that fit, sorted.

    Args:
        pieces: the pattern.
        names: what is in a directory; nothing, if it can't be read.
        exists: whether there is something at a path.
    """
    components = _components(pieces)
    found = [""]
    for place, component in enumerate(components):
        last = place == len(components) - 1
        found = [path for base in found for path in _step(base, component, names)]
        if not last:
            found = [f"{path}/" for path in found]
    return sorted(path for path in found if exists(path))


def _step(
    base: str, component: list[Piece], names: Callable[[str], tuple[str, ...]]
) -> Iterator[str]:
    plain = "".join(text for text, _ in component)
    if not is_pattern(component):
        yield base + plain
        return
    pattern = _compiled(tuple(component))
    for name in names(base or "."):
        if pattern.fullmatch(name) and (not name.startswith(".") or plain.startswith(".")):
            yield base + name


def _components(pieces: list[Piece]) -> list[list[Piece]]:
    """A pattern cut at its slashes."""
    components: list[list[Piece]] = [[]]
    for text, quoted in pieces:
        first, *others = text.split("/")
        components[-1].append((first, quoted))
        components += [[(other, quoted)] for other in others]
    return components


@lru_cache(maxsize=256)
def _compiled(pieces: tuple[Piece, ...]) -> re.Pattern[str]:
    letters = [(letter, quoted) for text, quoted in pieces for letter in text]
    expression, place = "", 0
    while place < len(letters):
        letter, quoted = letters[place]
        place += 1
        if quoted or letter not in _SPECIAL:
            expression += re.escape(letter)
        elif letter == "*":
            expression += ".*"
        elif letter == "?":
            expression += "."
        else:
            found, place = _bracket(letters, place)
            expression += found
    return re.compile(expression, re.DOTALL)


def _bracket(letters: list[tuple[str, bool]], start: int) -> tuple[str, int]:
    """A bracket expression as Python writes it, and where it ends; `[` alone is a letter."""
    place = start
    negated = place < len(letters) and letters[place] in {("!", False), ("^", False)}
    place += negated
    inner, first = "", place
    while place < len(letters) and (letters[place] != ("]", False) or place == first):
        rest = "".join(letter for letter, _ in letters[place : place + 12])
        named = re.match(r"\[:(\w+):\]", rest)
        if named and named[1] in _CLASSES:
            inner += _CLASSES[named[1]]
            place += named.end()
            continue
        letter, quoted = letters[place]
        is_range = letter == "-" and not quoted and place != first
        inner += letter if is_range else re.escape(letter)
        place += 1
    if place >= len(letters):
        return re.escape("["), start
    expression = f"[{'^' if negated else ''}{inner}]"
    try:
        re.compile(expression)
    except re.error:  # an empty range, such as [z-a]: nothing fits
        expression = "(?!)"
    return expression, place + 1
