"""The areas of an address space: what is mapped where, in order, none over another.

These are Linux's `vm_area_struct`s. Neighbours that can't be told apart are one area, so a
thousand small mappings that touch cost what one does.
"""

import errno
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from servers.memory.layout import ADDRESS_END, ADDRESS_START, PAGE_SHIFT
from servers.memory.mman import MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE
from twinos import fail


class Area(NamedTuple):
    """A run of pages that are mapped alike; a line of /proc/PID/maps.

    Attributes:
        start: the first address.
        end: the first address after it.
        prot: what may be done there: PROT_READ, PROT_WRITE, PROT_EXEC.
        flags: MAP_SHARED or MAP_PRIVATE, and MAP_ANONYMOUS and MAP_GROWSDOWN.
        backing: the number of the memory object behind it; 0: none, pages of its own.
        offset: where in that object it starts, in bytes.
        charged: whether its pages are promised: it is private, and could once be written to.
        locked: whether its pages must stay in memory.
    """

    start: int
    end: int
    prot: int
    flags: int
    backing: int = 0
    offset: int = 0
    charged: bool = False
    locked: bool = False

    @property
    def pages(self) -> int:
        """Its length in pages."""
        return (self.end - self.start) >> PAGE_SHIFT

    def clip(self, start: int, end: int) -> "Area":
        """The part of it between two addresses; at least one page of it lies there."""
        start, end = max(start, self.start), min(end, self.end)
        offset = self.offset + start - self.start if self.backing else 0
        return self._replace(start=start, end=end, offset=offset)

    def continues(self, other: "Area") -> bool:
        """Whether `other`, and then this, are really one area."""
        return (
            other.end == self.start
            and self._replace(start=other.start, end=other.end, offset=other.offset) == other
            and (not self.backing or other.offset + other.end - other.start == self.offset)
        )

    def __str__(self) -> str:
        bits = ((PROT_READ, "r"), (PROT_WRITE, "w"), (PROT_EXEC, "x"))
        prot = "".join(letter if self.prot & bit else "-" for bit, letter in bits)
        return f"{self.start:x}-{self.end:x} {prot}{'s' if self.flags & MAP_SHARED else 'p'}"


class Areas:
    """The areas of one space, sorted by address."""

    __slots__ = ("_areas", "_starts")

    def __init__(self, areas: tuple[Area, ...] = ()) -> None:
        self._areas = list(areas)
        self._starts = [area.start for area in areas]

    def __iter__(self) -> Iterator[Area]:
        return iter(self._areas)

    def __len__(self) -> int:
        return len(self._areas)

    def find(self, address: int) -> Area | None:
        """The area in which `address` lies."""
        place = bisect_right(self._starts, address) - 1
        if place >= 0 and address < self._areas[place].end:
            return self._areas[place]
        return None

    def next(self, address: int) -> Area | None:
        """The first area that begins above `address`."""
        place = bisect_right(self._starts, address)
        return self._areas[place] if place < len(self._areas) else None

    def before(self, area: Area) -> Area | None:
        """The area below one that is here."""
        place = bisect_left(self._starts, area.start)
        return self._areas[place - 1] if place else None

    def between(self, start: int, end: int) -> list[Area]:
        """The parts of areas that lie between two addresses."""
        first, last = self._places(start, end)
        return [area.clip(start, end) for area in self._areas[first:last]]

    def cover(self, start: int, end: int) -> bool:
        """Whether every address between the two is mapped."""
        return sum(area.end - area.start for area in self.between(start, end)) == end - start

    def run(self, start: int, end: int) -> Iterator[Area]:
        """The parts of areas that lie between two addresses. ENOMEM: when a gap is come to."""
        here = start
        for area in self.between(start, end):
            if area.start != here:
                break
            yield area
            here = area.end
        if here < end:
            raise fail(errno.ENOMEM)

    def replace(self, old: Area, new: Area) -> None:
        """Have a part of an area be another one, at the same place."""
        self.remove(old.start, old.end)
        self.add(new)

    def add(self, area: Area) -> None:
        """Map an area where nothing is, and join it with its neighbours if they are alike."""
        place, _ = self._places(area.start, area.end)
        last = place
        if place < len(self._areas) and self._areas[place].continues(area):
            area = area._replace(end=self._areas[place].end)
            last += 1
        if place and area.continues(self._areas[place - 1]):
            before = self._areas[place - 1]
            area = before._replace(end=area.end)
            place -= 1
        self._put(place, last, [area])

    def remove(self, start: int, end: int) -> list[Area]:
        """Unmap what lies between two addresses, splitting areas; returns what was there."""
        first, last = self._places(start, end)
        touched = self._areas[first:last]
        kept = [area.clip(area.start, start) for area in touched[:1] if area.start < start]
        kept += [area.clip(end, area.end) for area in touched[-1:] if area.end > end]
        self._put(first, last, kept)
        return [area.clip(start, end) for area in touched]

    def gap(self, length: int) -> int | None:
        """The highest address from which `length` bytes are free; None: there is no such place."""
        top = ADDRESS_END
        for area in reversed(self._areas):
            if top - area.end >= length:
                break
            top = area.start
        return top - length if top - length >= ADDRESS_START else None

    def _places(self, start: int, end: int) -> tuple[int, int]:
        """From which to before which place areas have an address between the two."""
        first = bisect_right(self._starts, start)
        if first and self._areas[first - 1].end > start:
            first -= 1
        return first, bisect_left(self._starts, end, first)

    def _put(self, first: int, last: int, areas: list[Area]) -> None:
        self._areas[first:last] = areas
        self._starts[first:last] = [area.start for area in areas]
