"""Programs that compute in an address space: what they touch, and when, is what paging is about.

Each is a function of a space to load from and store to. A new one is a function marked `@program`.
"""

import random
from collections.abc import Callable
from typing import Final

from servers.memory import AddressSpace

Run = Callable[[AddressSpace], None]

PROGRAMS: Final[dict[str, Run]] = {}
"""By name."""

_SIDE: Final = 64
_NUMBERS: Final = 2048
_WORD: Final = 8


def program(run: Run) -> Run:
    """Mark a program; it is called as its function is."""
    PROGRAMS[run.__name__.replace("_", "-")] = run
    return run


@program
def rows(space: AddressSpace) -> None:
    """Add up a matrix of 64 by 64 numbers, each row after the other."""
    matrix = space.mmap(_SIDE * _SIDE * _WORD)
    total = space.mmap(_WORD)
    for row in range(_SIDE):
        for column in range(_SIDE):
            number = space.load_u64(matrix + (row * _SIDE + column) * _WORD)
            space.store_u64(total, space.load_u64(total) + number)


@program
def columns(space: AddressSpace) -> None:
    """Add up the same matrix, each column after the other: the same work, other pages."""
    matrix = space.mmap(_SIDE * _SIDE * _WORD)
    total = space.mmap(_WORD)
    for column in range(_SIDE):
        for row in range(_SIDE):
            number = space.load_u64(matrix + (row * _SIDE + column) * _WORD)
            space.store_u64(total, space.load_u64(total) + number)


@program
def heapsort(space: AddressSpace) -> None:
    """Sort 2048 numbers with a heap, which jumps about."""
    array = space.mmap(_NUMBERS * _WORD)
    lots = random.Random(1)
    for index in range(_NUMBERS):
        space.store_u64(array + index * _WORD, lots.randrange(1 << 40))
    for start in reversed(range(_NUMBERS // 2)):
        _sift(space, array, start, _NUMBERS)
    for end in reversed(range(1, _NUMBERS)):
        last, first = space.load_u64(array + end * _WORD), space.load_u64(array)
        space.store_u64(array + end * _WORD, first)
        space.store_u64(array, last)
        _sift(space, array, 0, end)


def _sift(space: AddressSpace, array: int, start: int, end: int) -> None:
    """Let the number at `start` sink until those below it are smaller."""
    number = space.load_u64(array + start * _WORD)
    here = start
    while (child := 2 * here + 1) < end:
        below = space.load_u64(array + child * _WORD)
        if child + 1 < end:
            other = space.load_u64(array + (child + 1) * _WORD)
            if other > below:
                child, below = child + 1, other
        if below <= number:
            break
        space.store_u64(array + here * _WORD, below)
        here = child
    space.store_u64(array + here * _WORD, number)


@program
def mergesort(space: AddressSpace) -> None:
    """Sort 2048 numbers by merging runs, which goes straight on."""
    source, target = (space.mmap(_NUMBERS * _WORD) for _ in range(2))
    lots = random.Random(1)
    for index in range(_NUMBERS):
        space.store_u64(source + index * _WORD, lots.randrange(1 << 40))
    width = 1
    while width < _NUMBERS:
        for start in range(0, _NUMBERS, 2 * width):
            _merge(space, source, target, range(start, start + 2 * width), width)
        source, target = target, source
        width *= 2


def _merge(space: AddressSpace, source: int, target: int, run: range, width: int) -> None:
    left, right, middle = run.start, run.start + width, run.start + width
    for place in run:
        one = space.load_u64(source + left * _WORD) if left < middle else 1 << 63
        two = space.load_u64(source + right * _WORD) if right < run.stop else 1 << 63
        space.store_u64(target + place * _WORD, min(one, two))
        left, right = (left + 1, right) if one <= two else (left, right + 1)


@program
def hashing(space: AddressSpace) -> None:
    """Count 2048 words, of which a few are frequent, in a hash table."""
    buckets = 4096
    table = space.mmap(buckets * 2 * _WORD)
    lots = random.Random(1)
    for _ in range(_NUMBERS):
        word = int(lots.paretovariate(0.8)) % 100_000 + 1
        place = table + word * 2_654_435_761 % buckets * 2 * _WORD
        while (there := space.load_u64(place)) not in {0, word}:
            place = table + (place - table + 2 * _WORD) % (buckets * 2 * _WORD)
        if not there:
            space.store_u64(place, word)
        space.store_u64(place + _WORD, space.load_u64(place + _WORD) + 1)
