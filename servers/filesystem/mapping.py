"""Operations for the memory manager: pages of files that programs map."""

import errno
from stat import S_IFDIR, S_IFREG
from typing import NamedTuple

from servers.filesystem.state import State
from servers.filesystem.writing import PAGE
from servers.who import require_service
from twinos import Caller, fail, op


class Mapped(NamedTuple):
    """A file that a program maps.

    Attributes:
        file: what it is called from now on, always the same as long as it is mapped.
        read: whether the descriptor allows to read it.
        write: whether it allows to write it.
    """

    file: int
    read: bool
    write: bool


class Text(NamedTuple):
    """The file of a program that is mapped: what it is called from now on, and its size."""

    file: int
    size: int


class Cuts(NamedTuple):
    """Files that are mapped and have become shorter.

    Attributes:
        times: how often something was taken back so far; see `lending`.
        slots: where the pages lie that were taken back, and have not been given back.
        sizes: what `mapping_open` called each, and the least size it has had, in bytes.
    """

    times: int
    slots: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]


class LendingOperations(State):
    """What only services may ask: EPERM for users. A file that is mapped stays, unlinked or not."""

    @op
    def mapping_open(self, caller: Caller, who: int, fd: int) -> Mapped:
        """A file that the caller with the number `who` has open is mapped once more.

        EBADF; EACCES for a directory; ENODEV for what can't be mapped; EPERM.
        """
        require_service(caller)
        context = self._contexts.get(who)
        if context is None or fd not in context.files or context.files[fd].access.place:
            raise fail(errno.EBADF)
        file = context.files[fd]
        if file.inode.kind != S_IFREG:
            raise fail(errno.EACCES if file.inode.kind == S_IFDIR else errno.ENODEV)
        number = self._volume.lending.open(file.inode)
        return Mapped(number, file.access.read, file.access.write)

    @op
    def mapping_close(self, caller: Caller, file: int) -> None:
        """A file is mapped once less. EBADF, EPERM."""
        require_service(caller)
        self._volume.closed(self._volume.lending.close(file))

    @op
    def mapping_page(self, caller: Caller, file: int, index: int, write: bool) -> int:
        """Borrow a page of 4 KiB, also to write to it, or ask whether it is still borrowed.

        Returns:
            Its slot in the region `pages`.

        Raises:
            OSError: ENXIO: the file ends before it. ENOMEM: no slot is free. ENOSPC: it has no
                room on the disk. EBADF, EIO, EPERM, EROFS.
        """
        require_service(caller)
        inode, lent = self._volume.lending.file(file)
        if not 0 <= index * PAGE < inode.size:
            raise fail(errno.ENXIO)
        if write:
            self._require_writable()
        if self._memory.used > self._memory.limit:
            self._make_room()
        slot = lent.slots.get(index)
        if slot is None:
            slot = self._volume.lending.lend(inode, lent, index)
        if write and index not in lent.written:
            self._volume.stored(inode, index)
            lent.written[index] = lent[index]
        return slot

    @op
    def mapping_return(self, caller: Caller, slots: tuple[int, ...]) -> None:
        """Give borrowed pages back. ENOSPC, EPERM."""
        require_service(caller)
        for slot in slots:
            self._volume.lending.take_back(slot)

    @op(repeatable=True)
    def mapping_copy(self, caller: Caller, slot: int) -> bytes:
        """The bytes of a borrowed page. EINVAL, EPERM."""
        require_service(caller)
        return self._volume.lending.read(slot)

    @op(repeatable=True)
    def mapping_sync(self, caller: Caller, file: int) -> None:
        """Have what was stored on the medium before this returns. EBADF, EIO, ENOSPC, EPERM."""
        require_service(caller)
        self._volume.lending.file(file)
        self._volume.sync()

    @op
    def mapping_cuts(self, caller: Caller) -> Cuts:
        """What was cut since this was last asked. EPERM."""
        require_service(caller)
        times, slots, sizes = self._volume.lending.cuts()
        return Cuts(times, slots, tuple(sizes.items()))

    @op
    def mapping_reset(self, caller: Caller) -> int:
        """Nothing is mapped: the memory manager begins. How many pages it may borrow. EPERM."""
        require_service(caller)
        for inode in self._volume.lending.reset():
            self._volume.closed(inode)
        return self._volume.lending.slots

    @op
    def mapping_resume(
        self, caller: Caller, files: tuple[int, ...], slots: tuple[int, ...]
    ) -> tuple[tuple[int, int], ...]:
        """The memory manager goes on, after it died, with these files and pages, and no others.

        Returns:
            The files that are mapped, once each, and their sizes in bytes.

        Raises:
            OSError: EPERM.
        """
        require_service(caller)
        lending = self._volume.lending
        for inode in lending.keep(files, slots):
            self._volume.closed(inode)
        return tuple((file, inode.size) for file, inode in lending.mapped())
