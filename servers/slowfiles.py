"""The file system on a slow disk, in both ways that were argued over in 1992.

`SlowFileSystem` serves one request at a time: while the disk works for one, all others wait.
`OverlappedFileSystem` is the multithreaded one: while the disk works for some who read, it serves
others who do, and what needs no disk; while it works for a sync, what only looks, and needs none.
It has no lock; it declares what may be in the middle together.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Final, TypeVar, cast

from servers.filesystem import FileSystem
from servers.filesystem.content import MASK, SHIFT, STEP
from servers.filesystem.descriptors import Context, OpenFile
from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.state import MEMORY
from servers.filesystem.writing import PAGE
from servers.slowdisk import SlowDisk
from twinos import Caller, NotAloneError, Pages, Region, only, op, shared

SlowDiskHandle = Annotated[
    SlowDisk, only("geometry", "writable", "read", "readv", "writev", "flush", "blank")
]

R = TypeVar("R")

_SPARE: Final = 64
"""Blocks that a write may take beside those of its data."""

READS: Final = ("pread", "read")
"""What may wait for the disk with others: it only looks at files that are open, and so can't be
forgotten meanwhile."""
LOOKS: Final = (
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
)
"""What is served meanwhile if it needs no disk; if it does, it begins again, alone."""
CHANGES: Final = (
    "write",
    "pwrite",
    "close",
    "mkdir",
    "rmdir",
    "symlink",
    "link",
    "unlink",
    "remove",
    "rename",
    "replace",
    "mknod",
    "mkfifo",
)
"""The same, if no commit is due: in memory they are done in one step, for which nobody waits."""
OVERLAPS: Final = READS + LOOKS + CHANGES
SYNCS: Final = ("sync", "fsync", "fdatasync")
"""What waits for the disk alone, but shows nothing half done: who only looks may look meanwhile."""


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
        reads: of which files reads are in the middle, by inode, and how many.
        reading: whether what runs now is one of them.
        syncing: whether one that is alone waits for the disk: who is here meanwhile may only look.
    """

    def __init__(self, is_alone: Callable[[], bool]) -> None:
        self.is_alone = is_alone
        self.reads: Counter[int] = Counter()
        self.reading = False
        self.syncing = False

    def visit(self, ask: Callable[..., R], *arguments: Any) -> R:
        """Ask the disk, on which reads wait together, and everything else alone."""
        if self.reading and not self.syncing:
            self.reading = False  # what runs meanwhile is something else
            try:
                return ask(*arguments)
            finally:
                self.reading = True
        if not self.is_alone():
            raise NotAloneError
        self.syncing = True
        try:
            return ask(*arguments)
        finally:
            self.syncing = False

    @contextmanager
    def read_of(self, inode: Inode) -> Iterator[None]:
        """While a file is read."""
        self.reads[inode.number] += 1
        self.reading = True
        try:
            yield
        finally:
            self.reading = False
            self.reads[inode.number] -= 1
            self.reads += Counter()  # drops what is 0


class _Watched:
    """A disk's handle whose requests that take time are looked at."""

    def __init__(self, disk: SlowDisk, middle: _Middle) -> None:
        self.geometry, self.writable, self.blank = disk.geometry, disk.writable, disk.blank
        self.read = partial(middle.visit, disk.read)
        self.readv = partial(middle.visit, disk.readv)
        self.writev = partial(middle.visit, disk.writev)
        self.flush = partial(middle.visit, disk.flush)


class OverlappedFileSystem(SlowFileSystem, overlaps=OVERLAPS, admits=SYNCS):
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

    @op
    def close(self, caller: Caller, fd: int) -> None:
        """`FileSystem.close`; a file that it may free is nobody's meanwhile."""
        if not (self._is_alone() or self._file(caller, fd).inode.links):
            raise NotAloneError
        self._release(caller, self._context(caller).remove(fd))

    def _may_change(self) -> None:
        """Whether metadata may change now, before it does."""
        is_due = self._middle.syncing or self._memory.used > self._memory.limit
        if is_due and not self._is_alone():
            raise NotAloneError

    def _changing(self, caller: Caller, path: str | int) -> Context:
        self._may_change()
        return super()._changing(caller, path)

    def _require_writable(self, path: str | None = None) -> None:
        self._may_change()
        super()._require_writable(path)

    def _accessed(self, inode: Inode) -> None:
        if self._middle.syncing and inode.atime != self._now():
            self._may_change()
        super()._accessed(inode)

    def _open_existing(self, context: Context, inode: Inode, flags: int, path: str) -> None:
        if flags & os.O_TRUNC and not self._is_alone():
            raise NotAloneError
        super()._open_existing(context, inode, flags, path)

    def _read(self, file: OpenFile, offset: int, length: int) -> bytes | Pages:
        if self._is_alone():
            return super()._read(file, offset, length)
        if length > STEP:  # what comes in pieces would not be of one moment
            raise NotAloneError
        with self._middle.read_of(file.inode):
            return super()._read(file, offset, length)

    def _write(self, caller: Caller, file: OpenFile, data: bytes, offset: int) -> int:
        if file.access.write and data and not self._is_alone():
            self._may_change()
            if file.access.durable or not (
                self._is_same_page(file.inode, data, offset)
                or self._is_one_step(file.inode, data, offset)
            ):
                raise NotAloneError
        return super()._write(caller, file, data, offset)

    @staticmethod
    def _is_same_page(inode: Inode, data: bytes, offset: int) -> bool:
        """Whether a write moves a reference: who reads this file meanwhile sees it, or does not."""
        index = offset >> SHIFT
        is_page = len(data) == len(inode.pages.get(index, b"")) == PAGE and not offset & MASK
        return is_page and index in inode.changed

    def _is_one_step(self, inode: Inode, data: bytes, offset: int) -> bool:
        """Whether a write is done in one step, if it needs no disk, and no read is half done."""
        return (
            not self._middle.reads[inode.number]
            and inode.lent is None
            and offset <= inode.size
            and len(data) <= STEP
            and len(data) // BLOCK_SIZE + _SPARE <= self._volume.maps.room
        )

    def _make_room(self) -> None:
        """In the middle of reading, let go only of what readers look for again after a wait."""
        if self._is_alone():
            super()._make_room()
            return
        if self._middle.syncing or self._memory.used <= self._memory.bound:
            return
        goal = self._memory.bound - self._memory.bound // 4
        for inode in sorted(self._volume.table, key=lambda inode: -len(inode.pages)):
            if self._memory.used <= goal:
                return
            if inode.lent is None:
                self._content.drop(inode, [at for at in inode.pages if at not in inode.changed])
