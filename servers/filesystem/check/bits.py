"""Bitmaps, as they lie on the disk: bit i is in byte i // 8, and the least significant is first."""

import re
from collections.abc import Iterator
from typing import Final

_NOT_EMPTY: Final = re.compile(rb"[^\0]+")


class Bits:
    """A bitmap whose bit 1 stands for the number `first`; bit 0 stands for nothing.

    Args:
        data: its bytes.
        first: the first number.
        count: how many numbers there are.
    """

    def __init__(self, data: bytearray, first: int, count: int) -> None:
        self.data = data
        self.first = first
        self.end = first + count

    @classmethod
    def empty(cls, first: int, count: int, size: int) -> "Bits":
        """One of `size` bytes in which only what stands for nothing is set."""
        bits = cls(bytearray(size), first, count)
        for bit in (0, *range(count + 1, min(-(-(count + 1) // 8) * 8, size * 8))):
            bits.data[bit >> 3] |= 1 << (bit & 7)
        whole = -(-(count + 1) // 8)
        bits.data[whole:] = b"\xff" * (size - whole)
        return bits

    def blank(self) -> "Bits":
        """One for the same numbers in which no bit is set."""
        return Bits(bytearray(len(self.data)), self.first, self.end - self.first)

    def __contains__(self, number: int) -> bool:
        """Whether the bit of a number that there is is set."""
        bit = number - self.first + 1
        return bool(self.data[bit >> 3] >> (bit & 7) & 1)

    def add(self, number: int) -> None:
        """Set a bit."""
        bit = number - self.first + 1
        self.data[bit >> 3] |= 1 << (bit & 7)

    def discard(self, number: int) -> None:
        """Clear a bit."""
        bit = number - self.first + 1
        self.data[bit >> 3] &= ~(1 << (bit & 7))

    def minus(self, other: "Bits") -> int:
        """The bits that are set here and not in `other`, which is as long, as a number."""
        mine, theirs = (int.from_bytes(bits.data, "little") for bits in (self, other))
        return mine & ~theirs

    def without(self, other: "Bits") -> Iterator[tuple[int, int]]:
        """Runs of numbers that are here and not in `other`: the first and the last of each.

        Both have the same numbers.
        """
        rest = self.minus(other).to_bytes(len(self.data), "little")
        run: tuple[int, int] | None = None
        for bit in _set_bits(rest):
            number = bit + self.first - 1
            if not self.first <= number < self.end:
                continue
            if run is not None and run[1] + 1 == number:
                run = run[0], number
                continue
            if run is not None:
                yield run
            run = number, number
        if run is not None:
            yield run


def _set_bits(data: bytes) -> Iterator[int]:
    for part in _NOT_EMPTY.finditer(data):
        for at in range(part.start(), part.end()):
            byte = data[at]
            yield from (8 * at + bit for bit in range(8) if byte >> bit & 1)
