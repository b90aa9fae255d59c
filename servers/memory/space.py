"""An address space as the service keeps it: its areas, its page tables, its break."""

import errno
from typing import NamedTuple, Self

from servers.memory.areas import Area, Areas
from servers.memory.layout import (
    ADDRESS_END,
    COPY_ON_WRITE,
    FRAME_MASK,
    HEAP_START,
    PAGE_SHIFT,
    PRESENT,
    SHARED,
    USER,
    WRITABLE,
    round_up,
)
from servers.memory.machine import Machine
from servers.memory.mman import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)
from servers.memory.tables import permissions, protecting
from twinos import fail

MAX_AREAS = 65_530
"""Areas of one space, as vm.max_map_count has it."""


class Usage(NamedTuple):
    """What an address space uses, in pages; after /proc/PID/statm.

    Attributes:
        size: what is mapped, touched or not.
        resident: what has a frame.
        shared: of those, what has a frame that something else holds too.
        tables: its page tables.
        faults: the page faults so far that were resolved.
        copies: of those, how many copied a page.
    """

    size: int
    resident: int
    shared: int
    tables: int
    faults: int
    copies: int


class Space:
    """One address space.

    Its methods trust their arguments: whole pages, in range. Those that fail change nothing.

    Args:
        machine: what it shares with the others.
        number: what it is called.
        owner: the caller that it belongs to.
        root: its root table.
    """

    __slots__ = (
        "_brk",
        "_copies",
        "_faults",
        "_machine",
        "_root",
        "areas",
        "number",
        "owner",
    )

    def __init__(self, machine: Machine, number: int, owner: int, root: int) -> None:
        self.number = number
        self.owner = owner
        self.areas = Areas()
        self._machine = machine
        self._root = root
        self._brk = HEAP_START
        self._faults = 0
        self._copies = 0
        machine.slots.enter(number, root)

    @classmethod
    def create(cls, machine: Machine, owner: int) -> Self:
        """An empty space. EAGAIN: there are too many. ENOMEM: no page table is free."""
        return cls(machine, machine.slots.next(), owner, machine.tables.new())

    def map(self, start: int, end: int, prot: int, flags: int) -> None:
        """Map zeros, instead of what is there. ENOMEM: too many areas."""
        self._check_split()
        if self.areas.between(start, end):
            self.unmap(start, end)
        backing = 0
        if flags & MAP_SHARED:
            backing = self._machine.objects.create()
            self._machine.objects.map(backing, (end - start) >> PAGE_SHIFT)
        self.areas.add(Area(start, end, prot, flags, backing))

    def unmap(self, start: int, end: int) -> None:
        """Unmap what is there and free what nobody else holds. ENOMEM: too many areas."""
        area = self.areas.find(start)
        if area and area.start < start and end < area.end:
            self._check_split()
        for gone in self.areas.remove(start, end):
            self._forget(gone)
        self._machine.slots.invalidate(self.number)

    def protect(self, start: int, end: int, prot: int) -> None:
        """Change what may be done with areas without a gap. ENOMEM: too many areas."""
        self._check_split()
        for area in self.areas.remove(start, end):
            self.areas.add(area._replace(prot=prot))
        pages = start >> PAGE_SHIFT, end >> PAGE_SHIFT
        self._machine.tables.change(self._root, *pages, protecting(prot))
        self._machine.slots.invalidate(self.number)

    def discard(self, start: int, end: int) -> None:
        """Let go of the pages there: private ones are zeros when they are touched again."""
        for area in self.areas.between(start, end):
            self._clear(area)
        self._machine.slots.invalidate(self.number)

    def resident(self, start: int, end: int) -> bytes:
        """A byte for each page of areas without a gap: whether it has a frame."""
        first = start >> PAGE_SHIFT
        found = bytearray((end - start) >> PAGE_SHIFT)
        for page in self._machine.tables.present(self._root, first, end >> PAGE_SHIFT):
            found[page - first] = 1
        for area in self.areas.between(start, end):
            if area.backing:
                here, there = (area.start - start) >> PAGE_SHIFT, area.offset >> PAGE_SHIFT
                for page in self._machine.objects.pages(area.backing):
                    if there <= page < there + area.pages:
                        found[here + page - there] = 1
        return bytes(found)

    def brk(self, address: int) -> int:
        """Move the break there; 0 asks where it is. ENOMEM: no room."""
        if not address:
            return self._brk
        old, new = round_up(self._brk), round_up(address)
        if not HEAP_START <= address <= ADDRESS_END:
            raise fail(errno.ENOMEM)
        if new > old:
            if self.areas.between(old, new):
                raise fail(errno.ENOMEM)
            self.map(old, new, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
        elif new < old:
            self.unmap(new, old)
        self._brk = address
        return address

    def fork(self) -> "Space":
        """A copy; private pages are copied when either writes. EAGAIN, ENOMEM as for `create`."""
        tables = self._machine.tables
        number = self._machine.slots.next()
        child = Space(self._machine, number, self.owner, tables.clone(self._root))
        self._machine.frames.hold(tables.frames(child._root))
        child.areas = Areas(tuple(self.areas))
        child._brk = self._brk
        for area in self.areas:
            if area.backing:
                self._machine.objects.map(area.backing, area.pages)
        self._machine.slots.invalidate(self.number)
        return child

    def destroy(self) -> None:
        """Free everything."""
        self._machine.slots.leave(self.number)
        for area in self.areas:
            self._forget(area)
        self._machine.tables.release(self._root)

    def fault(self, address: int, access: int) -> bool:
        """Make the page of an address accessible. EFAULT: it may not be. ENOMEM: no memory.

        Returns:
            Whether a page that was there has been replaced.
        """
        area = self.areas.find(address)
        if area is None or not permits(area.prot, access):
            raise fail(errno.EFAULT)
        tables = self._machine.tables
        word = tables.entry(self._root, address >> PAGE_SHIFT)
        entry = tables.words[word]
        replaced = False
        if not entry & PRESENT:
            tables.words[word] = self._fill(area, address)
        elif access == PROT_WRITE and entry & COPY_ON_WRITE:
            replaced = self._unshare(word, entry)
        self._faults += 1
        return replaced

    def usage(self) -> Usage:
        """What it uses."""
        frames = self._machine.tables.frames(self._root)
        return Usage(
            size=sum(area.pages for area in self.areas),
            resident=len(frames),
            shared=sum(self._machine.frames.holders(frame) > 1 for frame in frames),
            tables=self._machine.tables.size(self._root),
            faults=self._faults,
            copies=self._copies,
        )

    def _fill(self, area: Area, address: int) -> int:
        """The entry of a page that is touched for the first time."""
        frames = self._machine.frames
        if not area.backing:
            return frames.allocate() << PAGE_SHIFT | permissions(area.prot) | PRESENT
        page = (area.offset + address - area.start) >> PAGE_SHIFT
        frame = self._machine.objects.frame(area.backing, page)
        frames.hold([frame])
        return frame << PAGE_SHIFT | permissions(area.prot) | PRESENT | SHARED

    def _unshare(self, word: int, entry: int) -> bool:
        """Give a page that is copied on write a frame of its own; False: it has one by now."""
        frames, words = self._machine.frames, self._machine.tables.words
        frame = entry >> PAGE_SHIFT & FRAME_MASK
        own = entry & ~COPY_ON_WRITE | WRITABLE
        if frames.holders(frame) == 1:
            words[word] = own
            return False
        words[word] = own ^ (frame ^ frames.copy(frame)) << PAGE_SHIFT
        self._machine.slots.invalidate(self.number)
        frames.drop([frame])
        self._copies += 1
        return True

    def _forget(self, area: Area) -> None:
        """Drop the pages of an area that is not there any more."""
        self._clear(area)
        if area.backing:
            self._machine.objects.unmap(area.backing, area.pages)

    def _clear(self, area: Area) -> None:
        pages = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
        self._machine.frames.drop(self._machine.tables.clear(self._root, *pages))

    def _check_split(self) -> None:
        """ENOMEM unless there may be two areas more: that many a split in the middle makes."""
        if len(self.areas) > MAX_AREAS - 2:
            raise fail(errno.ENOMEM)


def permits(prot: int, access: int) -> bool:
    """Whether `prot` allows an access; whatever is allowed at all, reading is."""
    return bool(permissions(prot) & (WRITABLE if access == PROT_WRITE else USER))
