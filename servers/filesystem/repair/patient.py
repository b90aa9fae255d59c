"""What the steps of a repair share: the image, its tables in memory, and a record of the work."""

from array import array
from collections.abc import Iterator
from typing import Final

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.image import Image
from servers.filesystem.check.inodes import WITH_ZONES, Pointer, Record, pointers
from servers.filesystem.layout import BLOCK_SIZE, DIRECT, INODE, ROOT, Superblock

_SAID: Final = 10_000


class Hopeless(Exception):  # it is the answer, not a failure
    """An image that can't be repaired; the text says why, as a sentence without its full stop."""


class Patient:
    """An image under repair.

    Args:
        image: it is read and written.
        superblock: one that is right.

    Attributes:
        table: the inode table, which is written at the end.
        taken: the inodes that the bitmap calls used; it is not changed.
        alive: the inodes that are worth a name.
        used: zones that are not to be given to anybody.
        counts: how many entries name each inode, once its name was kept.
        done: sentences without full stops, the first ten thousand.
    """

    def __init__(self, image: Image, superblock: Superblock) -> None:
        first, end = superblock.first_data_zone, superblock.zones
        self.image = image
        self.superblock = superblock
        self.table = bytearray(image.read(superblock.table_start, superblock.table_blocks))
        bits = bytearray(image.read(2, superblock.imap_blocks))
        self.taken = Bits(bits, ROOT, superblock.inodes)
        self.alive = self.taken.blank()
        self.used = Bits.empty(first, end - first, superblock.zmap_blocks * BLOCK_SIZE)
        self.counts = array("I", bytes(4 * (superblock.inodes + 1)))
        self.done: list[str] = []
        self._free = iter(range(first, end))

    def inodes(self) -> range:
        """All inode numbers."""
        return range(ROOT, self.superblock.inodes + 1)

    def record(self, number: int) -> Record:
        """An inode as it is now."""
        return Record.unpack(self.table, number)

    def put(self, number: int, record: Record) -> None:
        """Change an inode."""
        at = (number - 1) * INODE.size
        self.table[at : at + INODE.size] = record.pack()

    def is_zone(self, zone: int) -> bool:
        """Whether there is such a zone."""
        return self.superblock.first_data_zone <= zone < self.superblock.zones

    def say(self, what: str) -> None:
        """Note what was done."""
        if len(self.done) < _SAID:
            self.done.append(what)

    def allocate(self, content: bytes = bytes(BLOCK_SIZE)) -> int:
        """A zone that was free, with this content; 0 if there is none."""
        for zone in self._free:
            if zone not in self.used:
                self.used.add(zone)
                self.image.write(zone, content)
                return zone
        return 0

    def point(self, number: int, pointer: Pointer, zone: int) -> None:
        """Have a pointer of an inode name another zone."""
        if pointer.holder:
            block = bytearray(self.image.read(pointer.holder))
            block[4 * pointer.slot : 4 * pointer.slot + 4] = zone.to_bytes(4, "little")
            self.image.write(pointer.holder, bytes(block))
        else:
            self.point_directly(number, pointer.slot, zone)

    def point_directly(self, number: int, slot: int, zone: int) -> None:
        """Have an inode name a zone."""
        record = self.record(number)
        zones = (*record.zones[:slot], zone, *record.zones[slot + 1 :])
        self.put(number, record._replace(zones=zones))

    def blocks(self, number: int) -> Iterator[Pointer]:
        """All pointers of an inode, once every zone has one owner."""
        record = self.record(number)
        if record.kind in WITH_ZONES:
            yield from pointers(record.zones, self.image.read, lambda pointer: pointer.zone)

    def append_block(self, number: int, index: int) -> int:
        """Give a directory one more block, in its inode or its first indirect block; 0: no room."""
        if index < DIRECT:
            zone = self.allocate()
            self.point_directly(number, index, zone)
            return zone
        holder = self.record(number).zones[DIRECT]
        if index - DIRECT >= BLOCK_SIZE // 4:
            return 0
        if not holder:
            holder = self.allocate()
            self.point_directly(number, DIRECT, holder)
        zone = self.allocate() if holder else 0
        if zone:
            self.point(number, Pointer(zone, 0, index, holder, index - DIRECT), zone)
        return zone
