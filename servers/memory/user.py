"""An address space as a user program has it."""

from contextlib import suppress
from errno import ENODEV
from functools import partial
from types import TracebackType
from typing import Final, Self

from servers.memory.areas import Area
from servers.memory.limits import Limit
from servers.memory.manager import MemoryManager
from servers.memory.mman import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MS_SYNC,
    PROT_READ,
    PROT_WRITE,
    RLIM_INFINITY,
    SHM_FIRST,
)
from servers.memory.mmu import Mmu, TlbCounters
from servers.memory.usage import Usage
from servers.memory.violations import BusError, SegmentationFault, Violation
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
        files: the region `pages` of FileSystem; without it no files can be mapped.
    """

    def __init__(
        self,
        memory: MemoryManager,
        frames: Region,
        tables: Region,
        *,
        number: int | None = None,
        tlb: int = 64,
        files: Region | None = None,
    ) -> None:
        self._memory = memory
        self._regions = frames, tables
        self._tlb = tlb
        self._files = files
        self.number = memory.create() if number is None else number
        # No method of this object as the handler: it goes when its last user does, at once.
        handler = partial(_fault, memory, self.number)
        self._mmu = Mmu(frames, tables, self.number, handler, tlb, files)
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
        with suppress(ProcessLookupError):
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
        fd: int = -1,
        offset: int = 0,
    ) -> int:
        """Map zeros, or a file, and return where: `MemoryManager.mmap`."""
        if self._files is None and 0 <= fd < SHM_FIRST and not flags & MAP_ANONYMOUS:
            raise OSError(ENODEV, "this address space was made without the pages of files")
        return self._memory.mmap(self.number, address, length, prot, flags, fd, offset)

    def munmap(self, address: int, length: int) -> None:
        """Unmap a range: `MemoryManager.munmap`."""
        self._memory.munmap(self.number, address, length)

    def mprotect(self, address: int, length: int, prot: int) -> None:
        """Say what may be done with a range: `MemoryManager.mprotect`."""
        self._memory.mprotect(self.number, address, length, prot)

    def madvise(self, address: int, length: int, advice: int) -> None:
        """Say how a range will be used: `MemoryManager.madvise`."""
        self._memory.madvise(self.number, address, length, advice)

    def mincore(self, address: int, length: int) -> bytes:
        """Which pages are in memory: `MemoryManager.mincore`."""
        return self._memory.mincore(self.number, address, length)

    def msync(self, address: int, length: int, flags: int = MS_SYNC) -> None:
        """Have what was stored in mapped files on the medium: `MemoryManager.msync`."""
        self._memory.msync(self.number, address, length, flags)

    def mlock(self, address: int, length: int) -> None:
        """Keep a range in memory: `MemoryManager.mlock`."""
        self._memory.mlock(self.number, address, length)

    def munlock(self, address: int, length: int) -> None:
        """Let a range leave memory again: `MemoryManager.munlock`."""
        self._memory.munlock(self.number, address, length)

    def getrlimit(self, resource: int) -> Limit:
        """A limit: `MemoryManager.getrlimit`."""
        return self._memory.getrlimit(self.number, resource)

    def setrlimit(self, resource: int, soft: int, hard: int = RLIM_INFINITY) -> None:
        """Set a limit: `MemoryManager.setrlimit`."""
        self._memory.setrlimit(self.number, resource, soft, hard)

    def brk(self, address: int = 0) -> int:
        """Move the end of the heap, or ask where it is: `MemoryManager.brk`."""
        return self._memory.brk(self.number, address)

    def sbrk(self, increment: int) -> int:
        """Make the heap longer or shorter by some bytes; returns where it ended before."""
        old = self._memory.brk(self.number, 0)
        self._memory.brk(self.number, old + increment)
        return old

    def fork(self) -> "AddressSpace":
        """A copy, which shares pages till they are written to: `MemoryManager.fork`."""
        number = self._memory.fork(self.number)
        return AddressSpace(
            self._memory, *self._regions, number=number, tlb=self._tlb, files=self._files
        )

    def move(self, number: int) -> None:
        """Be another address space from now on, a copy of this one: in a child of the process."""
        self.number = number
        self._mmu.attach(number, partial(_fault, self._memory, number))

    def maps(self) -> tuple[Area, ...]:
        """What is mapped where."""
        return self._memory.maps(self.number)

    def statm(self) -> Usage:
        """What the space uses."""
        return self._memory.statm(self.number)

    def entry(self, page: int) -> int:
        """The word of the region `tables` that maps a page; 0: none does. For who wants to look."""
        return self._mmu.entry(page)

    def counters(self) -> TlbCounters:
        """What the TLB has counted."""
        return self._mmu.counters()


_VIOLATIONS: Final[dict[int | None, type[Violation]]] = {
    kind.code: kind for kind in (SegmentationFault, BusError)
}


def _fault(memory: MemoryManager, space: int, address: int, access: int) -> bool:
    """Ask the service; what it does not allow, or can't do, is a violation."""
    try:
        return memory.fault(space, address, access)
    except OSError as error:
        violation = _VIOLATIONS.get(error.errno)
        if violation is None:
            raise
        areas = (area for area in memory.maps(space) if area.start <= address < area.end)
        raise violation(address, access, next(areas, None)) from (
            error if violation is BusError else None
        )
