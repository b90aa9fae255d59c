"""Reference strings: which pages a program touches, one after the other.

Made by a pattern and a seed, or read from a trace. A trace is text, one reference a line: a page's
number (`17`), or an access by its address, as `R 0x7f10`, `W 7f10,4`, or what Valgrind's lackey
prints (`I`, `L`, `S` and `M` with an address in hexadecimal). Empty lines, and those that begin
with `#` or `==`, say nothing.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final, TextIO

from lab.refusal import Refusal

PAGE: Final = 4096
"""Bytes of a page, for the addresses of a trace."""

BELADY: Final = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)
"""With first in, first out: 9 faults in 3 frames, 10 in 4 (Belady, Nelson and Shedler, 1969)."""

_PHASE: Final = 100
_ACCESSES: Final = frozenset("RWILSM")
_MOST: Final = 10_000_000
_LONGEST: Final = 4096


def loop(lots: random.Random, pages: int, length: int) -> list[int]:  # noqa: ARG001 (no chance in it)
    """All pages in turn, again and again: the worst that can happen to LRU."""
    return [number % pages for number in range(length)]


def uniform(lots: random.Random, pages: int, length: int) -> list[int]:
    """Any page, all alike: no policy can know better."""
    return [lots.randrange(pages) for _ in range(length)]


def locality(lots: random.Random, pages: int, length: int) -> list[int]:
    """Phases of 100 references: nine of ten to a few pages, which change with the phase."""
    found: list[int] = []
    few = max(1, pages // 5)
    while len(found) < length:
        near = lots.sample(range(pages), few)
        found += [
            lots.choice(near) if lots.random() < 0.9 else lots.randrange(pages)
            for _ in range(min(_PHASE, length - len(found)))
        ]
    return found


def zipf(lots: random.Random, pages: int, length: int) -> list[int]:
    """A few pages are popular: the page in rank r is referenced 1/r as often as the first."""
    weights = list(accumulate(1 / rank for rank in range(1, pages + 1)))
    return lots.choices(range(pages), cum_weights=weights, k=length)


def belady(lots: random.Random, pages: int, length: int) -> list[int]:  # noqa: ARG001 (as printed)
    """The twelve references of Belady's anomaly."""
    return list(BELADY)


PATTERNS: Final[dict[str, Callable[[random.Random, int, int], list[int]]]] = {
    "belady": belady,
    "locality": locality,
    "loop": loop,
    "random": uniform,
    "zipf": zipf,
}
"""By name: from chance, the number of pages and the length, a reference string."""


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of a file, the long ones only in part: memory is not to depend on them."""
    return iter(lambda: file.readline(_LONGEST), "")


def read_trace(lines: Iterable[str], name: str) -> list[int]:
    """The pages that a trace refers to.

    Raises:
        Refusal: a line is no reference, or there is none at all, or there are too many.
    """
    found: list[int] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(("#", "==")):
            continue
        try:
            found.append(_page(text))
        except ValueError:
            raise Refusal(f"{name}:{number}: {text[:40]!r} is no reference.") from None
        if len(found) > _MOST:
            raise Refusal(f"{name} has more than {_MOST:,} references.")
    if not found:
        raise Refusal(f"{name} has no references.")
    return found


def _page(text: str) -> int:
    kind, _, rest = text.partition(" ")
    if not rest:
        page = int(text)
    elif kind in _ACCESSES:
        page = int(rest.strip().partition(",")[0], 16) // PAGE
    else:
        raise ValueError(text)
    if page < 0:
        raise ValueError(text)
    return page
