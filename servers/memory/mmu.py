"""The memory management unit: the hardware between a user's loads and stores and the frames.

An access looks its page up in the TLB. A miss walks the page tables; what they do not permit is a
fault, and only that is a request to the memory manager.

How the TLB stays right. The service counts up the generation of a space when translations become
invalid, and each access compares. Between that look and the copying of the bytes nothing may come:

- another thread of this process: an access calls no function there, and CPython gives up its lock
  between bytecodes only where functions are called or loops repeat;
- the service, in another process: before it looks, an access raises a *lane*, a word in the
  tables region, and lowers it afterwards. The service invalidates first and then waits till no
  lane of the space is up; only then does it give a frame to somebody else;
- FileSystem, which takes pages away from a file that is cut: it counts how often, and each access
  compares that, too. What is stored too late goes where nobody looks any more.
"""

import os
from collections.abc import Callable, Iterator
from mmap import mmap
from threading import Lock
from typing import Final, NamedTuple
from weakref import WeakSet

from servers.filesystem.lending import REVOKED
from servers.memory.lanes import Lane, claim, forsake
from servers.memory.layout import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, PAGES, SLOT_GENERATION
from servers.memory.mman import PROT_READ, PROT_WRITE
from servers.memory.violations import SegmentationFault
from servers.memory.walk import Walker
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
        files: the pages of files that are mapped; None: none can be.

    Raises:
        ValueError: `tables` does not hold this address space, or `size` is not above 0.
        OSError: EAGAIN: too many processes have MMUs of this space.
    """

    __slots__ = (
        "__weakref__", "_accesses", "_busy", "_claim", "_evictions", "_fault",
        "_faults", "_flushes", "_generation", "_idle", "_lane", "_lanes",
        "_lock", "_marks", "_misses", "_readable", "_regions", "_revoked", "_size",
        "_slot_generation", "_walker", "_words", "_writable",
    )  # fmt: skip

    def __init__(
        self,
        frames: Region,
        tables: Region,
        space: int,
        fault: Fault,
        size: int = 64,
        files: Region | None = None,
    ) -> None:
        if size < 1:
            raise ValueError(f"a TLB of {size} translations")
        self._size = size
        self._regions = frames, tables, files
        self._lock = Lock()
        self._accesses = self._misses = self._faults = self._flushes = self._evictions = 0
        _mmus.add(self)
        self.attach(space, fault)

    def attach(self, space: int, fault: Fault) -> None:
        """Translate for this address space from now on; nobody accesses memory meanwhile."""
        frames, tables, files = self._regions
        self._fault, self._walker = fault, (walker := Walker(frames, tables, space, files))
        self._words, self._marks = walker.words, walker.marks
        self._slot_generation = walker.slot + SLOT_GENERATION
        self._claim = claim(walker.words, walker.slot, tables.descriptor)
        self._use(self._claim)
        # From pages to the memory where their frames are, and where they begin; what may be
        # written is in both.
        self._readable: dict[int, tuple[mmap, int]] = {}
        self._writable: dict[int, tuple[mmap, int]] = {}
        self._generation: int = self._words[self._slot_generation]
        self._revoked: int = self._marks[REVOKED]

    def load(self, address: int, size: int) -> bytes:
        """The `size` bytes at `address`.

        Raises:
            SegmentationFault: they are not all mapped, and for reading.
            OSError: ENOMEM: there is no memory for a page table.
        """
        self._accesses += 1
        start = address & PAGE_MASK
        if start < start + size <= PAGE_SIZE:
            words, lane = self._lanes, self._lane
            words[lane] = self._busy
            try:
                if (
                    self._words[self._slot_generation] == self._generation
                    and self._marks[0] == self._revoked
                ):
                    memory, base = self._readable[address >> PAGE_SHIFT]
                    start += base
                    return memory[start : start + size]
            except KeyError:
                pass
            finally:
                words[lane] = self._idle
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
            words, lane = self._lanes, self._lane
            words[lane] = self._busy
            try:
                if (
                    self._words[self._slot_generation] == self._generation
                    and self._marks[0] == self._revoked
                ):
                    memory, base = self._writable[address >> PAGE_SHIFT]
                    start += base
                    memory[start : start + size] = data
                    return
            except KeyError:
                pass
            finally:
                words[lane] = self._idle
        self._store(address, data)

    def entry(self, page: int) -> int:
        """The word of the tables that maps a page; 0: none does."""
        return self._walker.find(page)

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
        words, lane = self._lanes, self._lane
        while True:
            memory, start = self._translate(here, PROT_READ)
            words[lane] = self._busy
            try:
                if (
                    self._words[self._slot_generation] == self._generation
                    and self._marks[REVOKED] == self._revoked
                ):
                    return memory[start : start + length]
            finally:
                words[lane] = self._idle

    def _store(self, address: int, data: bytes) -> None:
        size = len(data)
        with self._lock:
            if size <= PAGE_SIZE < (address & PAGE_MASK) + size:
                self._translate(address + size - 1 & ~PAGE_MASK, PROT_WRITE)
            for here, done, length in self._parts(address, size):
                self._store_part(here, data[done : done + length])

    def _store_part(self, here: int, data: bytes) -> None:
        """Store to one page, however often its translation is lost before that is done."""
        words, lane = self._lanes, self._lane
        end = len(data)
        while True:
            memory, start = self._translate(here, PROT_WRITE)
            words[lane] = self._busy
            try:
                if (
                    self._words[self._slot_generation] == self._generation
                    and self._marks[REVOKED] == self._revoked
                ):
                    memory[start : start + end] = data
                    return
            finally:
                words[lane] = self._idle

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

    def _use(self, lane: Lane) -> None:
        """Whatever an access looks at is an attribute of the MMU itself: it is quicker so."""
        self._lanes, self._lane = lane.words, lane.word
        self._busy, self._idle = lane.busy, lane.idle

    def _translate(self, address: int, access: int) -> tuple[mmap, int]:
        """The memory where an address is, and where there, for one access."""
        page = address >> PAGE_SHIFT
        if (
            self._words[self._slot_generation] != self._generation
            or self._marks[REVOKED] != self._revoked
        ):
            self._flush()
        translations = self._writable if access == PROT_WRITE else self._readable
        if page not in translations:
            self._misses += 1
            self._keep(page, self._walk(address, access), access)
        memory, base = translations[page]
        return memory, base + (address & PAGE_MASK)

    def _walk(self, address: int, access: int) -> tuple[mmap, int]:
        """Where the frame of a page begins, after as many faults as it takes."""
        page = address >> PAGE_SHIFT
        if not 0 <= page < PAGES:
            raise SegmentationFault(address, access)
        while (place := self._walker.place(page, access)) is None:
            self._page_fault(address, access)
        return place

    def _page_fault(self, address: int, access: int) -> None:
        self._faults += 1
        replaced = self._fault(address, access)
        self._readable.pop(address >> PAGE_SHIFT, None)
        # If the generation counted up once, that was this fault, and no other page is concerned.
        if replaced and self._words[self._slot_generation] == self._generation + 1:
            self._generation += 1

    def _keep(self, page: int, start: tuple[mmap, int], access: int) -> None:
        if page not in self._readable and len(self._readable) >= self._size:
            oldest = next(iter(self._readable))
            del self._readable[oldest]
            self._writable.pop(oldest, None)
            self._evictions += 1
        self._readable[page] = start
        if access == PROT_WRITE:
            self._writable[page] = start

    def _flush(self) -> None:
        generation, revoked = self._words[self._slot_generation], self._marks[REVOKED]
        self._readable.clear()
        self._writable.clear()
        self._revoked = revoked
        self._generation = generation  # last: till then the fast paths of other threads keep out
        self._flushes += 1

    def retire(self) -> None:
        """Know no page any more: this is a child of the process whose address space it is."""
        self._lock = Lock()
        self._use(self._claim)
        self._walker.retire()
        self._flush()


_mmus: Final[WeakSet[Mmu]] = WeakSet()


def _retire_all() -> None:
    forsake()
    for mmu in list(_mmus):
        mmu.retire()


os.register_at_fork(after_in_child=_retire_all)
