"""An address space as the service keeps it: its areas, its page tables, its break."""

import errno
from contextlib import suppress
from typing import Final, Self

from servers.memory.areas import Area, Areas
from servers.memory.faults import Faults, permits
from servers.memory.growing import grown
from servers.memory.homes import Family
from servers.memory.layout import (
    ADDRESS_END,
    HEAP_START,
    PAGE_SHIFT,
    frame_of,
    round_up,
)
from servers.memory.limits import Limits
from servers.memory.machine import Machine
from servers.memory.mman import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
    RLIMIT_AS,
    RLIMIT_RSS,
)
from servers.memory.objects import MemoryObject
from servers.memory.tables import Held, protecting
from twinos import fail

MAX_AREAS: Final = 65_530
"""Areas of one space, as vm.max_map_count has it."""


class Space:
    """One address space.

    Its methods trust their arguments: whole pages, in range. Those that fail change nothing.

    Args:
        machine: what it shares with the others.
        number: what it is called.
        owner: the caller that it belongs to.
        root: its root table.
        family: those that share private pages with it.
        limits: what it may use.

    Attributes:
        areas: what is mapped where.
        size: how many pages that is.
        resident: how many of its pages have a frame.
        locked: how many pages of its areas must stay in memory.
        faults: how its page faults are resolved.
        family: whose its private pages are.
        heap_end: where its break is.
        machine: what it shares with the others.
    """

    def __init__(
        self,
        machine: Machine,
        number: int,
        owner: int,
        root: int,
        family: Family,
        limits: Limits,
    ) -> None:
        self.number = number
        self.owner = owner
        self.root = root
        self.areas = Areas()
        self.size = 0
        self.resident = 0
        self.locked = 0
        self.limits = limits
        self.faults = Faults(machine, self, family)
        self.machine = machine
        self.family = family
        self.heap_end = HEAP_START
        family.spaces[number] = self

    @classmethod
    def create(cls, machine: Machine, owner: int) -> Self:
        """An empty space. EAGAIN: there are too many. ENOMEM: no page table is free."""
        number = machine.slots.next()
        root = machine.tables.new()
        machine.slots.enter(number, root)
        family = Family(machine.objects.next())
        machine.ledger.note(("begun", number, owner, family.number))
        return cls(machine, number, owner, root, family, Limits())

    def map(
        self,
        start: int,
        end: int,
        prot: int,
        flags: int,
        shown: MemoryObject | None = None,
        offset: int = 0,
    ) -> None:
        """Map an object from `offset` on, or zeros, instead of what is there.

        ENOMEM: too many areas, or too much memory.
        """
        pages = (end - start) >> PAGE_SHIFT
        shared = bool(flags & MAP_SHARED and shown is None)
        charged = bool(flags & MAP_PRIVATE and prot & PROT_WRITE)
        there = self.areas.between(start, end)
        self._check_split()
        self.check_size(pages - sum(area.pages for area in there))
        self.machine.commit.charge(
            (pages if charged or shared else 0) - sum(a.pages for a in there if a.charged)
        )
        if shared:
            shown = self.machine.objects.create(pages)
        if shown is not None:
            self.machine.objects.map(shown.number, pages, self)
        if there:
            self._take_away(start, end)
        backing = shown.number if shown else 0
        self.add(Area(start, end, prot, flags, backing, offset if shown else 0, charged))

    def unmap(self, start: int, end: int) -> None:
        """Unmap what is there and free what nobody else holds. ENOMEM: too many areas."""
        area = self.areas.find(start)
        if area and area.start < start and end < area.end:
            self._check_split()
        gone = self._take_away(start, end)
        self.machine.commit.charge(-sum(area.pages for area in gone if area.charged))

    def protect(self, area: Area, prot: int) -> None:
        """Change what may be done with a part of an area. ENOMEM: too many, or no memory."""
        self._check_split()
        charged = area.charged or bool(prot & PROT_WRITE and area.flags & MAP_PRIVATE)
        self.machine.commit.charge(area.pages if charged and not area.charged else 0)
        self._replace(area, area._replace(prot=prot, charged=charged))
        pages = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
        self.machine.tables.change(self.root, *pages, protecting(prot))
        self._quiet()

    def lock(self, area: Area, *, locked: bool) -> None:
        """Keep the pages of a part of an area in memory, or no longer. ENOMEM: too many areas."""
        self._check_split()
        self._count_locked(area.pages * (locked - area.locked))
        self._replace(area, area._replace(locked=locked))

    def discard(self, area: Area) -> None:
        """Let go of its pages: private ones are zeros when they are touched again."""
        self._free([self._clear(area)])

    def brk(self, address: int) -> int:
        """Move the break there; 0 asks where it is. ENOMEM: no room."""
        if not address:
            return self.heap_end
        old, new = round_up(self.heap_end), round_up(address)
        if not HEAP_START <= address <= ADDRESS_END:
            raise fail(errno.ENOMEM)
        if new > old:
            if self.areas.between(old, new):
                raise fail(errno.ENOMEM)
            self.map(old, new, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
        elif new < old:
            self.unmap(new, old)
        self.heap_end = address
        self.machine.ledger.note(("brk", self.number, address))
        return address

    def fork(self, owner: int) -> "Space":
        """A copy; private pages are copied when either writes. EAGAIN, ENOMEM as for `create`."""
        machine = self.machine
        number = machine.slots.next()
        promised = sum(area.pages for area in self.areas if area.charged)
        machine.commit.charge(promised)
        try:
            root = machine.tables.clone(self.root)
        except OSError:
            machine.commit.charge(-promised)
            raise
        machine.slots.enter(number, root)
        machine.ledger.note(("copied", number, self.number, owner))
        child = Space(machine, number, owner, root, self.family, self.limits.copy())
        held = machine.tables.held(root)
        machine.frames.hold(held.frames)
        machine.swap.hold(held.slots)
        for area in self.areas:
            child.areas.add(area._replace(locked=False))
            if area.backing:
                machine.objects.map(area.backing, area.pages, child)
        child.size, child.resident = self.size, self.resident
        child.heap_end = self.heap_end
        self._quiet()
        return child

    def destroy(self) -> None:
        """Free everything."""
        machine = self.machine
        machine.slots.leave(self.number)
        machine.slots.silence([self.number])
        held = machine.tables.held(self.root)
        machine.frames.drop(held.frames)
        machine.swap.drop(held.slots)
        machine.tables.release(self.root)
        for area in self.areas:
            if area.backing:
                machine.objects.unmap(area.backing, area.pages, self)
        machine.commit.charge(-sum(area.pages for area in self.areas if area.charged))
        self._count_locked(-self.locked)
        del self.family.spaces[self.number]

    def weight(self) -> int:
        """Its private pages and those that it shares, in frames and in the swap area."""
        held = self.machine.tables.held(self.root)
        return len(held.frames) + len(held.slots)

    def fault(self, address: int, access: int) -> bool:
        """Make the page of an address accessible. EFAULT: it may not be. ENOMEM: no memory.

        Returns:
            Whether a page that was there has been replaced.
        """
        area = self.areas.find(address) or grown(self, address)
        if area is None or not permits(area.prot, access):
            raise fail(errno.EFAULT)
        self.machine.reclaim.fault()
        page = address >> PAGE_SHIFT
        replaced = self.faults.resolve(area, page, access)
        if self.resident << PAGE_SHIFT > self.limits.bytes(RLIMIT_RSS):
            self._shrink(page)
        return replaced

    def _shrink(self, page: int) -> None:
        """Give up another page of one's own: there are more in memory than there may be."""
        tables = self.machine.tables
        frame = frame_of(tables.words[tables.find(self.root, page)])
        with suppress(OSError):  # none may go, or none can be written
            self.machine.reclaim.evict(within=lambda space: space is self, sparing=frame)

    def _take_away(self, start: int, end: int) -> list[Area]:
        """Unmap; what was there."""
        gone = self.areas.remove(start, end)
        self.machine.ledger.note(("gone", self.number, start, end))
        self._free([self._clear(area) for area in gone])
        for area in gone:
            self.size -= area.pages
            self._count_locked(-area.pages if area.locked else 0)
            if area.backing:
                self.machine.objects.unmap(area.backing, area.pages, self)
        return gone

    def add(self, area: Area) -> None:
        """Map an area where nothing is; what it needs has been promised."""
        self.size += area.pages
        self.areas.add(area)
        self.machine.ledger.note(("area", self.number, *area))

    def _replace(self, old: Area, new: Area) -> None:
        self.areas.replace(old, new)
        note = self.machine.ledger.note
        note(("gone", self.number, old.start, old.end))
        note(("area", self.number, *new))

    def _clear(self, area: Area) -> Held:
        pages = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
        return self.machine.tables.clear(self.root, *pages)

    def _free(self, gone: list[Held]) -> None:
        """Let go of what page tables named, when nobody can be using it any more."""
        self._quiet()
        for frames, slots in gone:
            self.resident -= len(frames)
            self.machine.frames.drop(frames)
            self.machine.swap.drop(slots)

    def _quiet(self) -> None:
        """What MMUs know of the space is wrong; wait till they have noticed."""
        self.machine.slots.invalidate(self.number)
        self.machine.slots.silence([self.number])

    def _count_locked(self, pages: int) -> None:
        self.locked += pages
        self.machine.reclaim.locked += pages

    def _check_split(self) -> None:
        """ENOMEM unless there may be two areas more: that many a split in the middle makes."""
        if len(self.areas) > MAX_AREAS - 2:
            raise fail(errno.ENOMEM)

    def check_size(self, more: int) -> None:
        """ENOMEM unless the space may be so many pages larger."""
        if more > 0 and (self.size + more) << PAGE_SHIFT > self.limits.bytes(RLIMIT_AS):
            raise fail(errno.ENOMEM)
