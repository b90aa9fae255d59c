"""Regions: memory that the kernel owns.

A service that names a `Region` in its constructor gets the same memory back after it died. A region
is born empty: `size == 0` says that this is the service's first life. It can be shared by grant
(see `kernels`): whoever holds it sees the same bytes.
"""

import fcntl
import mmap
import os
from typing import Final

PAGE: Final = mmap.PAGESIZE


class Region:
    """Bytes in a memory file of the host, mapped into this address space.

    Args:
        descriptor: the memory file. The region owns it.
        writable: whether this holder may write.
    """

    __slots__ = ("_descriptor", "_memory", "_writable")

    def __init__(self, descriptor: int, *, writable: bool = True) -> None:
        self._descriptor = descriptor
        self._writable = writable
        self._memory: mmap.mmap | None = None
        self._map()

    @classmethod
    def create(cls, name: str, size: int = 0) -> "Region":
        """A new region of `size` zero bytes; `name` is for /proc and for people."""
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        region = cls(os.memfd_create(f"twinos:{name}", flags))
        if size:
            region.resize(size)
        return region

    @property
    def size(self) -> int:
        """Bytes that this holder has mapped."""
        return 0 if self._memory is None else len(self._memory)

    @property
    def memory(self) -> mmap.mmap:
        """The bytes: index and slice it. Slices copy; `memoryview(region.memory)` does not."""
        if self._memory is None:
            raise ValueError("the region is empty: resize it first")
        return self._memory

    @property
    def descriptor(self) -> int:
        """The memory file, for the kernel to pass on."""
        return self._descriptor

    def resize(self, size: int) -> None:
        """Make the region `size` bytes long, new bytes zero, and map it anew.

        Other holders keep what they have mapped until they `remap`. A region that has been shared
        can't be made shorter: EPERM.
        """
        os.ftruncate(self._descriptor, size)
        self._map()

    def remap(self) -> None:
        """Take up a size that another holder gave the region."""
        self._map()

    def seal(self) -> None:
        """Let nobody shrink the region any more: it is about to be shared.

        Otherwise any holder could pull the memory away under all others.
        """
        fcntl.fcntl(self._descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)

    def close(self) -> None:
        """Let go of the memory; it lives on while anybody else holds it.

        A region that nobody refers to any more is closed, as a file is.
        """
        if self._descriptor >= 0:
            self._memory = None
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()

    def _map(self) -> None:
        size = os.fstat(self._descriptor).st_size
        access = mmap.PROT_READ | (mmap.PROT_WRITE if self._writable else 0)
        # The old mapping goes when its last view does: a view held elsewhere stays valid.
        self._memory = mmap.mmap(self._descriptor, size, prot=access) if size else None
