"""Recovery: what the memory manager knew of its pages is found again in its regions.

The ledger has told what is mapped where; page tables and the record of pages say which pages there
are. Where a life ended in the middle of something, they disagree, and what the ledger says is so:
entries of what is not mapped go, and who asked for it asks again. Programs go on meanwhile, with
what their MMUs know; so frames are free only after those have been told that it may be wrong.
"""

from collections.abc import Iterator
from contextlib import suppress

from servers.memory.areas import Area
from servers.memory.faults import asking, copied
from servers.memory.homes import Home
from servers.memory.layout import (
    ADDRESS_END,
    PAGE_SHIFT,
    PRESENT,
    SHARED,
    frame_of,
    round_up,
)
from servers.memory.machine import Machine
from servers.memory.objects import FileObject, MemoryObject, NamedObject
from servers.memory.space import Space
from servers.memory.tables import protecting

Held = dict[int, tuple[Home, int, int]]
"""By frame: whose page is there, which, and how many hold it."""


def recover(machine: Machine, spaces: dict[int, Space]) -> None:
    """Find the pages of these spaces again.

    Raises:
        ValueError: what is in the regions can't be.
    """
    _take_stock(machine, spaces)
    machine.tables.take_over(space.root for space in spaces.values() if space.root)
    for space in spaces.values():
        if not space.root:  # it was about to end
            space.root = machine.tables.new()
            machine.slots.settle(space.number, space.root)
        _agree(machine, space)
    held, names = _pages_of_objects(machine)
    for space in spaces.values():
        _pages_of(machine, space, held, names)
    machine.slots.take_over(spaces)
    machine.swap.take_over(names, held)
    machine.frames.take_over(held)
    machine.frames.record.leaving = None
    _cut(machine, [frame - machine.frames.own for frame in held if frame >= machine.frames.own])


def _take_stock(machine: Machine, spaces: dict[int, Space]) -> None:
    """Count what areas show, what was promised, and what is locked; objects nobody needs go."""
    for space in spaces.values():
        for area in space.areas:
            space.size += area.pages
            space.locked += area.pages if area.locked else 0
            machine.commit.total += area.pages if area.charged else 0
            if area.backing:
                machine.objects.map(area.backing, area.pages, space)
        machine.reclaim.locked += space.locked
    for one in list(machine.objects):
        if one.shown or one.keepers:
            machine.commit.total += one.charged
        else:
            machine.objects.drop(one.number)


def _agree(machine: Machine, space: Space) -> None:
    """Have page tables permit what areas do."""
    here = 0
    for area in space.areas:
        if here < area.start:
            machine.tables.clear(space.root, here >> PAGE_SHIFT, area.start >> PAGE_SHIFT)
        pages = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
        machine.tables.change(space.root, *pages, protecting(area.prot))
        here = area.end
    if here < ADDRESS_END:
        machine.tables.clear(space.root, here >> PAGE_SHIFT, ADDRESS_END >> PAGE_SHIFT)


def _pages_of_objects(machine: Machine) -> tuple[Held, dict[int, int]]:
    """The frames of memory objects, and the slots that they name, with how often."""
    record, held, names = machine.frames.record, Held(), dict[int, int]()
    for frame, number, page in record.frames():
        one = machine.objects.get(number)
        if one is None or page in one.frames or not _is_within(one, page):
            record.forget(frame)
        else:
            one.frames[page] = frame
            held[frame] = one, page, 1
    for slot, number, page in record.slots():
        one = machine.objects.get(number)
        if one is None or page in one.frames or not _is_within(one, page):
            record.forget_slot(slot)
        else:
            one.slots[page] = slot
            names[slot] = 1
    return held, names


def _is_within(one: MemoryObject, page: int) -> bool:
    return not isinstance(one, NamedObject) or page << PAGE_SHIFT < one.size


def _pages_of(machine: Machine, space: Space, held: Held, names: dict[int, int]) -> None:
    """The frames and slots that a space's page tables name."""
    leaving, words = machine.frames.record.leaving, machine.tables.words
    for area, page, entry in list(_entries(machine, space)):
        named = frame_of(entry)
        if entry & PRESENT:
            if named not in held and (entry & SHARED or named >= machine.frames.own):
                words[machine.tables.find(space.root, page)] = 0  # it was being taken away
                continue
        elif leaving and leaving[1] == named:  # it was not there yet
            named = leaving[0]
            machine.frames.dirty[named] = 1
            bits = asking(area.prot) | copied(machine, area)
            words[machine.tables.find(space.root, page)] = named << PAGE_SHIFT | bits
        else:
            names[named] = names.get(named, 0) + 1
            continue
        home, place, holders = held.get(named, (space.family, page, 0))
        held[named] = home, place, holders + 1
        space.resident += 1


def _entries(machine: Machine, space: Space) -> Iterator[tuple[Area, int, int]]:
    """The pages that have an entry, and the areas that they lie in."""
    most = len(machine.frames.homes)
    for area in space.areas:
        first, last = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
        for page, entry in machine.tables.entries(space.root, first, last):
            if frame_of(entry) >= (most if entry & PRESENT else machine.swap.size):
                raise ValueError(f"space {space.number} has an impossible page {page:#x}")
            yield area, page, entry


def _cut(machine: Machine, borrowed: list[int]) -> None:
    """Have of files, and of shared memory, what they have: they may have become shorter."""
    files = [one for one in machine.objects if isinstance(one, FileObject)]
    sizes = machine.files.go_on([one.file for one in files], borrowed)
    for one in files:
        if one.file in sizes:
            one.cut(round_up(sizes[one.file]) >> PAGE_SHIFT)
    for shared in [one for one in machine.objects if isinstance(one, NamedObject)]:
        with suppress(OSError):  # its last page can't be read now
            shared.shorten(machine.reclaim)
