"""Regions: memory that the kernel owns.

A service that names a `Region` in its constructor gets the same memory back after it died. A region
is born empty: `size == 0` says that this is the service's first life. It can be shared by grant
(see `kernels`): whoever holds it sees the same bytes.

Beside its bytes a region keeps one open file: what is locked by it stays locked while its service
is between two lives. The file waits as a message in a pair of sockets that nobody reads from, only
looks into (systemd's descriptor store, without a protocol).
"""

import array
import fcntl
import mmap
import os
import socket
from collections.abc import Iterable
from typing import Final

PAGE: Final = mmap.PAGESIZE


class Region:
    """Bytes in a memory file of the host, mapped into this address space.

    Args:
        descriptor: the memory file. The region owns it.
        writable: whether this holder may write.
    """

    __slots__ = ("_descriptor", "_memory", "_shelf", "_writable")

    def __init__(self, descriptor: int, *, writable: bool = True) -> None:
        self._descriptor = descriptor
        self._writable = writable
        self._shelf: tuple[socket.socket, socket.socket] | None = None
        self._memory: mmap.mmap | None = None
        self._map()

    @classmethod
    def create(cls, name: str, size: int = 0) -> "Region":
        """A new region of `size` zero bytes; `name` is for /proc and for people."""
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        region = cls(os.memfd_create(f"twinos:{name}", flags))
        region._shelf = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
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

    @property
    def descriptors(self) -> Iterable[int]:
        """All that belongs to the region, for the kernel to hand to the service."""
        return [self._descriptor, *(end.fileno() for end in self._shelf or ())]

    def keep(self, descriptor: int) -> None:
        """Keep an open file until the region is closed everywhere; once, by the service itself."""
        if self._shelf is None:
            raise ValueError("a region that was granted keeps no files")
        socket.send_fds(self._shelf[0], [b"\0"], [descriptor])

    def kept(self) -> int | None:
        """The open file that `keep` was given, as a new descriptor; None if there is none."""
        if self._shelf is None:
            return None
        room = socket.CMSG_SPACE(array.array("i", [0]).itemsize)
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        try:
            ((_, _, data),) = self._shelf[1].recvmsg(1, room, flags)[1]
        except BlockingIOError:
            return None
        return array.array("i", data)[0]

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
            for end in self._shelf or ():
                end.close()
            self._shelf = None

    def __del__(self) -> None:
        self.close()

    def _map(self) -> None:
        size = os.fstat(self._descriptor).st_size
        access = mmap.PROT_READ | (mmap.PROT_WRITE if self._writable else 0)
        # The old mapping goes when its last view does: a view held elsewhere stays valid.
        self._memory = mmap.mmap(self._descriptor, size, prot=access) if size else None
