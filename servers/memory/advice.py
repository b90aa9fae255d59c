"""The operations that say how memory will be used: what is to be in frames, and on the disk."""

import errno
from contextlib import suppress
from typing import Final

from servers.memory.layout import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, PRESENT, round_up
from servers.memory.mman import (
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_WILLNEED,
    MAP_PRIVATE,
    MAP_SHARED,
    MS_ASYNC,
    MS_INVALIDATE,
    MS_SYNC,
    PROT_READ,
    PROT_WRITE,
    RLIMIT_MEMLOCK,
)
from servers.memory.space import Space
from servers.memory.state import WORD_MASK, MemoryState, advised_range
from servers.memory.usage import resident
from twinos import Caller, fail, op

_MOST_ASKED: Final = 1 << 22


class AdviceOperations(MemoryState):
    """The operations that say how memory will be used."""

    @op
    def madvise(self, caller: Caller, space: int, address: int, length: int, advice: int) -> None:
        """Say how a range will be used; MADV_DONTNEED and MADV_WILLNEED have an effect.

        After MADV_DONTNEED private pages are zeros again and their frames are free; shared pages
        keep what they hold. MADV_WILLNEED brings pages in, as far as frames are free.

        Raises:
            OSError: EINVAL: an address that is not a page's, a range beyond the last word, an
                unknown advice, or MADV_DONTNEED for what is locked, which what lies before is not
                spared. ENOMEM: some of it is not mapped; the rest is done all the same.
        """
        where = self._space(caller, space)
        if not MADV_NORMAL <= advice <= MADV_DONTNEED:
            raise fail(errno.EINVAL)
        start, end = advised_range(address, length)
        if advice == MADV_DONTNEED:
            for area in where.areas.between(start, end):
                if area.locked:
                    raise fail(errno.EINVAL)
                where.discard(area)
        elif advice == MADV_WILLNEED:
            self._bring_back(where, start, end)
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
    def msync(self, caller: Caller, space: int, address: int, length: int, flags: int) -> None:
        """Have what was stored to mapped files on the medium before this returns: MS_SYNC.

        `read` and `write` see it anyway, so that MS_ASYNC and MS_INVALIDATE have nothing to do.

        Raises:
            OSError: EBUSY: MS_INVALIDATE, and some of it is locked. EINVAL: an address that is not
                a page's, unknown flags, or both MS_SYNC and MS_ASYNC. EIO, ENOSPC: not all could
                be written. ENOMEM: some of it is not mapped, or it wraps around; the rest is done
                all the same.
        """
        where = self._space(caller, space)
        if flags & ~(MS_SYNC | MS_ASYNC | MS_INVALIDATE) or (flags & MS_SYNC and flags & MS_ASYNC):
            raise fail(errno.EINVAL)
        if address & PAGE_MASK:
            raise fail(errno.EINVAL)
        start = address & WORD_MASK
        end = start + (round_up(length & WORD_MASK) & WORD_MASK)
        if end > WORD_MASK:
            raise fail(errno.ENOMEM)
        synced = set[int]()
        for area in where.areas.between(start, end):
            if flags & MS_INVALIDATE and area.locked:
                raise fail(errno.EBUSY)
            if flags & MS_SYNC and area.flags & MAP_SHARED and area.backing not in synced:
                synced.add(area.backing)
                self._machine.objects[area.backing].sync()
        if not where.areas.cover(start, end):
            raise fail(errno.ENOMEM)

    @op
    def mlock(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Bring the pages of a range in, and keep them in memory till `munlock`.

        Raises:
            OSError: EINVAL: a range that wraps around. ENOMEM: more would be locked than
                RLIMIT_MEMLOCK, or seven eighths of all frames; or some of it is not mapped or may
                not be read, and what lies before that is locked. EAGAIN: there is no memory; it is
                locked, but not all there.
        """
        where = self._space(caller, space)
        start, end = _around(address, length)
        there = where.areas.between(start, end)
        self._check_locked(where, sum(area.pages for area in there if not area.locked))
        for area in where.areas.run(start, end):
            where.lock(area, locked=True)
        failure = self._populate(where, start, end)
        if failure:
            raise fail(failure)

    @op
    def munlock(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Let the pages of a range leave memory again. EINVAL, ENOMEM as for `mlock`."""
        where = self._space(caller, space)
        for area in where.areas.run(*_around(address, length)):
            where.lock(area, locked=False)

    def _bring_back(self, space: Space, start: int, end: int) -> None:
        """Bring in the pages there that are not zeros, as long as frames are free."""
        machine = self._machine
        for area in space.areas.between(start, end):
            first, last = area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT
            entries = machine.tables.entries(space.root, first, last)
            away = [page for page, entry in entries if not entry & PRESENT]
            for page in away if area.prot else ():
                if not machine.frames.free:
                    return
                with suppress(OSError):  # whoever touches it will hear of it
                    space.faults.resolve(area, page, PROT_READ)

    def _check_locked(self, space: Space, pages: int) -> None:
        """ENOMEM unless so many pages more may be locked."""
        frames = self._sizes.pages
        most = space.limits.bytes(RLIMIT_MEMLOCK) >> PAGE_SHIFT
        total = self._machine.reclaim.locked + pages
        if space.locked + pages > most or total > frames - frames // 8 - 1:
            raise fail(errno.ENOMEM)

    def _populate(self, space: Space, start: int, end: int) -> int:
        """Bring in what is mapped there, to be written if it may be; `mlock`'s errno, 0: it is.

        No more than there are frames: with a limit, or of what need not be kept, it would go on.
        """
        most = start + (self._sizes.pages << PAGE_SHIFT)
        for area in space.areas.between(start, min(end, most)):
            write = area.prot & PROT_WRITE and area.flags & MAP_PRIVATE
            try:
                for page in range(area.start, area.end, PAGE_SIZE):
                    space.fault(page, PROT_WRITE if write else PROT_READ)
            except OSError as error:
                return errno.EAGAIN if error.errno == errno.ENOMEM else errno.ENOMEM
        return 0


def _around(address: int, length: int) -> tuple[int, int]:
    """The pages around a range. EINVAL: it wraps around."""
    start = address & WORD_MASK & ~PAGE_MASK
    size = round_up((length & WORD_MASK) + (address & PAGE_MASK)) & WORD_MASK
    if start + size > WORD_MASK:
        raise fail(errno.EINVAL)
    return start, start + size
