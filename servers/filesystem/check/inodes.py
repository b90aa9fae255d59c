"""Records of the inode table, and where they lead to: direct to triple indirect zones."""

import stat
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from servers.filesystem.layout import DIRECT, FANOUT, INODE, POINTERS

WITH_ZONES: Final = frozenset([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK])
DEVICES: Final = frozenset([stat.S_IFCHR, stat.S_IFBLK])
KINDS: Final = WITH_ZONES | DEVICES | {stat.S_IFIFO, stat.S_IFSOCK}
FREE: Final = bytes(INODE.size)


class Record(NamedTuple):
    """One inode as it lies in the table; see `servers.filesystem.inode.Inode`."""

    mode: int
    links: int
    uid: int
    gid: int
    size: int
    atime: int
    mtime: int
    ctime: int
    zones: tuple[int, ...]

    @classmethod
    def unpack(cls, table: bytes | bytearray, number: int) -> "Record":
        """Inode `number` of a table."""
        fields = INODE.unpack_from(table, (number - 1) * INODE.size)
        return cls._make((*fields[:8], fields[8:]))

    def pack(self) -> bytes:
        """The record's bytes."""
        return INODE.pack(*self[:8], *self.zones)

    @property
    def kind(self) -> int:
        """The type, one of `stat.S_IF*`, or something that there is not."""
        return stat.S_IFMT(self.mode)


class Pointer(NamedTuple):
    """A zone number that is not 0, and where it stands.

    Attributes:
        zone: the number.
        level: 0, it names content; 1 to 3, an indirect block so many levels above content.
        at: the first block of the file that it leads to.
        holder: the indirect block in which it stands; 0 is the inode itself.
        slot: its place there.
    """

    zone: int
    level: int
    at: int
    holder: int
    slot: int


Read = Callable[[int], bytes]
Accept = Callable[[Pointer], int]
"""Says for a pointer which zone to take for it, mostly its own, or 0."""


def pointers(zones: tuple[int, ...], read: Read, accept: Accept) -> Iterator[Pointer]:
    """The pointers of an inode that `accept` accepts, in the order of the file.

    An indirect block is read only if it was accepted; so if none is accepted twice, this ends.
    """
    at = 0
    for slot, zone in enumerate(zones):
        level = max(0, slot - DIRECT + 1)
        if zone:
            yield from _below(Pointer(zone, level, at, 0, slot), read, accept)
        at += FANOUT**level


def _below(pointer: Pointer, read: Read, accept: Accept) -> Iterator[Pointer]:
    taken = accept(pointer)
    if not taken:
        return
    yield pointer if taken == pointer.zone else pointer._replace(zone=taken)
    if pointer.level:
        level = pointer.level - 1
        step = FANOUT**level
        for slot, zone in enumerate(POINTERS.unpack(read(taken))):
            if zone:
                at = pointer.at + slot * step
                yield from _below(Pointer(zone, level, at, taken, slot), read, accept)
