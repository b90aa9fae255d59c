"""Stacks, which grow down when the memory below them is touched."""

from typing import TYPE_CHECKING

from servers.memory.areas import Area
from servers.memory.layout import ADDRESS_START, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from servers.memory.mman import MAP_GROWSDOWN, RLIMIT_STACK

if TYPE_CHECKING:
    from servers.memory.space import Space


def grown(space: "Space", address: int) -> Area | None:
    """The stack that an address is below, grown down to it; None: there is none, or no room.

    The page below a stack is nobody's: the guard, which it does not grow into.
    """
    area = space.areas.next(address)
    if area is None or not area.flags & MAP_GROWSDOWN:
        return None
    start = address & ~PAGE_MASK
    below = space.areas.before(area)
    floor = max(ADDRESS_START, below.end + PAGE_SIZE if below else 0)
    if start < floor or area.end - start > space.limits.bytes(RLIMIT_STACK):
        return None
    pages = (area.start - start) >> PAGE_SHIFT
    try:
        space.check_size(pages)
        space.machine.commit.charge(pages if area.charged else 0)
    except OSError:
        return None
    space.add(area._replace(start=start, end=area.start, locked=False))
    space.machine.ledger.publish()
    return space.areas.find(address)
