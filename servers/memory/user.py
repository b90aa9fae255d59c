"""An address space as a user program has it."""

from contextlib import suppress
from errno import EFAULT
from functools import partial
from types import TracebackType
from typing import Self

from servers.memory.areas import Area
from servers.memory.manager import MemoryManager
from servers.memory.mman import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    PROT_READ,
    PROT_WRITE,
)
from servers.memory.mmu import Mmu, SegmentationFault, TlbCounters
from servers.memory.space import Usage
from twinos import Region


class AddressSpace:
    """An address space: memory to load from and store to, and the calls that arrange it.

        with AddressSpace(memory, frames, tables) as space:
            place = space.mmap(1 << 20)
            space.store(place, b"hello")
            with space.fork() as child:
                child.load(place, 5)

    The threads of a program may share it. It ends with `close`.

    Args:
        memory: the memory manager.
        frames: its region `frames`.
        tables: its region `tables`.
        number: an address space that exists; None: a new one.
        tlb: translations that the TLB holds.
    """

    def __init__(
        self,
        memory: MemoryManager,
        frames: Region,
        tables: Region,
        *,
        number: int | None = None,
        tlb: int = 64,
    ) -> None:
        self._memory = memory
        self._regions = frames, tables
        self._tlb = tlb
        self.number = memory.create() if number is None else number
        # No method of this object as the handler: it goes when its last user does, at once.
        self._mmu = Mmu(frames, tables, self.number, partial(_fault, memory, self.number), tlb)
        # The instructions of the processor themselves: nothing stands between.
        self.load = self._mmu.load
        self.store = self._mmu.store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the address space, if it has not ended."""
        with self._mmu.suspended(), suppress(ProcessLookupError):
            self._memory.destroy(self.number)

    def load_u8(self, address: int) -> int:
        """The byte at `address`."""
        return self.load(address, 1)[0]

    def load_u16(self, address: int) -> int:
        """The number in the 2 bytes at `address`, lowest first."""
        return int.from_bytes(self.load(address, 2), "little")

    def load_u32(self, address: int) -> int:
        """The number in the 4 bytes at `address`, lowest first."""
        return int.from_bytes(self.load(address, 4), "little")

    def load_u64(self, address: int) -> int:
        """The number in the 8 bytes at `address`, lowest first."""
        return int.from_bytes(self.load(address, 8), "little")

    def store_u8(self, address: int, value: int) -> None:
        """Write a byte. OverflowError: it does not fit; so for the others."""
        self.store(address, value.to_bytes(1, "little"))

    def store_u16(self, address: int, value: int) -> None:
        """Write a number of 2 bytes, lowest first."""
        self.store(address, value.to_bytes(2, "little"))

    def store_u32(self, address: int, value: int) -> None:
        """Write a number of 4 bytes, lowest first."""
        self.store(address, value.to_bytes(4, "little"))

    def store_u64(self, address: int, value: int) -> None:
        """Write a number of 8 bytes, lowest first."""
        self.store(address, value.to_bytes(8, "little"))

    def mmap(
        self,
        length: int,
        prot: int = PROT_READ | PROT_WRITE,
        flags: int = MAP_PRIVATE | MAP_ANONYMOUS,
        address: int = 0,
    ) -> int:
        """Map zeros and return where: `MemoryManager.mmap`."""
        with self._mmu.suspended():
            return self._memory.mmap(self.number, address, length, prot, flags)

    def munmap(self, address: int, length: int) -> None:
        """Unmap a range: `MemoryManager.munmap`."""
        with self._mmu.suspended():
            self._memory.munmap(self.number, address, length)

    def mprotect(self, address: int, length: int, prot: int) -> None:
        """Say what may be done with a range: `MemoryManager.mprotect`."""
        with self._mmu.suspended():
            self._memory.mprotect(self.number, address, length, prot)

    def madvise(self, address: int, length: int, advice: int) -> None:
        """Say how a range will be used: `MemoryManager.madvise`."""
        with self._mmu.suspended():
            self._memory.madvise(self.number, address, length, advice)

    def mincore(self, address: int, length: int) -> bytes:
        """Which pages are in memory: `MemoryManager.mincore`."""
        return self._memory.mincore(self.number, address, length)

    def brk(self, address: int = 0) -> int:
        """Move the end of the heap, or ask where it is: `MemoryManager.brk`."""
        with self._mmu.suspended():
            return self._memory.brk(self.number, address)

    def sbrk(self, increment: int) -> int:
        """Make the heap longer or shorter by some bytes; returns where it ended before."""
        with self._mmu.suspended():
            old = self._memory.brk(self.number, 0)
            self._memory.brk(self.number, old + increment)
            return old

    def fork(self) -> "AddressSpace":
        """A copy, which shares pages till they are written to: `MemoryManager.fork`."""
        with self._mmu.suspended():
            number = self._memory.fork(self.number)
        return AddressSpace(self._memory, *self._regions, number=number, tlb=self._tlb)

    def maps(self) -> tuple[Area, ...]:
        """What is mapped where."""
        return self._memory.maps(self.number)

    def statm(self) -> Usage:
        """What the space uses."""
        return self._memory.statm(self.number)

    def counters(self) -> TlbCounters:
        """What the TLB has counted."""
        return self._mmu.counters()


def _fault(memory: MemoryManager, space: int, address: int, access: int) -> bool:
    """Ask the service; what it does not allow is a segmentation fault."""
    try:
        return memory.fault(space, address, access)
    except OSError as error:
        if error.errno != EFAULT:
            raise
    areas = (area for area in memory.maps(space) if area.start <= address < area.end)
    raise SegmentationFault(address, access, next(areas, None))
