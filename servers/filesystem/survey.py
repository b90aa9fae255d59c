"""The survey of a disk when it is mounted: who claims which inodes and zones.

The format keeps no checksums; but what it says, it says twice: a zone that a file has is marked
used and is no other file's, an inode that a directory names is marked used and counts its names.
Where the two contradict each other one of them is damaged, and nobody can tell which. If it went
unnoticed, a write to one file would change another, and a freed zone or inode would be given away
while somebody still has it. So all claims are counted before anything is answered: what is claimed
twice, or claimed and marked free, is *doubtful*. Who leads there gets EUCLEAN, and nobody gets it.

It reads the inodes in use, directories and indirect blocks, in batches, and no content.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from typing import Final, NamedTuple, TypeVar

from servers.disk import Disk
from servers.filesystem.batch import BATCH, extents
from servers.filesystem.layout import (
    BLOCK_SIZE,
    DIRECT,
    ENTRIES_PER_BLOCK,
    ENTRY,
    INODE,
    INODES_PER_BLOCK,
    ROOT,
    Superblock,
)

T = TypeVar("T")

_WITH_ZONES: Final = frozenset([S_IFREG, S_IFDIR, S_IFLNK])
_WORDS_PER_ENTRY: Final = ENTRY.size // 4
_DOT: Final = b".\0"
_DOT_DOT: Final = b"..\0"
_NOTHING: Final[Mapping[int, bytes]] = {}
_DIGITS: Final = bytes.maketrans(b"\0\1", b"01")


class Doubts(NamedTuple):
    """What is doubtful, as bitmaps: bit i is bit i of the bitmap on the disk.

    Attributes:
        inodes: inodes that have more names than they count, or a name and are marked free, or are
            directories that are not where they say.
        zones: zones that are claimed twice, or claimed and marked free.
    """

    inodes: int
    zones: int


class Survey:
    """One survey.

    Args:
        disk: the disk.
        superblock: what it says of itself, checked.
        inodes: the inode bitmap as it is on the disk.
        zones: the zone bitmap.
        due: blocks that are to be taken for what the disk has (see `log`).
    """

    def __init__(
        self,
        disk: Disk,
        superblock: Superblock,
        inodes: bytes,
        zones: bytes,
        due: Mapping[int, bytes] = _NOTHING,
    ) -> None:
        self._disk = disk
        self._due = due
        self._superblock = superblock
        self._used_inodes = inodes
        self._used_zones = zones
        self._first = superblock.first_data_zone
        self._end = superblock.zones
        self._claimed = bytearray(self._end)
        self._twice = bytearray(self._end)
        count = superblock.inodes + 1
        self._links = array("H", bytes(2 * count))
        self._names = array("I", bytes(4 * count))
        self._above = array("I", bytes(4 * count))
        self._said_above: dict[int, int] = {}
        self._roots: dict[int, list[int]] = {1: [], 2: [], 3: []}
        self._directories: list[tuple[int, int, list[int]]] = []

    def doubts(self) -> Doubts:
        """Read all claims; what is doubtful."""
        for number, record in self._records():
            self._inode(number, record)
        self._read_trees()
        self._read_directories()
        return Doubts(self._doubtful_inodes(), self._doubtful_zones())

    def _records(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The inodes that are marked used."""
        start, bits = self._superblock.table_start, self._used_inodes
        blocks = [
            block
            for block in range(self._superblock.table_blocks)
            if int.from_bytes(bits[2 * block : 2 * block + 3], "little") & 0x1FFFE
        ]
        for batch in _batches(blocks):
            data = self._read([start + block for block in batch])
            for at, block in enumerate(batch):
                first = 1 + block * INODES_PER_BLOCK
                part = data[at * BLOCK_SIZE : (at + 1) * BLOCK_SIZE]
                for number, record in enumerate(INODE.iter_unpack(part), first):
                    if record[1] and bits[number >> 3] >> (number & 7) & 1:
                        yield number, record

    def _inode(self, number: int, record: tuple[int, ...]) -> None:
        mode, links, _, _, size = record[:5]
        if number > self._superblock.inodes:
            return
        self._links[number] = links
        kind = S_IFMT(mode)
        if kind not in _WITH_ZONES:
            return
        zones = [zone for zone in record[8 : 8 + DIRECT] if self._claim(zone)]
        for level, zone in enumerate(record[8 + DIRECT :], 1):
            if zone and self._claim(zone):
                if kind == S_IFDIR:
                    self._below(level, [zone], zones)
                else:
                    self._roots[level].append(zone)
                    if len(self._roots[level]) >= BATCH:
                        self._read_trees()
        if kind == S_IFDIR:
            blocks = -(-size // BLOCK_SIZE)
            self._said_above[number] = 0
            self._directories.append((number, size // ENTRY.size, zones[:blocks]))
            if len(self._directories) >= BATCH // DIRECT:
                self._read_directories()

    def _claim(self, zone: int) -> bool:
        """Note that somebody has this zone; whether it can be, and nobody else did."""
        if not self._first <= zone < self._end:
            return False
        if self._claimed[zone]:
            self._twice[zone] = 1
            return False
        self._claimed[zone] = 1
        return True

    def _read_trees(self) -> None:
        """Claim what lies below the indirect blocks of the files that were met."""
        for level, zones in self._roots.items():
            self._below(level, zones)
            zones.clear()

    def _below(self, level: int, zones: Sequence[int], found: list[int] | None = None) -> None:
        """Claim all below some indirect blocks of one level; where content is goes into `found`.

        A block is followed when it is claimed first, so this ends.
        """
        for batch in _batches(zones):
            data = self._read(batch)
            for start in range(0, len(data), BLOCK_SIZE):
                claimed = self._claim_all(_words(data[start : start + BLOCK_SIZE].rstrip(b"\0")))
                if level > 1:
                    self._below(level - 1, claimed, found)
                elif found is not None:
                    found += claimed

    def _claim_all(self, zones: array[int]) -> Sequence[int]:
        """Claim the zones in an indirect block; those that are nobody else's."""
        if not zones:
            return zones
        first, last = zones[0], zones[-1] + 1
        if last - first == len(zones) and self._first <= first and last <= self._end:
            # They mostly lie in a row, and a row is claimed at once.
            row = slice(first, last)
            if zones == array("I", range(first, last)) and not any(self._claimed[row]):
                self._claimed[row] = b"\1" * len(zones)
                return zones
        return [zone for zone in zones if zone and self._claim(zone)]

    def _read_directories(self) -> None:
        """Count the names in the directories that were met."""
        places = [
            (number, at, slots, zone)
            for number, slots, zones in self._directories
            for at, zone in enumerate(zones)
        ]
        self._directories.clear()
        for batch in _batches(places):
            data = self._read([zone for *_, zone in batch])
            for (number, at, slots, _), start in zip(
                batch, range(0, len(data), BLOCK_SIZE), strict=True
            ):
                self._names_in(number, at, slots, data[start : start + BLOCK_SIZE])

    def _names_in(self, number: int, at: int, slots: int, block: bytes) -> None:
        """Count the names in block `at` of a directory; of one without dots none counts."""
        words = _words(block)
        if not at:
            sound = words[0] == number and block[4:6] == _DOT and block[68:71] == _DOT_DOT
            self._said_above[number] = words[_WORDS_PER_ENTRY] if sound else 0
        if not self._said_above.get(number):
            return
        first = 0 if at else 2
        names, above = self._names, self._above
        for inode in words[::_WORDS_PER_ENTRY][first : max(0, slots - at * ENTRIES_PER_BLOCK)]:
            if 0 < inode < len(names):
                names[inode] += 1
                above[inode] = number

    def _doubtful_inodes(self) -> int:
        flags = bytearray(len(self._names))
        links, said = self._links, self._said_above
        for number, names in enumerate(self._names):
            if names and number != ROOT:
                is_directory = number in said
                if names > (1 if is_directory else links[number]) or (
                    is_directory and said[number] != self._above[number]
                ):
                    flags[number] = 1
        return _bits(flags)

    def _doubtful_zones(self) -> int:
        start = self._first - 1  # bit 0 stands for nothing
        used = int.from_bytes(self._used_zones, "little")
        return _bits(self._twice[start:]) | _bits(self._claimed[start:]) & ~used

    def _read(self, blocks: Sequence[int]) -> bytes:
        data = self._disk.readv(extents(blocks))
        if not self._due.keys().isdisjoint(blocks):
            parts = [data[at : at + BLOCK_SIZE] for at in range(0, len(data), BLOCK_SIZE)]
            data = b"".join(map(self._due.get, blocks, parts))
        return data


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _words(data: bytes) -> array[int]:
    """The 32-bit numbers in part of a block, whose last zeros may be missing."""
    words = array("I", data.ljust(-(-len(data) // 4) * 4, b"\0"))
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _bits(flags: bytearray) -> int:
    """Flags of 0 and 1 as an integer: flag i is bit i."""
    return int(flags[::-1].translate(_DIGITS), 2)
