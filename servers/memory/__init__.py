"""Virtual memory: the service `MemoryManager` and, on the user's side, `AddressSpace`.

From the bottom up:

    mman      the constants of <sys/mman.h>
    layout    addresses, page-table entries, what is where in the regions
    areas     what is mapped where in an address space
    frames    physical memory, with reference counts
    tables    page tables
    objects   what shared areas show
    machine   these three, and where spaces live, in the regions
    space     an address space, as the service keeps it
    placing   where a new mapping goes
    manager   the service
    mmu       the user's side: TLB and page walks, faults
    user      an address space, as a program has it

`policies` say which page gives up its frame. They serve experiments: nothing is paged out yet.
"""

from servers.memory.areas import Area
from servers.memory.manager import MemoryInfo, MemoryManager
from servers.memory.mman import (
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from servers.memory.mmu import Mmu, SegmentationFault, TlbCounters
from servers.memory.space import Usage
from servers.memory.user import AddressSpace

__all__ = [
    "MADV_DONTNEED",
    "MADV_NORMAL",
    "MADV_RANDOM",
    "MADV_SEQUENTIAL",
    "MADV_WILLNEED",
    "MAP_ANONYMOUS",
    "MAP_FIXED",
    "MAP_FIXED_NOREPLACE",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "PROT_EXEC",
    "PROT_NONE",
    "PROT_READ",
    "PROT_WRITE",
    "AddressSpace",
    "Area",
    "MemoryInfo",
    "MemoryManager",
    "Mmu",
    "SegmentationFault",
    "TlbCounters",
    "Usage",
]
