"""Where a new mapping goes: as asked for, or in the highest gap that is large enough."""

import errno

from servers.memory.layout import ADDRESS_END, ADDRESS_START, PAGE_MASK
from servers.memory.mman import MAP_FIXED, MAP_FIXED_NOREPLACE
from servers.memory.space import Space
from twinos import fail


def place(space: Space, address: int, size: int, flags: int) -> int:
    """Where `size` bytes are to be mapped; the errors are those of mmap."""
    if size > ADDRESS_END - ADDRESS_START:
        raise fail(errno.ENOMEM)
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
        _check_fixed(space, address, size, flags)
        return address
    wish = address & ~PAGE_MASK
    if ADDRESS_START <= wish <= ADDRESS_END - size and not space.areas.between(wish, wish + size):
        return wish
    found = space.areas.gap(size)
    if found is None:
        raise fail(errno.ENOMEM)
    return found


def _check_fixed(space: Space, address: int, size: int, flags: int) -> None:
    if address > ADDRESS_END - size:
        raise fail(errno.ENOMEM)
    if address & PAGE_MASK:
        raise fail(errno.EINVAL)
    if address < ADDRESS_START:
        raise fail(errno.EPERM)
    if flags & MAP_FIXED_NOREPLACE and space.areas.between(address, address + size):
        raise fail(errno.EEXIST)
