"""Bytes that lie in pages: what an operation may return instead of joining them first.

Whoever asked gets `bytes`. A kernel that has to copy the result anyway copies it page by page.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any


class Pages:
    """Bytes in pages of one size, of which the last may be cut.

    Args:
        pages: in order. One that is shorter than its place is followed by zeros.
        size: of a page, in bytes.
        length: of all.

    Raises:
        ValueError: there are too many pages, or too few, for that length.
    """

    __slots__ = ("_length", "_pages", "_size")

    def __init__(self, pages: Sequence[bytes], size: int, length: int) -> None:
        if len(pages) != -(-length // size):
            raise ValueError(f"{len(pages)} pages of {size} bytes for {length} bytes")
        self._pages = pages
        self._size = size
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __bytes__(self) -> bytes:
        return _layout(self._size, self._length).pack(*self._pages)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes):
            return self._length == len(other) and bytes(self) == other
        if not isinstance(other, Pages):
            return NotImplemented
        mine, theirs = (self._length, self._size), (other._length, other._size)
        return mine == theirs and self._pages == other._pages  # the same objects, quickly

    __hash__ = None  # type: ignore[assignment]  # as for other containers

    def lay(self, memory: Any, start: int) -> None:
        """Copy them, once, into memory that can be written to, from `start` on."""
        _layout(self._size, self._length).pack_into(memory, start, *self._pages)


@lru_cache(maxsize=64)
def _layout(size: int, length: int) -> Struct:
    """One call of the interpreter for all pages; it cuts each to its place, and fills it up."""
    whole, rest = divmod(length, size)
    return Struct(f"{size}s" * whole + (f"{rest}s" if rest else ""))
