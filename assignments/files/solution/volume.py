"""Three operations on a disk in the MINIX format."""

import errno
from collections.abc import Iterator
from stat import S_ISDIR

from assignments.files.contract import Entry, Inode, Volume
from servers.filesystem.layout import (
    BLOCK_SIZE,
    DIRECT,
    ENTRIES_PER_BLOCK,
    ENTRY,
    FANOUT,
    LINK_MAX,
    MAX_SIZE,
    NAME_MAX,
    POINTERS,
)
from twinos import fail, op


class MinixVolume(Volume):
    """Directories and files, by their inodes."""

    @op
    def names(self, directory: int) -> tuple[Entry, ...]:
        """What is in a directory, in its order; `.` and `..` too, free entries not.

        ENOENT: there is no such inode; ENOTDIR: it is no directory.
        """
        # >>> walk over the entries of all zones, as far as the directory's size goes
        return tuple(entry for _, entry in self._entries(directory) if entry.inode)
        # <<< raise NotImplementedError

    @op
    def link(self, directory: int, name: bytes, inode: int) -> None:
        """Give a file another name.

        It takes the first free entry, or else a new one at the end, in a new zone if need be (seven
        zones are the most: ENOSPC). The file has one link more.

        EINVAL: the name is empty, or has a / or a zero in it; ENAMETOOLONG: more than 60 bytes;
        ENOENT: there is no such inode; ENOTDIR: no directory; EPERM: the file is one;
        EEXIST: the name is taken; EMLINK: it has `LINK_MAX` already. Then nothing has changed.
        """
        # >>> all checks first; then the entry, then the inode
        if not name or b"/" in name or b"\0" in name:
            raise fail(errno.EINVAL)
        if len(name) > NAME_MAX:
            raise fail(errno.ENAMETOOLONG)
        entries = list(self._entries(directory))
        file = self._inode(inode)
        if S_ISDIR(file.mode):
            raise fail(errno.EPERM)
        if any(entry.inode and entry.name == name for _, entry in entries):
            raise fail(errno.EEXIST)
        if file.nlinks >= LINK_MAX:
            raise fail(errno.EMLINK)
        free = [place for place, entry in entries if not entry.inode]
        self._put_entry(directory, free[0] if free else len(entries), Entry(inode, name))
        self._put_inode(inode, file._replace(nlinks=file.nlinks + 1))
        # <<< raise NotImplementedError

    @op
    def truncate(self, inode: int, size: int) -> None:
        """Make a file `size` bytes long: what is cut off is gone, what is added reads as zeros.

        Zones that hold nothing any more are free, those of zone numbers, too.

        EINVAL: negative; EFBIG: more than `MAX_SIZE`; ENOENT: there is no such inode; EISDIR: it is
        a directory.
        """
        # >>> what is left of the last zone is zeros; how many zones does each of the ten reach?
        if size < 0:
            raise fail(errno.EINVAL)
        if size > MAX_SIZE:
            raise fail(errno.EFBIG)
        file = self._inode(inode)
        if S_ISDIR(file.mode):
            raise fail(errno.EISDIR)
        if size < file.size:
            kept, rest = divmod(size, BLOCK_SIZE)
            file = file._replace(zones=self._cut(file, kept + bool(rest)))
            if rest:
                self._clear_after(file, kept, rest)
        self._put_inode(inode, file._replace(size=size))
        # <<< raise NotImplementedError

    # >>>
    def _entries(self, directory: int) -> Iterator[tuple[int, Entry]]:
        inode = self._inode(directory)
        if not S_ISDIR(inode.mode):
            raise fail(errno.ENOTDIR)
        for place in range(inode.size // ENTRY.size):
            block, rest = divmod(place, ENTRIES_PER_BLOCK)
            zone = self._zone(inode, block)
            data = self._disk.read(zone) if zone else bytes(BLOCK_SIZE)
            number, name = ENTRY.unpack_from(data, rest * ENTRY.size)
            yield place, Entry(number, name.rstrip(b"\0"))

    def _put_entry(self, directory: int, place: int, entry: Entry) -> None:
        inode = self._inode(directory)
        block, rest = divmod(place, ENTRIES_PER_BLOCK)
        if block >= DIRECT:
            raise fail(errno.ENOSPC)
        if not inode.zones[block]:
            zones = list(inode.zones)
            zones[block] = self._take_zone()
            inode = inode._replace(zones=tuple(zones))
        data = bytearray(self._disk.read(inode.zones[block]))
        ENTRY.pack_into(data, rest * ENTRY.size, *entry)
        self._disk.write(inode.zones[block], bytes(data))
        size = max(inode.size, (place + 1) * ENTRY.size)
        self._put_inode(directory, inode._replace(size=size))

    def _zone(self, inode: Inode, block: int) -> int:
        """The zone of a block of a file; 0: a hole."""
        if block < DIRECT:
            return inode.zones[block]
        block -= DIRECT
        for depth in (1, 2, 3):
            if block < FANOUT**depth:
                return self._below(inode.zones[DIRECT + depth - 1], depth, block)
            block -= FANOUT**depth
        return 0

    def _below(self, zone: int, depth: int, block: int) -> int:
        while zone and depth:
            depth -= 1
            pointers = POINTERS.unpack(self._disk.read(zone))
            zone, block = pointers[block // FANOUT**depth], block % FANOUT**depth
        return zone

    def _clear_after(self, file: Inode, block: int, rest: int) -> None:
        zone = self._zone(file, block)
        if zone:
            self._disk.write(zone, self._disk.read(zone)[:rest].ljust(BLOCK_SIZE, b"\0"))

    def _cut(self, file: Inode, kept: int) -> tuple[int, ...]:
        """The ten zones of a file of which `kept` blocks are kept; the others become free."""
        zones = []
        for index, zone in enumerate(file.zones):
            depth = max(0, index - DIRECT + 1)
            zones.append(self._pruned(zone, depth, kept))
            kept = max(0, kept - FANOUT**depth)
        return tuple(zones)

    def _pruned(self, zone: int, depth: int, kept: int) -> int:
        """A tree of zones without what is not kept; 0: nothing is."""
        span = FANOUT**depth
        if not zone or kept >= span:
            return zone
        if depth:
            pointers = POINTERS.unpack(self._disk.read(zone))
            below = span // FANOUT
            left = [
                self._pruned(each, depth - 1, max(0, kept - index * below))
                for index, each in enumerate(pointers)
            ]
            if kept > 0:
                self._disk.write(zone, POINTERS.pack(*left))
        if kept > 0:
            return zone
        self._free_zone(zone)
        return 0

    # <<<
