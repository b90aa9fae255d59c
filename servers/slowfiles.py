"""The file system on a slow disk, in both ways that were argued over in 1992.

`SlowFileSystem` serves one request at a time: while the disk works for one, all others wait.
`OverlappedFileSystem` is the multithreaded one: it serves requests that read open files while the
disk works for others of them. It has no lock; it declares what may be in the middle together.
"""

from typing import Annotated, Final

from servers.filesystem import FileSystem
from servers.filesystem.descriptors import OpenFile
from servers.filesystem.state import MEMORY
from servers.slowdisk import SlowDisk
from twinos import Pages, Region, only, shared

SlowDiskHandle = Annotated[
    SlowDisk, only("geometry", "writable", "read", "readv", "writev", "flush", "blank")
]

OVERLAPS: Final = ("pread", "fstat")
"""What only looks at files that are open, and so can't be forgotten meanwhile."""


class SlowFileSystem(FileSystem):
    """A `FileSystem` on a slow disk, one request at a time.

    Args:
        disk: what holds the file system; a blank disk gets an empty one.
        pages: as for `FileSystem`.
        time: seconds since 1970 at which all clocks stand still; None means the host's time.
        memory: bytes for what is known of files, roughly (1 MiB at least).
    """

    def __init__(
        self,
        disk: SlowDiskHandle,
        pages: Annotated[Region, shared],
        time: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(disk, time, memory, pages=pages)


class OverlappedFileSystem(SlowFileSystem, overlaps=OVERLAPS):
    """The same, where reads of open files overlap while they wait for the disk."""

    def __init__(
        self,
        disk: SlowDiskHandle,
        pages: Annotated[Region, shared],
        time: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(disk, pages, time, memory)
        self._reading = 0

    def _read(self, file: OpenFile, offset: int, length: int) -> bytes | Pages:
        self._reading += 1
        try:
            return super()._read(file, offset, length)
        finally:
            self._reading -= 1

    def _make_room(self) -> None:
        """In the middle of reading, let go only of what readers look for again after a wait."""
        if not self._reading:
            super()._make_room()
            return
        goal = self._memory.bound - self._memory.bound // 4
        for inode in sorted(self._volume.table, key=lambda inode: -len(inode.pages)):
            if self._memory.used <= goal:
                return
            if inode.lent is None:
                self._content.drop(inode, [at for at in inode.pages if at not in inode.changed])
