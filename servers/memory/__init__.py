"""Virtual memory: the service `MemoryManager` and, on the user's side, `AddressSpace`.

From the bottom up:

    mman        the constants of <sys/mman.h>
    layout      addresses, page-table entries, what is where in the regions
    events      what has happened so far
    record      whose pages are where
    ledger      what else has changed, for a later life of the service
    areas       what is mapped where in an address space
    limits      what a space may use
    tables      page tables
    homes       whose a page is, and so who maps it
    swap        the swap area, and its disk
    policies    which page gives up its frame
    frames      physical memory, with reference counts
    slots       where spaces live, and how MMUs are told that something changed
    reclaim     frames are given out, and taken away
    commit      what may be promised
    objects     what shared areas show
    registry    all of those
    machine     all that, in the regions
    files       FileSystem, which lends the pages of files
    cutting     files that became shorter
    growing     stacks
    faults      how a page that is needed comes into a frame
    space       an address space, as the service keeps it
    usage       what a space uses
    placing     where a new mapping goes
    recovery    a later life finds the pages again
    survival    and all else
    state       the operations' common base, and on it: advice, mapping, images, sharing, accounts
    manager     the service
    violations  what a bad access raises
    lanes, walk, mmu
                the user's side: TLB and page walks, faults
    user        an address space, as a program has it
"""

from servers.memory.accounts import MemoryEvents, MemoryInfo
from servers.memory.areas import Area
from servers.memory.limits import Limit
from servers.memory.manager import MemoryManager
from servers.memory.mman import (
    MADV_DONTNEED,
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_LOCKED,
    MAP_NORESERVE,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MS_ASYNC,
    MS_INVALIDATE,
    MS_SYNC,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    RLIM_INFINITY,
    RLIMIT_AS,
    RLIMIT_MEMLOCK,
    RLIMIT_RSS,
    RLIMIT_STACK,
)
from servers.memory.mmu import Mmu, TlbCounters
from servers.memory.state import Kill
from servers.memory.swap import SwapDisk
from servers.memory.usage import Usage
from servers.memory.user import AddressSpace
from servers.memory.violations import BusError, SegmentationFault, Violation

__all__ = [
    "MADV_DONTNEED",
    "MADV_NORMAL",
    "MADV_RANDOM",
    "MADV_SEQUENTIAL",
    "MADV_WILLNEED",
    "MAP_ANONYMOUS",
    "MAP_FIXED",
    "MAP_FIXED_NOREPLACE",
    "MAP_GROWSDOWN",
    "MAP_LOCKED",
    "MAP_NORESERVE",
    "MAP_POPULATE",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "MS_ASYNC",
    "MS_INVALIDATE",
    "MS_SYNC",
    "PROT_EXEC",
    "PROT_NONE",
    "PROT_READ",
    "PROT_WRITE",
    "RLIMIT_AS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_RSS",
    "RLIMIT_STACK",
    "RLIM_INFINITY",
    "AddressSpace",
    "Area",
    "BusError",
    "Kill",
    "Limit",
    "MemoryEvents",
    "MemoryInfo",
    "MemoryManager",
    "Mmu",
    "SegmentationFault",
    "SwapDisk",
    "TlbCounters",
    "Usage",
    "Violation",
]
