"""The memory management unit: the hardware between a user's loads and stores and the frames.

An access looks its page up in the TLB. A miss walks the page tables; what they do not permit is a
fault, and only that is a request to the memory manager.

How the TLB stays right. The service counts up the generation of a space when translations become
invalid, and each access compares. Between that look and the copying of the bytes nothing may come:

- another thread of this process: an access calls no function there, and CPython gives up its lock
  between bytecodes only where functions are called or loops repeat;
- the service, in another process: before it looks, an access raises a *lane*, a word in the
  tables region, and lowers it afterwards. The service invalidates first and then waits till no
  lane of the space is up; only then does it give a frame to somebody else.
"""

import os
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Final, NamedTuple
from weakref import WeakSet

from servers.memory.lanes import claim, forsake
from servers.memory.layout import (
    ACCESSED_BYTE,
    DIRTY_BYTE,
    HEADER_MAGIC,
    HEADER_SPACES,
    HEADER_VERSION,
    INDEX_BITS,
    INDEX_MASK,
    LEVELS,
    MAGIC,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    PAGES,
    PRESENT,
    SLOT_GENERATION,
    SLOT_ROOT,
    SLOT_SPACE,
    USER,
    VERSION,
    WORD,
    WRITABLE,
    frame_of,
    slot_word,
)
from servers.memory.mman import PROT_READ, PROT_WRITE
from servers.memory.violations import SegmentationFault
from twinos import Region

Fault = Callable[[int, int], bool]
"""Handles a fault at an address, for PROT_READ or PROT_WRITE, as `MemoryManager.fault` does."""


class TlbCounters(NamedTuple):
    """What an MMU has counted.

    Attributes:
        accesses: pages looked up; an access to several pages counts as several.
        misses: of those, how many were not in the TLB, or not for that access.
        faults: of those, how many the page tables did not permit either.
        flushes: how often the TLB was emptied.
        evictions: translations that made room for others.
    """

    accesses: int
    misses: int
    faults: int
    flushes: int
    evictions: int


class Mmu:
    """The memory management unit of one address space; its threads share it.

    Args:
        frames: physical memory.
        tables: the page tables.
        space: the number of the address space.
        fault: the handler of page faults.
        size: translations that the TLB holds; the oldest goes first.

    Raises:
        ValueError: `tables` does not hold this address space, or `size` is not above 0.
        OSError: EAGAIN: too many processes have MMUs of this space.
    """

    def __init__(
        self, frames: Region, tables: Region, space: int, fault: Fault, size: int = 64
    ) -> None:
        words = memoryview(tables.memory).cast("Q")
        if (words[HEADER_MAGIC], words[HEADER_VERSION]) != (MAGIC, VERSION):
            raise ValueError("these are not the page tables of a MemoryManager of this version")
        if words[slot_word(space, words[HEADER_SPACES]) + SLOT_SPACE] != space:
            raise ValueError(f"there is no address space {space} in these page tables")
        if size < 1:
            raise ValueError(f"a TLB of {size} translations")
        slot = slot_word(space, words[HEADER_SPACES])
        self._space = space
        self._fault = fault
        self._size = size
        self._frames = frames.memory
        self._tables = tables.memory
        self._words = words
        self._slot_space = slot + SLOT_SPACE
        self._slot_root = slot + SLOT_ROOT
        self._slot_generation = slot + SLOT_GENERATION
        self._generation: int = words[self._slot_generation]
        self._lane = claim(words, slot, tables.descriptor)
        # From pages to where their frames begin; what may be written is in both.
        self._readable: dict[int, int] = {}
        self._writable: dict[int, int] = {}
        self._lock = Lock()
        self._accesses = self._misses = self._faults = self._flushes = self._evictions = 0
        _mmus.add(self)

    def load(self, address: int, size: int) -> bytes:
        """The `size` bytes at `address`.

        Raises:
            SegmentationFault: they are not all mapped, and for reading.
            OSError: ENOMEM: there is no memory for a page table.
        """
        self._accesses += 1
        start = address & PAGE_MASK
        if start < start + size <= PAGE_SIZE:
            lane = self._lane
            lane.words[lane.word] = lane.busy
            try:
                if self._words[self._slot_generation] == self._generation:
                    start += self._readable[address >> PAGE_SHIFT]
                    return self._frames[start : start + size]
            except KeyError:
                pass
            finally:
                lane.words[lane.word] = lane.idle
        return self._load(address, size)

    def store(self, address: int, data: bytes) -> None:
        """Write `data` at `address`.

        If it lies in two pages, and one can't be written, nothing is written; of more pages,
        those before the one that can't be.

        Raises:
            SegmentationFault: not all is mapped, and for writing.
            OSError: ENOMEM: there is no memory for a page table.
        """
        self._accesses += 1
        start = address & PAGE_MASK
        size = len(data)
        if start < start + size <= PAGE_SIZE:
            lane = self._lane
            lane.words[lane.word] = lane.busy
            try:
                if self._words[self._slot_generation] == self._generation:
                    start += self._writable[address >> PAGE_SHIFT]
                    self._frames[start : start + size] = data
                    return
            except KeyError:
                pass
            finally:
                lane.words[lane.word] = lane.idle
        self._store(address, data)

    def counters(self) -> TlbCounters:
        """What has been counted so far."""
        return TlbCounters(
            self._accesses, self._misses, self._faults, self._flushes, self._evictions
        )

    def _load(self, address: int, size: int) -> bytes:
        if size < 0:
            raise ValueError(f"a load of {size} bytes")
        with self._lock:
            return b"".join([self._load_part(*part) for part in self._parts(address, size)])

    def _load_part(self, here: int, _: int, length: int) -> bytes:
        """Load from one page, however often its translation is lost before that is done."""
        lane = self._lane
        while True:
            start = self._translate(here, PROT_READ)
            lane.words[lane.word] = lane.busy
            try:
                if self._words[self._slot_generation] == self._generation:
                    return self._frames[start : start + length]
            finally:
                lane.words[lane.word] = lane.idle

    def _store(self, address: int, data: bytes) -> None:
        size = len(data)
        with self._lock:
            if size <= PAGE_SIZE < (address & PAGE_MASK) + size:
                self._translate(address + size - 1 & ~PAGE_MASK, PROT_WRITE)
            for here, done, length in self._parts(address, size):
                self._store_part(here, data[done : done + length])

    def _store_part(self, here: int, data: bytes) -> None:
        """Store to one page, however often its translation is lost before that is done."""
        lane = self._lane
        end = len(data)
        while True:
            start = self._translate(here, PROT_WRITE)
            lane.words[lane.word] = lane.busy
            try:
                if self._words[self._slot_generation] == self._generation:
                    self._frames[start : start + end] = data
                    return
            finally:
                lane.words[lane.word] = lane.idle

    def _parts(self, address: int, size: int) -> Iterator[tuple[int, int, int]]:
        """The parts of a range, one a page: where, the bytes before it, its length.

        Each page is translated when its turn comes, for it may take the place of another.
        """
        done = 0
        while done < size:
            here = address + done
            length = min(size - done, PAGE_SIZE - (here & PAGE_MASK))
            yield here, done, length
            done += length
            self._accesses += done < size

    def _translate(self, address: int, access: int) -> int:
        """Where in the frames an address is, for one access."""
        page = address >> PAGE_SHIFT
        if self._words[self._slot_generation] != self._generation:
            self._flush()
        translations = self._writable if access == PROT_WRITE else self._readable
        if page not in translations:
            self._misses += 1
            self._keep(page, self._walk(address, access), access)
        return translations[page] + (address & PAGE_MASK)

    def _walk(self, address: int, access: int) -> int:
        """Where the frame of a page begins, after as many faults as it takes."""
        page = address >> PAGE_SHIFT
        if not 0 <= page < PAGES:
            raise SegmentationFault(address, access)
        needed = PRESENT | USER | (WRITABLE if access == PROT_WRITE else 0)
        while True:
            word = self._find(page)
            entry: int = self._words[word]
            if word and entry & needed == needed:
                break
            self._page_fault(address, access)
        self._tables[word * WORD + ACCESSED_BYTE] = 1
        if access == PROT_WRITE:
            self._tables[word * WORD + DIRTY_BYTE] = 1
        return frame_of(entry) << PAGE_SHIFT

    def _find(self, page: int) -> int:
        """The word of the entry of a page; 0 if there is none."""
        words = self._words
        table: int = words[self._slot_root]
        if words[self._slot_space] != self._space:
            return 0
        for level in range(LEVELS - 1, 0, -1):
            entry = words[table << INDEX_BITS | page >> INDEX_BITS * level & INDEX_MASK]
            if not (table and entry & PRESENT):
                return 0
            table = frame_of(entry)
        return table << INDEX_BITS | page & INDEX_MASK

    def _page_fault(self, address: int, access: int) -> None:
        self._faults += 1
        replaced = self._fault(address, access)
        self._readable.pop(address >> PAGE_SHIFT, None)
        # If the generation counted up once, that was this fault, and no other page is concerned.
        if replaced and self._words[self._slot_generation] == self._generation + 1:
            self._generation += 1

    def _keep(self, page: int, start: int, access: int) -> None:
        if page not in self._readable and len(self._readable) >= self._size:
            oldest = next(iter(self._readable))
            del self._readable[oldest]
            self._writable.pop(oldest, None)
            self._evictions += 1
        self._readable[page] = start
        if access == PROT_WRITE:
            self._writable[page] = start

    def _flush(self) -> None:
        generation = self._words[self._slot_generation]
        self._readable.clear()
        self._writable.clear()
        self._generation = generation  # last: till then the fast paths of other threads keep out
        self._flushes += 1

    def retire(self) -> None:
        """Know no page any more: this is a child of the process whose address space it is."""
        self._lock = Lock()
        self._space = 0
        self._flush()


_mmus: Final[WeakSet[Mmu]] = WeakSet()


def _retire_all() -> None:
    forsake()
    for mmu in list(_mmus):
        mmu.retire()


os.register_at_fork(after_in_child=_retire_all)
