"""Page faults: how the page that an access needs comes into a frame.

A page that must not be written without asking, although its area may be, is `COPY_ON_WRITE`. There
are three reasons for it, and `_permit_writing` tells them apart: somebody else has the page, too;
its bytes are also in the swap area; or nobody has written to it yet, so that it need not be kept.
"""

from servers.memory.areas import Area
from servers.memory.cutting import catch_up
from servers.memory.events import COPIES, MAJOR, MINOR
from servers.memory.homes import Family, Mapper
from servers.memory.layout import (
    COPIED,
    COPY_ON_WRITE,
    PAGE_SHIFT,
    PRESENT,
    SHARED,
    SWAPPED,
    USER,
    WRITABLE,
    frame_of,
)
from servers.memory.machine import Machine
from servers.memory.mman import MAP_SHARED, PROT_WRITE
from servers.memory.tables import permissions


class Faults:
    """The page faults of one space.

    Args:
        machine: where frames come from.
        space: the space.
        family: whose its private pages are.

    Attributes:
        events: the faults that were resolved; see `events`.
    """

    __slots__ = ("_family", "_machine", "_space", "events")

    def __init__(self, machine: Machine, space: Mapper, family: Family) -> None:
        self._machine = machine
        self._space = space
        self._family = family
        self.events = machine.slots.events(space.number)

    def resolve(self, area: Area, page: int, access: int) -> bool:
        """Make a page accessible, which its area permits. ENOMEM: no memory. EIO: no such page.

        Returns:
            Whether a page that was there has been replaced by a copy.
        """
        machine = self._machine
        words = machine.tables.words
        word = machine.tables.entry(self._space.root, page)
        waited = replaced = False
        entry = words[word]
        if area.backing and entry & PRESENT and frame_of(entry) >= machine.frames.own:
            machine.objects[area.backing].check(_place(area, page), machine.reclaim)
        if copied(machine, area) and (access == PROT_WRITE or entry & (COPIED | SWAPPED)):
            catch_up(machine)
            word = machine.tables.entry(self._space.root, page)
        while True:
            entry = words[word]
            if not entry & PRESENT:
                bring = self._swap_in if entry & SWAPPED else self._fill
                waited |= bring(area, page, word, access)
            elif access == PROT_WRITE and entry & COPY_ON_WRITE:
                replaced |= self._permit_writing(area, page, word, entry)
            else:
                break
        self.events.add(MAJOR if waited else MINOR)
        return replaced

    def _fill(self, area: Area, page: int, word: int, access: int) -> bool:
        """A page that has no entry; whether it had to be waited for."""
        machine = self._machine
        waited = False
        if area.backing:
            shown = machine.objects[area.backing]
            frame, waited = shown.frame(_place(area, page), machine.reclaim)
            machine.frames.hold([frame])
            kind = SHARED if area.flags & MAP_SHARED else 0
        else:
            frame = machine.reclaim.zeros(self._family, page)
            kind = 0
            if access == PROT_WRITE:
                machine.frames.dirty[frame] = 1
                machine.tables.words[word] = frame << PAGE_SHIFT | permissions(area.prot) | PRESENT
                self._space.resident += 1
                return False
        machine.tables.words[word] = frame << PAGE_SHIFT | asking(area.prot) | kind
        self._space.resident += 1
        return waited

    def _swap_in(self, area: Area, page: int, word: int, access: int) -> bool:
        """A private page whose entry names a slot; whether it had to be waited for."""
        machine = self._machine
        slot = frame_of(machine.tables.words[word])
        bits = asking(area.prot) | copied(machine, area)
        frame = machine.swap.frame(slot)
        waited = frame is None
        if frame is not None:
            machine.frames.hold([frame])
        else:
            frame = machine.reclaim.filled(self._family, page, machine.swap.read(slot))
            if access == PROT_WRITE and machine.swap.named(slot) > 1:
                machine.frames.dirty[frame] = 1  # a copy of one's own at once
                bits = permissions(area.prot) | copied(machine, area) | PRESENT
                self.events.add(COPIES)
            else:
                machine.swap.join(frame, slot)
        machine.tables.words[word] = frame << PAGE_SHIFT | bits
        self._space.resident += 1
        machine.swap.drop([slot])
        return waited

    def _permit_writing(self, area: Area, page: int, word: int, entry: int) -> bool:
        """Let a page be written that is here; whether it was copied: somebody else has it."""
        machine = self._machine
        frame = frame_of(entry)
        if entry & SHARED:
            machine.objects[area.backing].write(_place(area, page), frame, machine.reclaim)
            if machine.tables.words[word] & PRESENT:
                machine.tables.words[word] = entry & ~COPY_ON_WRITE | WRITABLE
            return False
        if self._is_own(frame):
            machine.frames.dirty[frame] = 1
            machine.swap.part(frame)
            machine.tables.words[word] = entry & ~COPY_ON_WRITE | WRITABLE
            return False
        twin = machine.reclaim.copy(self._family, page, frame)
        machine.frames.dirty[twin] = 1
        bits = permissions(area.prot) | copied(machine, area) | PRESENT
        left = machine.tables.words[word]
        machine.tables.words[word] = twin << PAGE_SHIFT | bits
        machine.slots.invalidate(self._space.number)
        if left & PRESENT:
            machine.frames.drop([frame])
        else:  # to make room, the very page that was copied had to go
            self._space.resident += 1
            machine.swap.drop([frame_of(left)] if left & SWAPPED else [])
        self.events.add(COPIES)
        return True

    def _is_own(self, frame: int) -> bool:
        """Whether a private page may be written where it is: nobody else has it."""
        machine = self._machine
        slot = machine.swap.slot(frame)
        whose = machine.frames.homes[frame]
        return (
            whose is not None
            and whose[0].private
            and machine.frames.holders(frame) == 1
            and (slot is None or not machine.swap.named(slot))
        )


def copied(machine: Machine, area: Area) -> int:
    """The bit of entries of private copies of pages of a file, if there can be some."""
    if not area.backing or area.flags & MAP_SHARED:
        return 0
    return COPIED if machine.objects[area.backing].filed else 0


def asking(prot: int) -> int:
    """The bits of an entry that is present, and whose page is not to be written without asking."""
    return permissions(prot) & ~WRITABLE | COPY_ON_WRITE | PRESENT


def permits(prot: int, access: int) -> bool:
    """Whether `prot` allows an access; whatever is allowed at all, reading is."""
    return bool(permissions(prot) & (WRITABLE if access == PROT_WRITE else USER))


def _place(area: Area, page: int) -> int:
    """Which page of the memory object behind an area a page of the space shows."""
    return (area.offset + (page << PAGE_SHIFT) - area.start) >> PAGE_SHIFT
