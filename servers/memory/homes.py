"""Homes: whose the pages in frames are, and so where a frame is mapped.

To take a frame away one must find all page tables that map it. A private page never changes its
address, and only a fork gives it to a second space: it is at the same address in some of the spaces
that stem from one. A page of a memory object is where areas show that object. So nothing has to be
noted for each mapping of each frame, and a fork costs nothing here (the host's Linux does as much:
"object-based reverse mapping", McCracken, 2003).
"""

from collections.abc import Iterator
from typing import Protocol

from servers.memory.areas import Area, Areas
from servers.memory.layout import PRESENT, frame_of
from servers.memory.tables import PageTables


class Mapper(Protocol):
    """An address space, as far as reclaiming its pages is concerned.

    Attributes:
        number: what it is called.
        root: its root table.
        areas: what is mapped where.
        resident: how many of its pages have a frame.
        locked: how many pages of its areas must stay in memory.
    """

    number: int
    root: int
    areas: Areas
    resident: int
    locked: int

    def discard(self, area: Area) -> None:
        """Let go of the pages of a part of an area."""


class Home:
    """What pages belong to."""

    private = False
    """Whether its pages are known by entries of page tables alone, swapped ones included."""
    filed = False
    """Whether its pages come from a file and go there, not to the swap area."""

    def places(self, page: int) -> Iterator[tuple[Mapper, int]]:
        """The spaces and page numbers where a page can be mapped."""
        raise NotImplementedError

    def evicted(self, frame: int, page: int, slot: int | None) -> None:
        """A page has given up its frame; its bytes are in a slot of the swap area, or zeros."""

    def returned(self, frame: int, page: int) -> None:
        """A frame that is not the memory manager's own is nobody's any more."""

    def fetch(self, frame: int) -> bytes:
        """The bytes of a frame that is not the memory manager's own."""
        raise NotImplementedError

    def mappers(self, tables: PageTables, frame: int, page: int) -> Iterator[tuple[Mapper, int]]:
        """The spaces that map a frame with a page of this home, and the words that do."""
        for space, number in self.places(page):
            word = tables.find(space.root, number)
            if word:
                entry = tables.words[word]
                if entry & PRESENT and frame_of(entry) == frame:
                    yield space, word


class Family(Home):
    """The private pages of spaces that stem from one by fork; a page is known by its address.

    Args:
        number: what it is called.
    """

    private = True

    __slots__ = ("number", "spaces")

    def __init__(self, number: int) -> None:
        self.number = number
        self.spaces: dict[int, Mapper] = {}

    def places(self, page: int) -> Iterator[tuple[Mapper, int]]:
        """In any of them, at the same place."""
        for space in self.spaces.values():
            yield space, page
