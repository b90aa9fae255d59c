"""The constants of <sys/mman.h>, with Linux's values."""

from typing import Final

PROT_NONE: Final = 0
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4
PROT_SEM: Final = 8
"""Linux takes it and makes nothing of it; so does this."""

MAP_SHARED: Final = 0x01
MAP_PRIVATE: Final = 0x02
MAP_SHARED_VALIDATE: Final = 0x03
"""Of files, the same as MAP_SHARED, but for flags that are not known."""
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_GROWSDOWN: Final = 0x100
MAP_DENYWRITE: Final = 0x800
"""Linux ignores it. Here an area has it that shows a file not opened for writing."""
MAP_LOCKED: Final = 0x2000
MAP_NORESERVE: Final = 0x4000
"""Linux takes it and makes nothing of it where memory is not overcommitted; so does this."""
MAP_POPULATE: Final = 0x8000
MAP_FIXED_NOREPLACE: Final = 0x10_0000

MAP_UNKNOWN: Final = 0x83F8_0600
"""What MAP_SHARED_VALIDATE refuses: all that is not in Linux's LEGACY_MAP_MASK (MAP_SYNC, say)."""
MAP_TYPE: Final = 0x0F
"""The bits of the flags that say whether a mapping is shared or private."""

MADV_NORMAL: Final = 0
MADV_RANDOM: Final = 1
MADV_SEQUENTIAL: Final = 2
MADV_WILLNEED: Final = 3
MADV_DONTNEED: Final = 4

MS_ASYNC: Final = 1
MS_INVALIDATE: Final = 2
MS_SYNC: Final = 4

RLIMIT_STACK: Final = 3
RLIMIT_RSS: Final = 5
RLIMIT_MEMLOCK: Final = 8
RLIMIT_AS: Final = 9
RLIM_INFINITY: Final = -1

SHM_FIRST: Final = 1 << 20
"""The first descriptor that `shm_open` gives: below are those of files."""
