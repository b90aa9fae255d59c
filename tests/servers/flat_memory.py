"""A flat model of virtual memory: which bytes are where, who shares them, and what was promised."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from servers.memory import (
    MAP_ANONYMOUS,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    RLIMIT_AS,
    RLIMIT_RSS,
    RLIMIT_STACK,
)

PAGE: Final = 4096
HEAP: Final = 0x1000_0000
NO_LIMIT: Final = 1 << 40


@dataclass(eq=False)
class Cell:
    """What a frame holds."""

    data: bytearray = field(default_factory=lambda: bytearray(PAGE))
    written: bool = False


@dataclass(eq=False)
class Thing:
    """What areas show: shared zeros, shared memory that has a name, or a file.

    Attributes:
        kind: "zeros", "named" or "file".
        length: bytes that there are; beyond the last page of them an access is a bus error.
        cells: its pages that were touched.
    """

    kind: str
    length: int
    cells: dict[int, Cell] = field(default_factory=dict)

    def cell(self, index: int) -> Cell:
        return self.cells.setdefault(index, Cell())

    def room(self, index: int) -> int:
        """The bytes of a page that are before the end."""
        return min(PAGE, max(0, self.length - index * PAGE))

    @property
    def promised(self) -> int:
        return 0 if self.kind == "file" else -(-self.length // PAGE)

    def resize(self, length: int) -> None:
        """What is beyond the end is gone; of the last page it is zeros."""
        if length < self.length:
            self.cells = {i: cell for i, cell in self.cells.items() if i * PAGE < length}
            last, rest = divmod(length, PAGE)
            if last in self.cells:
                self.cells[last].data[rest:] = bytes(PAGE - rest)
        self.length = length


@dataclass(eq=False)
class Page:
    """A page of an address space, mapped.

    Attributes:
        cell: its own bytes; None: nobody wrote any, or it is shared.
        present: whether it must be in memory.
    """

    prot: int
    flags: int
    thing: Thing | None = None
    index: int = 0
    cell: Cell | None = None
    charged: bool = False
    locked: bool = False
    present: bool = False

    @property
    def shared(self) -> bool:
        return bool(self.flags & MAP_SHARED)

    @property
    def touched(self) -> bool:
        """Whether anybody may have brought it into memory."""
        there = self.thing is not None and self.index in self.thing.cells
        return there or self.cell is not None

    @property
    def lost(self) -> bool:
        """Whether its thing ends before it."""
        return self.thing is not None and not self.thing.room(self.index)

    def shown(self) -> Cell | None:
        """What is seen there; None: zeros, and nothing has them yet."""
        if self.cell or not self.thing:
            return self.cell
        return self.thing.cell(self.index)


Pages = list[tuple[int, Page]]


@dataclass(eq=False)
class Space:
    """An address space."""

    pages: dict[int, Page] = field(default_factory=dict)
    brk: int = HEAP
    limits: dict[int, int] = field(
        default_factory=lambda: {RLIMIT_AS: NO_LIMIT, RLIMIT_RSS: NO_LIMIT, RLIMIT_STACK: 8 << 20}
    )

    def fork(self) -> "Space":
        pages = {
            number: Page(page.prot, page.flags, page.thing, page.index, page.cell, page.charged)
            for number, page in self.pages.items()
        }
        return Space(pages, self.brk, dict(self.limits))

    def areas(self, numbers: range | None = None) -> list[Pages]:
        """Runs of pages that can't be told apart; of those that are among some, these."""

        def alike(one: tuple[int, Page]) -> tuple[object, ...]:
            number, page = one
            place = page.index - number if page.thing else 0
            kind = (page.prot, page.flags, id(page.thing), place, page.charged, page.locked)
            return (number - starts[number], *kind)

        there = sorted(self.pages.items())
        starts = {number: place for place, (number, _) in enumerate(there)}
        if numbers is not None:
            there = [(number, page) for number, page in there if number in numbers]
        return [list(run) for _, run in groupby(there, alike)]

    def grow(self, number: int, room: int) -> None:
        """Grow the stack above a page down to it, if there is one, and so many pages fit."""
        above = next((area for area in self.areas() if area[0][0] > number), None)
        if number in self.pages or above is None or not above[0][1].flags & MAP_GROWSDOWN:
            return
        first, page = above[0]
        below = max((other for other in self.pages if other < first), default=-2)
        more = first - number
        size = (above[-1][0] + 1 - number) * PAGE
        if number <= below + 1 or size > self.limits[RLIMIT_STACK]:
            return
        if (len(self.pages) + more) * PAGE > self.limits[RLIMIT_AS]:
            return
        if page.charged and more > room:
            return
        for new in range(number, first):
            self.pages[new] = Page(page.prot, page.flags, charged=page.charged)


class Memory:
    """All address spaces, and what they show.

    Args:
        limit: pages that can be promised.

    Attributes:
        things: those that live though nobody shows them.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spaces: list[Space] = []
        self.things: list[Thing] = []

    def pages(self) -> Iterator[Page]:
        for space in self.spaces:
            yield from space.pages.values()

    def committed(self) -> int:
        """What was promised: pages that may be written, and shared memory, each once."""
        things = {page.thing for page in self.pages() if page.thing} | set(self.things)
        return sum(page.charged for page in self.pages()) + sum(one.promised for one in things)

    @property
    def room(self) -> int:
        return self.limit - self.committed()

    def locked(self) -> int:
        return sum(page.locked for page in self.pages())

    def written(self) -> int:
        """How many cells there are whose bytes must be in a frame or in the swap area."""
        cells = {page.cell for page in self.pages() if page.cell}
        for page in self.pages():
            if page.thing and page.thing.kind != "file":
                cells.update(page.thing.cells.values())
        return sum(cell.written for cell in cells)

    def touch(self, space: Space, number: int, access: int) -> int | None:
        """What happens at an access to a page: an errno, or None and its bytes are there."""
        space.grow(number, self.room)
        page = space.pages.get(number)
        needed = PROT_WRITE if access == PROT_WRITE else PROT_READ | PROT_WRITE | PROT_EXEC
        if page is None or not page.prot & needed:
            return errno.EFAULT
        if page.lost:
            return errno.EIO
        known = page.shown()
        if page.shared:
            assert known is not None
        else:
            others = known is not None and (
                page.cell is None or sum(other.cell is known for other in self.pages()) > 1
            )
            if known is None or (access == PROT_WRITE and others):
                page.cell = known = Cell(bytearray(known.data) if known else bytearray(PAGE))
        known.written |= access == PROT_WRITE
        return None

    def map(
        self, space: Space, numbers: range, prot: int, flags: int, thing: Thing | None, first: int
    ) -> None:
        if thing is None and flags & MAP_SHARED:
            thing, first = Thing("zeros", len(numbers) * PAGE), 0
        charged = bool(flags & MAP_PRIVATE and prot & PROT_WRITE)
        for place, number in enumerate(numbers):
            space.pages[number] = Page(prot, flags, thing, first + place, charged=charged)
        if thing is None:
            for number in numbers:
                space.pages[number].index = 0

    def fits(self, space: Space, numbers: range, prot: int, flags: int) -> bool:
        """Whether what is to be mapped there may be."""
        there = [space.pages[number] for number in numbers if number in space.pages]
        zeros = flags & MAP_ANONYMOUS and flags & MAP_SHARED
        more = len(numbers) if zeros or (prot & PROT_WRITE and flags & MAP_PRIVATE) else 0
        less = sum(page.charged for page in there)
        size = len(space.pages) + len(numbers) - len(there)
        if len(there) < len(numbers) and size * PAGE > space.limits[RLIMIT_AS]:
            return False
        return more <= less or more - less <= self.room

    def resize(self, thing: Thing, length: int) -> None:
        """Give a thing another size; private copies of what is gone go, too."""
        thing.resize(length)
        for page in self.pages():
            if page.thing is thing and page.lost:
                page.cell, page.present = None, False
