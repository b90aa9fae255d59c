"""The operations that arrange an address space, after mmap(2) and its kin."""

import errno
from typing import Final

from servers.memory.layout import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, round_up
from servers.memory.mman import (
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_GROWSDOWN,
    MAP_LOCKED,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_TYPE,
    PROT_EXEC,
    PROT_READ,
    PROT_SEM,
    PROT_WRITE,
    RLIMIT_MEMLOCK,
)
from servers.memory.placing import place
from servers.memory.space import Space
from servers.memory.state import WORD_MASK, MemoryState, advised_range
from servers.memory.usage import resident
from twinos import Caller, fail, op

_MOST_ASKED: Final = 1 << 22
_PROT: Final = PROT_READ | PROT_WRITE | PROT_EXEC
_KEPT: Final = MAP_TYPE | MAP_ANONYMOUS | MAP_GROWSDOWN


class MappingOperations(MemoryState):
    """The operations that arrange an address space."""

    @op
    def mmap(
        self, caller: Caller, space: int, address: int, length: int, prot: int, flags: int
    ) -> int:
        """Map `length` bytes of zeros, in whole pages; they cost nothing till touched.

        Args:
            caller: who asks.
            space: the address space.
            address: where. Without MAP_FIXED a wish, granted if there is room; 0 for none.
            length: in bytes.
            prot: PROT_NONE, or PROT_READ, PROT_WRITE and PROT_EXEC together.
            flags: MAP_ANONYMOUS and either MAP_PRIVATE or MAP_SHARED; MAP_FIXED puts it exactly
                there instead of what is there, MAP_FIXED_NOREPLACE only if nothing is;
                MAP_GROWSDOWN makes it a stack, which grows down when the memory below is touched;
                MAP_POPULATE and MAP_LOCKED bring its pages in, as far as there is memory, and
                MAP_LOCKED keeps them there. Others are ignored.

        Returns:
            The address.

        Raises:
            OSError: EBADF: not MAP_ANONYMOUS. EEXIST: MAP_FIXED_NOREPLACE, and something is
                there. EINVAL: a length of 0; a fixed address that is not a page's; not exactly
                one of private and shared. ENOMEM: no room, more than 65530 areas, more than
                RLIMIT_AS allows, or more than can be promised. EPERM: a fixed address below
                64 KiB.
        """
        where = self._space(caller, space)
        if not flags & MAP_ANONYMOUS:
            raise fail(errno.EBADF)
        size = round_up(length & WORD_MASK)
        if not size:
            raise fail(errno.EINVAL)
        start = place(where, address & WORD_MASK, size, flags)
        if flags & MAP_TYPE not in {MAP_PRIVATE, MAP_SHARED}:
            raise fail(errno.EINVAL)
        if flags & MAP_LOCKED:
            self._check_locked(where, size >> PAGE_SHIFT)
        where.map(start, start + size, prot & _PROT, flags & _KEPT)
        if flags & MAP_LOCKED:
            where.lock(start, start + size, locked=True)
        if flags & (MAP_LOCKED | MAP_POPULATE):
            self._populate(where, start, start + size)
        return start

    @op
    def munmap(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Unmap the pages of a range; what is not mapped is no error.

        Raises:
            OSError: EINVAL: an address that is not a page's, a length of 0, a range beyond the
                last address. ENOMEM: an area would be split and there are too many.
        """
        where = self._space(caller, space)
        address &= WORD_MASK
        length &= WORD_MASK
        if address & PAGE_MASK or not 0 < length <= ADDRESS_END - address:
            raise fail(errno.EINVAL)
        where.unmap(address, address + round_up(length))

    @op
    def mprotect(self, caller: Caller, space: int, address: int, length: int, prot: int) -> None:
        """Say what may be done with the pages of a range.

        Raises:
            OSError: EINVAL: an address that is not a page's, or unknown bits of `prot`. ENOMEM:
                some of it is not mapped, there are too many areas, or what may be written now
                can't be promised; nothing has changed then.
        """
        where = self._space(caller, space)
        start = address & WORD_MASK
        if start & PAGE_MASK:
            raise fail(errno.EINVAL)
        if not length:
            return
        end = start + (round_up(length & WORD_MASK) & WORD_MASK)
        if not start < end <= WORD_MASK:
            raise fail(errno.ENOMEM)
        if prot & ~(_PROT | PROT_SEM):
            raise fail(errno.EINVAL)
        if not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)
        where.protect(start, end, prot & _PROT)

    @op
    def madvise(self, caller: Caller, space: int, address: int, length: int, advice: int) -> None:
        """Say how a range will be used; MADV_DONTNEED and MADV_WILLNEED have an effect.

        After MADV_DONTNEED private pages are zeros again and their frames are free; shared pages
        keep what they hold. MADV_WILLNEED brings pages in, as far as frames are free.

        Raises:
            OSError: EINVAL: an address that is not a page's, a range beyond the last word, an
                unknown advice, or MADV_DONTNEED for what is locked. ENOMEM: some of it is not
                mapped; the rest is done all the same.
        """
        where = self._space(caller, space)
        if not MADV_NORMAL <= advice <= MADV_DONTNEED:
            raise fail(errno.EINVAL)
        start, end = advised_range(address, length)
        if advice == MADV_DONTNEED:
            if any(area.locked for area in where.areas.between(start, end)):
                raise fail(errno.EINVAL)
            where.discard(start, end)
        elif advice == MADV_WILLNEED:
            where.bring_back(start, end)
        if not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)

    @op(idempotent=True)
    def mincore(self, caller: Caller, space: int, address: int, length: int) -> bytes:
        """Which pages of a range are in memory: a byte each, 1 or 0.

        Raises:
            OSError: EINVAL: an address that is not a page's, or more than 16 GiB. ENOMEM: some of
                it is not mapped.
        """
        where = self._space(caller, space)
        if address & PAGE_MASK:
            raise fail(errno.EINVAL)
        start = address & WORD_MASK
        end = start + round_up(length & WORD_MASK)
        if end > ADDRESS_END or not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)
        if (end - start) >> PAGE_SHIFT > _MOST_ASKED:
            raise fail(errno.EINVAL)
        return resident(self._machine, where, start, end)

    @op
    def mlock(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Bring the pages of a range in, and keep them in memory till `munlock`.

        Raises:
            OSError: EINVAL: a range beyond the last word. ENOMEM: some of it is not mapped or may
                not be read, or more would be locked than RLIMIT_MEMLOCK, or seven eighths of all
                frames. EAGAIN: there is no memory; it is locked, but not all there.
        """
        where = self._space(caller, space)
        start, end = _around(address, length)
        if not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)
        there = where.areas.between(start, end)
        self._check_locked(where, sum(area.pages for area in there if not area.locked))
        where.lock(start, end, locked=True)
        if any(not area.prot for area in there):
            raise fail(errno.ENOMEM)
        if not self._populate(where, start, end):
            raise fail(errno.EAGAIN)

    @op
    def munlock(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Let the pages of a range leave memory again. EINVAL, ENOMEM as for `mlock`."""
        where = self._space(caller, space)
        start, end = _around(address, length)
        if not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)
        where.lock(start, end, locked=False)

    @op
    def brk(self, caller: Caller, space: int, address: int) -> int:
        """Move the end of the heap; 0 only asks.

        Returns:
            Where it is now.

        Raises:
            OSError: ENOMEM: below the start of the heap, beyond the last address, or something
                else is mapped there.
        """
        return self._space(caller, space).brk(address & WORD_MASK)

    def _check_locked(self, space: Space, pages: int) -> None:
        """ENOMEM unless so many pages more may be locked."""
        frames = self._sizes.pages
        most = space.limits.bytes(RLIMIT_MEMLOCK) >> PAGE_SHIFT
        total = self._machine.reclaim.locked + pages
        if space.locked + pages > most or total > frames - frames // 8 - 1:
            raise fail(errno.ENOMEM)

    def _populate(self, space: Space, start: int, end: int) -> bool:
        """Bring in what is mapped there, to be written if it may be; whether there was room."""
        try:
            for area in space.areas.between(start, end):
                if area.prot:
                    write = area.prot & PROT_WRITE and area.flags & MAP_PRIVATE
                    access = PROT_WRITE if write else PROT_READ
                    for page in range(area.start, area.end, PAGE_SIZE):
                        space.fault(page, access)
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
            return False
        return True


def _around(address: int, length: int) -> tuple[int, int]:
    """The pages around a range. EINVAL: it goes beyond the last word."""
    start = address & WORD_MASK
    end = start + (length & WORD_MASK)
    if end > WORD_MASK:
        raise fail(errno.EINVAL)
    return start & ~PAGE_MASK, round_up(end)
