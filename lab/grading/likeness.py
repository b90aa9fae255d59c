"""Submissions that resemble each other.

By winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: Local Algorithms for Document
Fingerprinting", SIGMOD 2003; what MOSS does): a text is a sequence of tokens in which every name is
the same, every number and every string; all runs of `RUN` tokens are hashed, and of each `WINDOW`
hashes in a row the smallest is kept. Whatever `RUN + WINDOW - 1` tokens two texts share, they share
a fingerprint of. Fingerprints of the starting code count for nobody.
"""

import io
import keyword
import token
import tokenize
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

RUN: Final = 12
"""Tokens that are hashed together: less in common is chance."""
WINDOW: Final = 8
ALIKE: Final = 0.5
"""Share of the smaller one's fingerprints from which on a pair is told."""
FEWEST: Final = 8
"""Fingerprints that a submission must have of its own to be compared."""

_SKIPPED: Final = {
    *(token.NEWLINE, token.NL, token.COMMENT, token.ENCODING, token.ENDMARKER),
    *(token.INDENT, token.DEDENT),
}


class Pair(NamedTuple):
    """Two that resemble each other.

    Attributes:
        one: a name.
        other: another.
        share: of the smaller one's fingerprints that both have.
        both: how many those are.
    """

    one: str
    other: str
    share: float
    both: int


def alike(texts: Mapping[str, str], start: str, least: float = ALIKE) -> list[Pair]:
    """Pairs of texts that resemble each other beyond what they were given, most alike first."""
    given = fingerprints(start)
    own = {name: fingerprints(text) - given for name, text in texts.items()}
    compared = {name: prints for name, prints in own.items() if len(prints) >= FEWEST}
    found = []
    for (one, mine), (other, theirs) in combinations(sorted(compared.items()), 2):
        both = len(mine & theirs)
        share = both / min(len(mine), len(theirs))
        if share >= least:
            found.append(Pair(one, other, share, both))
    return sorted(found, key=lambda pair: -pair.share)


def fingerprints(text: str) -> set[int]:
    """The fingerprints of a text."""
    symbols = list(_symbols(text))
    hashes = [
        zlib.crc32(" ".join(symbols[first : first + RUN]).encode())
        for first in range(len(symbols) - RUN + 1)
    ]
    return set(_winnowed(hashes))


def _winnowed(hashes: Sequence[int]) -> Iterator[int]:
    if len(hashes) < WINDOW:
        yield from hashes
    for first in range(len(hashes) - WINDOW + 1):
        yield min(hashes[first : first + WINDOW])


def _symbols(text: str) -> Iterator[str]:
    """The tokens, those alike that a rename would change; of no Python, the words."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        yield from text.split()
        return
    previous: int | None = None
    for each in tokens:
        is_docstring = each.type == token.STRING and previous in {None, token.INDENT, token.NEWLINE}
        if each.type not in {token.NL, token.COMMENT, token.ENCODING}:
            previous = each.type
        if each.type not in _SKIPPED and not is_docstring:
            yield _symbol(each)


def _symbol(each: tokenize.TokenInfo) -> str:
    if each.type == token.NAME and not keyword.iskeyword(each.string):
        return "n"
    return {token.NUMBER: "0", token.STRING: "s"}.get(each.type, each.string)
