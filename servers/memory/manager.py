"""The memory manager: address spaces over physical frames, after mmap(2), brk(2) and fork(2)."""

import errno
from typing import Annotated, Final, NamedTuple

from servers.memory.areas import Area
from servers.memory.layout import (
    ADDRESS_END,
    PAGE_MASK,
    PAGE_SHIFT,
    round_up,
)
from servers.memory.machine import build
from servers.memory.mman import (
    MADV_DONTNEED,
    MADV_NORMAL,
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_TYPE,
    PROT_EXEC,
    PROT_READ,
    PROT_SEM,
    PROT_WRITE,
)
from servers.memory.placing import place
from servers.memory.space import Space, Usage
from twinos import Caller, Region, Service, fail, op, shared

_WORD_MASK: Final = 2**64 - 1
_MOST_ASKED: Final = 1 << 22
_PROT: Final = PROT_READ | PROT_WRITE | PROT_EXEC


class MemoryInfo(NamedTuple):
    """The state of the machine's memory, after /proc/meminfo.

    Attributes:
        frames: page frames that there are, 4 KiB each.
        free_frames: those that nothing holds.
        tables: page tables that there are, 4 KiB each.
        free_tables: those that no address space has.
        spaces: address spaces that exist.
    """

    frames: int
    free_frames: int
    tables: int
    free_tables: int
    spaces: int


class MemoryManager(Service):
    """Virtual memory: address spaces, demand-zero pages, copy-on-write fork.

    Loads and stores do not come here. They go through an `Mmu` on the user's side, which walks the
    page tables in `tables` and reaches the bytes in `frames`; only a fault is a request. The MMU
    stands for hardware, so a user who holds these regions is trusted as hardware is.

    An address space belongs to the caller who created it and ends with it. For everybody else,
    every operation that names it fails: ESRCH, there is no such space; EPERM, it is another's.
    Addresses and lengths are 64-bit words, as in a system call: -1 is 2**64 - 1.

    Args:
        frames: physical memory.
        tables: page tables and reference counts; see `layout`.
        pages: page frames of physical memory, 4 KiB each.
        page_tables: page tables, 4 KiB each; a space of N pages in a row needs N / 512 and two.
        spaces: how many address spaces there may be.

    Raises:
        OSError: EINVAL: a setting is out of range.
    """

    def __init__(
        self,
        frames: Annotated[Region, shared],
        tables: Annotated[Region, shared],
        pages: int = 32_768,
        page_tables: int = 4_096,
        spaces: int = 256,
    ) -> None:
        self._machine = build(frames, tables, pages, page_tables, spaces)
        self._totals = pages, page_tables
        self._spaces: dict[int, Space] = {}

    @op
    def create(self, caller: Caller) -> int:
        """A new, empty address space; its number, above 0 and never used again.

        Raises:
            OSError: EAGAIN: there are too many. ENOMEM: no page table is free.
        """
        return self._enter(Space.create(self._machine, caller.id))

    @op
    def destroy(self, caller: Caller, space: int) -> None:
        """End an address space and free all that only it holds."""
        self._end(self._space(caller, space))

    @op
    def fork(self, caller: Caller, space: int) -> int:
        """A copy of an address space; its number.

        Private pages are shared until either side writes to them; shared areas stay shared.

        Raises:
            OSError: EAGAIN: there are too many. ENOMEM: not enough page tables are free.
        """
        return self._enter(self._space(caller, space).fork())

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
                there instead of what is there, MAP_FIXED_NOREPLACE only if nothing is. Others are
                ignored.

        Returns:
            The address.

        Raises:
            OSError: EBADF: not MAP_ANONYMOUS. EEXIST: MAP_FIXED_NOREPLACE, and something is
                there. EINVAL: a length of 0; a fixed address that is not a page's; not exactly
                one of private and shared. ENOMEM: no room, or more than 65530 areas. EPERM: a
                fixed address below 64 KiB.
        """
        where = self._space(caller, space)
        if not flags & MAP_ANONYMOUS:
            raise fail(errno.EBADF)
        size = round_up(length & _WORD_MASK)
        if not size:
            raise fail(errno.EINVAL)
        start = place(where, address & _WORD_MASK, size, flags)
        if flags & MAP_TYPE not in {MAP_PRIVATE, MAP_SHARED}:
            raise fail(errno.EINVAL)
        kept = flags & (MAP_TYPE | MAP_ANONYMOUS)
        where.map(start, start + size, prot & _PROT, kept)
        return start

    @op
    def munmap(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Unmap the pages of a range; what is not mapped is no error.

        Raises:
            OSError: EINVAL: an address that is not a page's, a length of 0, a range beyond the
                last address. ENOMEM: an area would be split and there are too many.
        """
        where = self._space(caller, space)
        address &= _WORD_MASK
        length &= _WORD_MASK
        if address & PAGE_MASK or not 0 < length <= ADDRESS_END - address:
            raise fail(errno.EINVAL)
        where.unmap(address, address + round_up(length))

    @op
    def mprotect(self, caller: Caller, space: int, address: int, length: int, prot: int) -> None:
        """Say what may be done with the pages of a range.

        Raises:
            OSError: EINVAL: an address that is not a page's, or unknown bits of `prot`. ENOMEM:
                some of it is not mapped, or there are too many areas; nothing has changed then.
        """
        where = self._space(caller, space)
        start = address & _WORD_MASK
        if start & PAGE_MASK:
            raise fail(errno.EINVAL)
        if not length:
            return
        end = start + (round_up(length & _WORD_MASK) & _WORD_MASK)
        if not start < end <= _WORD_MASK:
            raise fail(errno.ENOMEM)
        if prot & ~(_PROT | PROT_SEM):
            raise fail(errno.EINVAL)
        if not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)
        where.protect(start, end, prot & _PROT)

    @op
    def madvise(self, caller: Caller, space: int, address: int, length: int, advice: int) -> None:
        """Say how a range will be used; only MADV_DONTNEED has an effect.

        After that, private pages are zeros again and their frames are free; shared pages keep what
        they hold.

        Raises:
            OSError: EINVAL: an address that is not a page's, a range beyond the last word, or an
                unknown advice. ENOMEM: some of it is not mapped; the rest is done all the same.
        """
        where = self._space(caller, space)
        start = address & _WORD_MASK
        end = start + round_up(length & _WORD_MASK)
        if not MADV_NORMAL <= advice <= MADV_DONTNEED or start & PAGE_MASK or end > _WORD_MASK:
            raise fail(errno.EINVAL)
        if advice == MADV_DONTNEED:
            where.discard(start, end)
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
        start = address & _WORD_MASK
        if start & PAGE_MASK:
            raise fail(errno.EINVAL)
        end = start + round_up(length & _WORD_MASK)
        if end > ADDRESS_END or not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)
        if (end - start) >> PAGE_SHIFT > _MOST_ASKED:
            raise fail(errno.EINVAL)
        return where.resident(start, end)

    @op
    def brk(self, caller: Caller, space: int, address: int) -> int:
        """Move the end of the heap; 0 only asks.

        Returns:
            Where it is now.

        Raises:
            OSError: ENOMEM: below the start of the heap, beyond the last address, or something
                else is mapped there.
        """
        return self._space(caller, space).brk(address & _WORD_MASK)

    @op
    def fault(self, caller: Caller, space: int, address: int, access: int) -> bool:
        """The page fault: the MMU found no translation that permits an access.

        Args:
            caller: whose MMU it is.
            space: the address space.
            address: the address.
            access: PROT_READ or PROT_WRITE.

        Returns:
            Whether a page that was there has been replaced by a copy, so that translations of it
            are wrong now.

        Raises:
            OSError: EFAULT: the access is not allowed. EINVAL: not an access. ENOMEM: no frame or
                page table is free; nothing has changed, and it may be tried again.
        """
        where = self._space(caller, space)
        if access not in {PROT_READ, PROT_WRITE}:
            raise fail(errno.EINVAL)
        return where.fault(address & _WORD_MASK, access)

    @op(idempotent=True)
    def maps(self, caller: Caller, space: int) -> tuple[Area, ...]:
        """The areas of an address space by address, after /proc/PID/maps."""
        return tuple(self._space(caller, space).areas)

    @op(idempotent=True)
    def statm(self, caller: Caller, space: int) -> Usage:
        """What an address space uses, after /proc/PID/statm."""
        return self._space(caller, space).usage()

    @op(idempotent=True)
    def meminfo(self) -> MemoryInfo:
        """The memory of the machine, after /proc/meminfo."""
        frames, tables = self._totals
        return MemoryInfo(
            frames=frames,
            free_frames=self._machine.frames.free,
            tables=tables,
            free_tables=self._machine.tables.free,
            spaces=len(self._spaces),
        )

    def _departed(self, caller: Caller) -> None:
        for space in [space for space in self._spaces.values() if space.owner == caller.id]:
            self._end(space)

    def _space(self, caller: Caller, number: int) -> Space:
        space = self._spaces.get(number)
        if space is None:
            raise fail(errno.ESRCH)
        if space.owner != caller.id:
            raise fail(errno.EPERM)
        return space

    def _enter(self, space: Space) -> int:
        self._spaces[space.number] = space
        return space.number

    def _end(self, space: Space) -> None:
        del self._spaces[space.number]
        space.destroy()
