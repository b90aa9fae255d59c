"""The check: a walk over all directories, and what is counted on the way against the tables."""

from array import array
from collections.abc import Generator, Iterator
from stat import S_IFDIR, S_IFLNK, S_IFREG
from typing import Final

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.entries import DOT, DOT_DOT, Entry, bad_name, entries, is_unclean
from servers.filesystem.check.finding import Code, Finding, found, shown
from servers.filesystem.check.image import Image
from servers.filesystem.check.inodes import DEVICES, KINDS, WITH_ZONES, Pointer, Record, pointers
from servers.filesystem.check.log import completed
from servers.filesystem.check.superblock import loose_edges, survey
from servers.filesystem.layout import (
    BLOCK_SIZE,
    ENTRY,
    MAX_SIZE,
    PATH_MAX,
    ROOT,
    Superblock,
)

FSCK_LINKS: Final = 255
"""Names of one inode that `fsck.minix` can count."""
FSCK_DEPTH: Final = 49
"""Directories in one another that it follows."""
_SHOWN_DEPTH: Final = 32
_DEVICE_END: Final = 1 << 16

_Place = tuple[int, bytes]
"""A directory, and a name in it."""
_Blocks = list[tuple[int, int]]
"""Where a directory or link lies: block of the file and zone, in order."""


def check(image: Image) -> Iterator[Finding]:
    """All that is wrong with an image; nothing, if it is clean.

    The findings come as they are made, in an order that depends only on the image.
    """
    surveyed = survey(image)
    yield from surveyed.findings
    if surveyed.usable:
        image, notes = completed(image, surveyed.superblock)
        yield from notes
        yield from _Check(image, survey(image).superblock).findings()


class _Check:
    """One check of an image whose tables can be found."""

    def __init__(self, image: Image, superblock: Superblock) -> None:
        first, end = superblock.first_data_zone, superblock.zones
        inode_bits = image.read(2, superblock.imap_blocks)
        zone_bits = image.read(superblock.zmap_start, superblock.zmap_blocks)
        self._image = image
        self._read = image.read
        self._inodes = Bits(bytearray(inode_bits), ROOT, superblock.inodes)
        self._zones = Bits(bytearray(zone_bits), first, end - first)
        self._claimed = Bits.empty(first, end - first, len(zone_bits))
        self._table = image.read(superblock.table_start, superblock.table_blocks)
        self._names = array("I", bytes(4 * (superblock.inodes + 1)))
        self._places: dict[int, _Place] = {}
        self._superblock = superblock

    def findings(self) -> Iterator[Finding]:
        yield from loose_edges(self._image, self._superblock)
        if Record.unpack(self._table, ROOT).kind != S_IFDIR:
            yield found(Code.ROOT, "the root, inode 1, is no directory.", ROOT)
            return
        yield from self._tree()
        yield from self._inode_counts()
        yield from self._zone_counts()

    # The walk.

    def _tree(self) -> Iterator[Finding]:
        self._places[ROOT] = (ROOT, b"")
        pending = [(ROOT, 0)]
        while pending:
            number, depth = pending.pop()
            if depth > FSCK_DEPTH:
                yield self._deep(number)
            below = yield from self._directory(number)
            pending += [(child, depth + 1) for child in reversed(below)]

    def _deep(self, number: int) -> Finding:
        text = f"{self._title(number)} lies deeper than {FSCK_DEPTH} directories"
        return found(Code.DEEP, f"{text}: fsck.minix does not follow it.", number)

    def _directory(self, number: int) -> Generator[Finding, None, list[int]]:
        """Check a directory and the files in it; the directories in it."""
        blocks = yield from self._inode(number, self._places[number])
        size = Record.unpack(self._table, number).size
        yield from self._directory_size(number, size, blocks)
        seen: set[bytes] = set()
        below: list[int] = []
        for entry in entries(blocks, size // ENTRY.size, self._read):
            if entry.slot <= DOT_DOT:
                yield from self._dot(number, entry)
            elif entry.inode:
                yield from self._name(number, entry, seen)
                yield from self._target(number, entry, below)
        return below

    def _directory_size(self, number: int, size: int, blocks: _Blocks) -> Iterator[Finding]:
        if size < 2 * ENTRY.size or size % ENTRY.size:
            text = f"{self._title(number)} has {size} bytes, not a multiple of 64 from 128 on"
            yield found(Code.DIRECTORY_SIZE, f"{text}.", number)
        wanted = -(-size // BLOCK_SIZE)
        there = [index for index, _ in blocks if index < wanted]
        if len(there) < wanted:
            first = next((at for at, index in enumerate(there) if at != index), len(there))
            text = f"{self._title(number)} lacks {wanted - len(there)} of its {wanted} blocks"
            yield found(Code.DIRECTORY_HOLE, f"{text}, block {first} first.", number)

    def _dot(self, number: int, entry: Entry) -> Iterator[Finding]:
        if 0 < entry.inode < len(self._names):
            self._names[entry.inode] += 1
        parent = self._places[number][0]
        for slot, code, name, inode in (
            (DOT, Code.DOT, b".", number),
            (DOT_DOT, Code.DOT_DOT, b"..", parent),
        ):
            if entry.slot == slot and (entry.name != name or entry.inode != inode):
                text = f"entry {slot} of {self._title(number)} names inode {entry.inode} as"
                said = f"{text} '{shown(entry.name)}', not {inode} as '{shown(name)}'."
                yield found(code, said, number, entry.block)
        if is_unclean(entry):
            text = f"entry {entry.slot} of {self._title(number)} has something after its name"
            yield found(Code.NAME_PADDING, f"{text}.", number, entry.block)

    def _name(self, number: int, entry: Entry, seen: set[bytes]) -> Iterator[Finding]:
        wrong = bad_name(entry)
        if wrong is not None:
            code, what = wrong
            text = f"name '{shown(entry.name)}' in {self._title(number)} {what}"
            yield found(code, f"{text}.", number, entry.block)
        if entry.name in seen:
            text = f"the name '{shown(entry.name)}' is in {self._title(number)} more than once"
            yield found(Code.DUPLICATE_NAME, f"{text}.", number, entry.block)
        seen.add(entry.name)

    def _target(self, number: int, entry: Entry, below: list[int]) -> Iterator[Finding]:
        """Check what an entry names; a directory is only noted."""
        target, place = entry.inode, (number, entry.name)
        if target >= len(self._names):
            text = f"{self._path(place)} names inode {target}, which there is not"
            yield found(Code.ENTRY_INODE, f"{text}.", number, entry.block)
            return
        self._names[target] += 1
        if target in self._places:
            text = f"{self._title(target)} has a second name, {self._path(place)}"
            yield found(Code.DIRECTORY_LINKED, f"{text}.", target, entry.block)
        elif Record.unpack(self._table, target).kind == S_IFDIR:
            self._places[target] = place
            below.append(target)
        elif self._names[target] == 1:
            yield from self._inode(target, place)

    # One inode.

    def _inode(self, number: int, place: _Place) -> Generator[Finding, None, _Blocks]:
        """Check an inode that is met for the first time; where it lies, if that is of interest."""
        record = Record.unpack(self._table, number)
        if number not in self._inodes:
            text = f"{self._title(number, place)} is in use, but marked free"
            yield found(Code.INODE_FREE, f"{text}.", number)
        if record.kind not in KINDS:
            text = f"{self._title(number, place)} has the mode {record.mode:#o}"
            yield found(Code.MODE, f"{text}, which no file has.", number)
        if record.size > MAX_SIZE:
            text = f"{self._title(number, place)} has {record.size} bytes, more than a file can"
            yield found(Code.SIZE, f"{text}.", number)
        if record.kind not in WITH_ZONES:
            yield from self._special(number, record, place)
            return []
        blocks = yield from self._claims(number, record, place)
        if record.kind == S_IFLNK:
            yield from self._link_target(number, record, place, blocks)
        return blocks

    def _special(self, number: int, record: Record, place: _Place) -> Iterator[Finding]:
        device, *rest = record.zones
        numbered = record.kind in DEVICES and device < _DEVICE_END
        if record.size or any(rest) or (device and not numbered):
            text = f"{self._title(number, place)} has a size or zones that its kind has not"
            yield found(Code.SPECIAL, f"{text}.", number)

    def _link_target(
        self, number: int, record: Record, place: _Place, blocks: _Blocks
    ) -> Iterator[Finding]:
        title = self._title(number, place)
        if not 0 < record.size < PATH_MAX:
            text = f"{title} is a symbolic link of {record.size} bytes"
            yield found(Code.LINK_TARGET, f"{text}.", number)
            return
        parts = dict(blocks)
        wanted = range(-(-record.size // BLOCK_SIZE))
        content = b"".join(self._read(parts[i]) if i in parts else bytes(1) for i in wanted)
        if b"\0" in content[: record.size]:
            text = f"{title} is a symbolic link whose target has a zero in it"
            yield found(Code.LINK_TARGET, f"{text}.", number)

    def _claims(
        self, number: int, record: Record, place: _Place
    ) -> Generator[Finding, None, _Blocks]:
        """Claim the zones of an inode; one finding for each way in which some are wrong."""
        wrong: dict[Code, tuple[int, Pointer]] = {}
        keep = record.kind != S_IFREG
        blocks: _Blocks = []
        first, end = self._zones.first, self._zones.end

        def blame(code: Code, pointer: Pointer) -> int:
            count, example = wrong.get(code, (0, pointer))
            wrong[code] = count + 1, example
            return 0

        def accept(pointer: Pointer) -> int:
            zone = pointer.zone
            if not first <= zone < end:
                return blame(Code.ZONE_RANGE, pointer)
            if zone in self._claimed:
                return blame(Code.ZONE_SHARED, pointer)
            self._claimed.add(zone)
            if zone not in self._zones:
                blame(Code.ZONE_FREE, pointer)
            return zone

        for pointer in pointers(record.zones, self._read, accept):
            if keep and not pointer.level:
                blocks.append((pointer.at, pointer.zone))
        for code, (count, example) in wrong.items():
            yield self._blamed(code, count, example, self._title(number, place), number)
        return blocks

    def _blamed(self, code: Code, count: int, example: Pointer, title: str, number: int) -> Finding:
        what = {
            Code.ZONE_RANGE: "outside of the file system",
            Code.ZONE_SHARED: "that something else has as well",
            Code.ZONE_FREE: "marked free",
        }[code]
        zones = "a zone" if count == 1 else f"{count} zones"
        shown_first = f"{example.zone}" if count == 1 else f"{example.zone} first"
        text = f"{title} has {zones} {what}, {shown_first}."
        return found(code, text, number, example.holder or example.zone)

    # The tables.

    def _inode_counts(self) -> Iterator[Finding]:
        for number in range(1, len(self._names)):
            names = self._names[number]
            taken = number in self._inodes
            record = Record.unpack(self._table, number)
            if names or number == ROOT:
                yield from self._links(number, record.links, names)
            elif taken:
                text = f"inode {number} is marked used, but no directory names it"
                yield found(Code.INODE_LEAKED, f"{text}.", number)
            elif record.mode:
                text = f"inode {number} is free, but its mode {record.mode:#o} was not cleared"
                yield found(Code.STALE, f"{text}.", number)

    def _links(self, number: int, links: int, names: int) -> Iterator[Finding]:
        if links != names:
            text = f"inode {number} says that it has {links} links, but {names} entries name it"
            yield found(Code.LINKS, f"{text}.", number)
        if names > FSCK_LINKS:
            text = f"inode {number} has {names} links: fsck.minix can't count more than"
            yield found(Code.MANY_LINKS, f"{text} {FSCK_LINKS}.", number)

    def _zone_counts(self) -> Iterator[Finding]:
        for first, last in self._zones.without(self._claimed):
            zones = f"zone {first} is" if first == last else f"zones {first} to {last} are"
            text = f"{zones} marked used, but no file has"
            yield found(Code.ZONE_LEAKED, f"{text} {'it' if first == last else 'them'}.", 0, first)

    # Names for people.

    def _title(self, number: int, place: _Place | None = None) -> str:
        return f"inode {number} ({self._path(place or self._places[number])})"

    def _path(self, place: _Place) -> str:
        """The path of a file, or its last part if that is long."""
        directory, name = place
        parts = [shown(name)]
        while directory != ROOT and len(parts) < _SHOWN_DEPTH:
            directory, name = self._places[directory]
            parts.append(shown(name))
        start = "/" if directory == ROOT else ".../"
        return start + "/".join(reversed(parts))
