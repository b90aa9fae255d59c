"""The file system on a slow disk, in both ways that were argued over in 1992.

`SlowFileSystem` serves one request at a time: while the disk works for one, all others wait.
`OverlappedFileSystem` is the multithreaded one: while the disk works for some who read, it serves
others who do, and what needs no disk. It has no lock; it declares what may be in the middle
together.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, TypeVar, cast

from servers.filesystem import FileSystem
from servers.filesystem.content import MASK, SHIFT, STEP
from servers.filesystem.descriptors import Context, OpenFile
from servers.filesystem.inode import Inode
from servers.filesystem.state import MEMORY
from servers.filesystem.writing import PAGE
from servers.slowdisk import SlowDisk
from twinos import Caller, NotAloneError, Pages, Region, only, op, shared

SlowDiskHandle = Annotated[
    SlowDisk, only("geometry", "writable", "read", "readv", "writev", "flush", "blank")
]

R = TypeVar("R")

_MAKING: Final = os.O_CREAT | (os.O_TMPFILE & ~os.O_DIRECTORY)

READS: Final = ("pread", "read")
"""What may wait for the disk with others: it only looks at files that are open, and so can't be
forgotten meanwhile."""
HITS: Final = (
    "fstat",
    "stat",
    "lstat",
    "access",
    "readlink",
    "listdir",
    "scandir",
    "readdir",
    "lseek",
    "open",
    "write",
    "pwrite",
)
"""What is served meanwhile if it needs no disk; if it does, or makes a file, it is alone."""
OVERLAPS: Final = READS + HITS


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


class _Middle:
    """Who is in the middle of what, for the disk's handle to look at.

    Attributes:
        is_alone: whether no other operation can be in the middle.
        reads: how many reads are in the middle.
        reading: whether what runs now is one of them.
    """

    def __init__(self, is_alone: Callable[[], bool]) -> None:
        self.is_alone = is_alone
        self.reads = 0
        self.reading = False

    def visit(self, ask: Callable[..., R], *arguments: Any) -> R:
        """Ask the disk, on which reads wait together, and everything else alone."""
        if not self.reading:
            if not self.is_alone():
                raise NotAloneError
            return ask(*arguments)
        self.reading = False  # what runs meanwhile is something else
        try:
            return ask(*arguments)
        finally:
            self.reading = True


class _Watched:
    """A disk's handle whose requests that take time are looked at."""

    def __init__(self, disk: SlowDisk, middle: _Middle) -> None:
        self.geometry, self.writable, self.blank = disk.geometry, disk.writable, disk.blank
        self.read = partial(middle.visit, disk.read)
        self.readv = partial(middle.visit, disk.readv)
        self.writev = partial(middle.visit, disk.writev)
        self.flush = partial(middle.visit, disk.flush)


class OverlappedFileSystem(SlowFileSystem, overlaps=OVERLAPS):
    """The same, where reads overlap while they wait for the disk, and what needs none goes on."""

    def __init__(
        self,
        disk: SlowDiskHandle,
        pages: Annotated[Region, shared],
        time: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        self._middle = _Middle(lambda: self._is_alone())  # noqa: PLW0108 (a kernel puts another one there)
        super().__init__(cast("SlowDisk", _Watched(disk, self._middle)), pages, time, memory)

    @op
    def read(self, caller: Caller, fd: int, length: int) -> bytes | Pages:
        """`FileSystem.read`; the position moves before the disk is waited for."""
        file = self._file(caller, fd)
        start = file.position
        moved = start + max(0, min(length, file.inode.size - start))
        file.position = moved
        try:
            data = self._read(file, start, length)
        except BaseException:
            if file.position == moved:
                file.position = start
            raise
        if file.position == moved:
            file.position = start + len(data)
        return data

    def _open_unusual(
        self, context: Context, path: str, flags: int, mode: int, dir_fd: int | None
    ) -> Inode:
        if flags & _MAKING and not self._is_alone():
            raise NotAloneError
        return super()._open_unusual(context, path, flags, mode, dir_fd)

    def _open_existing(self, context: Context, inode: Inode, flags: int, path: str) -> None:
        if flags & os.O_TRUNC and not self._is_alone():
            raise NotAloneError
        super()._open_existing(context, inode, flags, path)

    def _read(self, file: OpenFile, offset: int, length: int) -> bytes | Pages:
        middle = self._middle
        if self._is_alone():
            return super()._read(file, offset, length)
        if length > STEP:  # what comes in pieces would not be of one moment
            raise NotAloneError
        middle.reads += 1
        middle.reading = True
        try:
            return super()._read(file, offset, length)
        finally:
            middle.reading = False
            middle.reads -= 1

    def _write(self, caller: Caller, file: OpenFile, data: bytes, offset: int) -> int:
        if file.access.write and data and not self._is_alone():
            page = file.inode.pages.get(offset >> SHIFT, b"")
            is_hit = len(data) == len(page) == PAGE and not offset & MASK
            if not is_hit or offset >> SHIFT not in file.inode.changed or file.access.durable:
                raise NotAloneError
        return super()._write(caller, file, data, offset)

    def _make_room(self) -> None:
        """In the middle of reading, let go only of what readers look for again after a wait."""
        if self._is_alone():
            super()._make_room()
            return
        goal = self._memory.bound - self._memory.bound // 4
        for inode in sorted(self._volume.table, key=lambda inode: -len(inode.pages)):
            if self._memory.used <= goal:
                return
            if inode.lent is None:
                self._content.drop(inode, [at for at in inode.pages if at not in inode.changed])
