"""The operations that arrange an address space, after mmap(2) and its kin."""

import errno
from typing import Final

from servers.filesystem import Mapped
from servers.memory.advice import AdviceOperations
from servers.memory.areas import Area
from servers.memory.layout import ADDRESS_END, PAGE_MASK, PAGE_SHIFT, round_up
from servers.memory.mman import (
    MAP_ANONYMOUS,
    MAP_DENYWRITE,
    MAP_GROWSDOWN,
    MAP_LOCKED,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_TYPE,
    MAP_UNKNOWN,
    PROT_EXEC,
    PROT_READ,
    PROT_SEM,
    PROT_WRITE,
    SHM_FIRST,
)
from servers.memory.objects import MemoryObject
from servers.memory.placing import place
from servers.memory.space import Space
from servers.memory.state import WORD_MASK
from twinos import Caller, fail, op

_PROT: Final = PROT_READ | PROT_WRITE | PROT_EXEC
_KEPT: Final = MAP_TYPE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE
_LARGEST: Final = (1 << 63) - 1


class MappingOperations(AdviceOperations):
    """The operations that arrange an address space."""

    @op
    def mmap(
        self,
        caller: Caller,
        space: int,
        address: int,
        length: int,
        prot: int,
        flags: int,
        fd: int = -1,
        offset: int = 0,
    ) -> int:
        """Map a file, or zeros, in whole pages; they cost nothing till touched.

        Args:
            caller: who asks.
            space: the address space.
            address: where. Without MAP_FIXED a wish, granted if there is room; 0 for none.
            length: in bytes.
            prot: PROT_NONE, or PROT_READ, PROT_WRITE and PROT_EXEC together.
            flags: either MAP_PRIVATE or MAP_SHARED; MAP_ANONYMOUS for zeros instead of a file.
                MAP_FIXED puts it exactly there instead of what is there, MAP_FIXED_NOREPLACE only
                if nothing is. MAP_GROWSDOWN makes it a stack, which grows down when the memory
                below is touched. MAP_POPULATE and MAP_LOCKED bring its pages in, as far as there
                is memory, and MAP_LOCKED keeps them there. Others are ignored.
            fd: a file that the caller has open in FileSystem, or shared memory of `shm_open`.
            offset: from where on in the file, in bytes.

        Returns:
            The address.

        Raises:
            OSError: EACCES: a directory, a file that is not open for reading, or shared writing of
                one not open for writing. EBADF: no open file. EEXIST: MAP_FIXED_NOREPLACE, and
                something is there. EINVAL: a length of 0; a fixed address, or an offset, that is
                not a page's; not exactly one of private and shared; a stack that is shared, or a
                file. ENODEV: no regular file. ENOMEM: no room, more than 65530 areas, more than
                RLIMIT_AS allows, or more than can be promised. EOPNOTSUPP: MAP_SHARED_VALIDATE,
                and a flag that Linux does not know. EOVERFLOW: an offset beyond all files. EPERM:
                a fixed address below 64 KiB.
        """
        where = self._space(caller, space)
        if offset & PAGE_MASK:
            raise fail(errno.EINVAL)
        if flags & MAP_ANONYMOUS:
            return self._map(where, address, length, prot, flags)
        shown, file = self._opened(caller, fd)
        try:
            size = round_up(length & WORD_MASK)
            if size and not 0 <= offset <= _LARGEST - size:
                raise fail(errno.EOVERFLOW)
            if flags & MAP_TYPE == MAP_SHARED_VALIDATE:
                if flags & MAP_UNKNOWN:
                    raise fail(errno.EOPNOTSUPP)
                flags &= ~MAP_PRIVATE
            write = prot & PROT_WRITE and flags & MAP_SHARED
            if not file.read or (write and not file.write):
                raise fail(errno.EACCES)
            kept = flags & ~MAP_DENYWRITE | (0 if file.write else MAP_DENYWRITE)
            return self._map(where, address, length, prot, kept, shown, offset)
        finally:
            self._machine.objects.let_go(shown)

    @op
    def munmap(self, caller: Caller, space: int, address: int, length: int) -> None:
        """Unmap the pages of a range; what is not mapped is no error.

        Raises:
            OSError: EINVAL: an address that is not a page's, a length of 0, a range beyond the
                last address. ENOMEM: an area would be split and there are too many.
        """
        where = self._space(caller, space)
        address &= WORD_MASK
        length &= WORD_MASK
        if address & PAGE_MASK or not 0 < length <= ADDRESS_END - address:
            raise fail(errno.EINVAL)
        where.unmap(address, address + round_up(length))

    @op
    def mprotect(self, caller: Caller, space: int, address: int, length: int, prot: int) -> None:
        """Say what may be done with the pages of a range.

        Raises:
            OSError: EACCES: a shared file that is not open for writing. EINVAL: an address that is
                not a page's, or unknown bits of `prot`. ENOMEM: some of it is not mapped, there are
                too many areas, or what may be written now can't be promised. As on Linux, what
                lies before the place where it fails has changed.
        """
        where = self._space(caller, space)
        start = address & WORD_MASK
        if start & PAGE_MASK:
            raise fail(errno.EINVAL)
        if not length:
            return
        end = start + (round_up(length & WORD_MASK) & WORD_MASK)
        if not start < end <= WORD_MASK:
            raise fail(errno.ENOMEM)
        if prot & ~(_PROT | PROT_SEM):
            raise fail(errno.EINVAL)
        for area in where.areas.run(start, end):
            if prot & PROT_WRITE and _is_read_only(area):
                raise fail(errno.EACCES)
            where.protect(area, prot & _PROT)

    @op
    def brk(self, caller: Caller, space: int, address: int) -> int:
        """Move the end of the heap; 0 only asks.

        Returns:
            Where it is now.

        Raises:
            OSError: ENOMEM: below the start of the heap, beyond the last address, or something
                else is mapped there.
        """
        return self._space(caller, space).brk(address & WORD_MASK)

    def _opened(self, caller: Caller, fd: int) -> tuple[MemoryObject, Mapped]:
        """What a descriptor is of, and what it allows; to be let go of. EACCES, EBADF, ENODEV."""
        if fd >= SHM_FIRST:
            shown, writable = self._shared(caller, fd)
            return shown, Mapped(0, read=True, write=writable)
        file = self._machine.files.open(caller.id, fd)
        return self._machine.objects.of_file(file.file), file

    def _map(
        self,
        where: Space,
        address: int,
        length: int,
        prot: int,
        flags: int,
        shown: MemoryObject | None = None,
        offset: int = 0,
    ) -> int:
        size = round_up(length & WORD_MASK)
        if not size:
            raise fail(errno.EINVAL)
        start = place(where, address & WORD_MASK, size, flags)
        if flags & MAP_TYPE not in {MAP_PRIVATE, MAP_SHARED}:
            raise fail(errno.EINVAL)
        if flags & MAP_GROWSDOWN and (shown is not None or flags & MAP_SHARED):
            raise fail(errno.EINVAL)
        if flags & MAP_LOCKED:
            self._check_locked(where, size >> PAGE_SHIFT)
        where.map(start, start + size, prot & _PROT, flags & _KEPT, shown, offset)
        if flags & MAP_LOCKED:
            for area in where.areas.between(start, start + size):
                where.lock(area, locked=True)
        if flags & (MAP_LOCKED | MAP_POPULATE):
            self._populate(where, start, start + size)
        return start


def _is_read_only(area: Area) -> bool:
    """Whether nothing that is stored there could reach its file."""
    return bool(area.flags & MAP_SHARED and area.flags & MAP_DENYWRITE)
