"""What an address space uses."""

from typing import NamedTuple

from servers.memory.cutting import count_anew
from servers.memory.layout import PAGE_SHIFT, PRESENT
from servers.memory.machine import Machine
from servers.memory.space import Space


class Usage(NamedTuple):
    """What an address space uses, in pages; after /proc/PID/statm.

    Attributes:
        size: what is mapped, touched or not.
        resident: what has a frame.
        shared: of those, what has a frame that something else holds too.
        tables: its page tables.
        faults: the page faults so far that were resolved.
        copies: of those, how many copied a page.
        swapped: what is in the swap area.
        minor: the page faults that were resolved without waiting for a disk.
        major: those that had to wait for one.
        locked: what must stay in memory.
    """

    size: int
    resident: int
    shared: int
    tables: int
    faults: int
    copies: int
    swapped: int
    minor: int
    major: int
    locked: int


def usage(machine: Machine, space: Space) -> Usage:
    """What a space uses; it takes a look at all of its page tables."""
    count_anew(machine, space)
    held = machine.tables.held(space.root)
    minor, major, copies = space.faults.events.counts
    return Usage(
        size=space.size,
        resident=len(held.frames),
        shared=sum(machine.frames.holders(frame) > 1 for frame in held.frames),
        tables=machine.tables.size(space.root),
        faults=minor + major,
        copies=copies,
        swapped=len(held.slots) + _swapped_objects(machine, space),
        minor=minor,
        major=major,
        locked=space.locked,
    )


def resident(machine: Machine, space: Space, start: int, end: int) -> bytes:
    """A byte for each page of areas without a gap: whether it has a frame."""
    count_anew(machine, space)
    first = start >> PAGE_SHIFT
    found = bytearray((end - start) >> PAGE_SHIFT)
    for page, entry in machine.tables.entries(space.root, first, end >> PAGE_SHIFT):
        found[page - first] = entry & PRESENT
    for area in space.areas.between(start, end):
        if area.backing:
            here, there = (area.start - start) >> PAGE_SHIFT, area.offset >> PAGE_SHIFT
            for page in machine.objects[area.backing].frames:
                if there <= page < there + area.pages:
                    found[here + page - there] = 1
    return bytes(found)


def _swapped_objects(machine: Machine, space: Space) -> int:
    """The pages of shared areas that are in the swap area."""
    found = 0
    for area in space.areas:
        if area.backing:
            first = area.offset >> PAGE_SHIFT
            slots = machine.objects[area.backing].slots
            found += sum(first <= page < first + area.pages for page in slots)
    return found
