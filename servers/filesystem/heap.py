"""The heap: what pages of content are made of, and go back to.

The C library gives free memory at the end of its heap back to the host at once, and takes it anew
for the next file: a page fault for each page that is written, which costs more than to write it.
"""

import ctypes
from typing import Final

KEPT: Final = 16 << 20
"""Bytes of free memory that this process keeps at hand, and the largest block in the heap."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_free_memory() -> None:
    """Keep what was freed, up to `KEPT` bytes, where the C library can be told so (glibc)."""
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None:
        tell(_M_TRIM_THRESHOLD, KEPT)
        tell(_M_MMAP_THRESHOLD, KEPT)  # or it would no longer be found by itself
