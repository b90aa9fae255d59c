"""The log on the disk: where it is, what it holds, and whether that is still to be done.

The log lies behind the file system, where no other tool looks:

    zones ..                 one transaction: its descriptor, its blocks, its commit record
    the last block           the header: where the log begins, and which transactions count

A *transaction* holds blocks of metadata as they are to be. Its descriptor says where they belong,
and has checksums of what is there before; so it can be seen later whether somebody else changed the
image in between. It counts if its commit record is right and its sequence number is not below the
header's: the log is emptied by raising the number there. The header fits one sector, so it is never
torn. What the commit record does not fill is free for replies to be remembered.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from servers.filesystem.batch import Bytes
from servers.filesystem.layout import BLOCK_SIZE, SECTOR, Superblock, damaged

Read = Callable[[int, int], bytes]
"""Reads some blocks: the first, and how many."""

_HEADER: Final = Struct("<8sIIIQ")
_DESCRIPTOR: Final = Struct("<8sQII")
_ENTRY: Final = Struct("<III")
_COMMIT: Final = Struct("<8sQI")
_CHECKSUM: Final = Struct("<I")
_HEADER_MAGIC: Final = b"TwinOSlg"
_DESCRIPTOR_MAGIC: Final = b"TwinOStx"
_COMMIT_MAGIC: Final = b"TwinOSok"
_VERSION: Final = 1
SMALLEST: Final = 40
"""Blocks of the smallest log."""
LARGEST: Final = 4096
"""Blocks of the largest log that is made unasked, the bitmaps apart."""
SPAN: Final = 24
"""Blocks of metadata that one operation changes at most, bitmaps apart; no write is longer."""

BESIDE: Final = 15
"""Blocks of metadata that one write over other content changes at most: the inode, eight nodes of
the map, the superblock; and what it adds to the last page before the end, of content too.
"""


class Header(NamedTuple):
    """The last block of an image that has a log.

    Attributes:
        start: the first block of the log.
        blocks: how many it has, the header included.
        sequence: the lowest number of a transaction that counts.
    """

    start: int
    blocks: int
    sequence: int

    @property
    def place(self) -> int:
        """The header's own block."""
        return self.start + self.blocks - 1

    @property
    def capacity(self) -> int:
        """Blocks that one transaction can have at most."""
        room = self.blocks - 2  # the header and the commit record
        most = room
        while most > 0 and most + descriptor_blocks(most) > room:
            most -= 1
        return most

    def pack(self) -> bytes:
        """Its block."""
        fields = _HEADER.pack(_HEADER_MAGIC, _VERSION, self.start, self.blocks, self.sequence)
        return (fields + _CHECKSUM.pack(crc32(fields))).ljust(BLOCK_SIZE, b"\0")


class Transaction(NamedTuple):
    """What the log holds.

    Attributes:
        sequence: its number.
        blocks: where the blocks belong.
        before: for each, the checksums of both its sectors as they were.
        contents: what is to be there.
    """

    sequence: int
    blocks: tuple[int, ...]
    before: tuple[tuple[int, int], ...]
    contents: tuple[bytes, ...]


class Standing(Enum):
    """How the file system stands to a transaction in its log."""

    DONE = "all of it is in its place"
    DUE = "some of it is still to be written to its place"
    STALE = "somebody else has changed the image since"


def descriptor_blocks(count: int) -> int:
    """Blocks of the descriptor of so many blocks."""
    return -(-(_DESCRIPTOR.size + count * _ENTRY.size) // BLOCK_SIZE)


def pack_transaction(
    header: Header, sequence: int, blocks: Mapping[int, Bytes], before: Mapping[int, Bytes]
) -> bytes:
    """All blocks of a transaction.

    Args:
        header: of the log; its size is repeated in the descriptor.
        sequence: the transaction's number.
        blocks: what is to be where; `capacity` at most.
        before: what is there now.
    """
    numbers = sorted(blocks)
    entries = [_ENTRY.pack(number, *_checksums(before[number])) for number in numbers]
    start = _DESCRIPTOR.pack(_DESCRIPTOR_MAGIC, sequence, len(numbers), header.blocks)
    descriptor = b"".join([start, *entries])
    descriptor = descriptor.ljust(descriptor_blocks(len(numbers)) * BLOCK_SIZE, b"\0")
    body = b"".join([descriptor, *[blocks[number] for number in numbers]])
    commit = _COMMIT.pack(_COMMIT_MAGIC, sequence, crc32(body))
    return body + (commit + _CHECKSUM.pack(crc32(commit))).ljust(BLOCK_SIZE, b"\0")


def last_header(read: Read, end: int) -> Header | None:
    """What the last of `end` blocks says, whatever the superblock says; None if it is no header."""
    try:
        header = _header_at(read, end - 1) if end else None
    except OSError:
        return None
    return header


def find_header(read: Read, superblock: Superblock, end: int) -> Header | None:
    """The log's header; None if there is no log.

    It is the last block, or, where the image was made longer since, as far behind the file system
    as the last transaction says.

    Args:
        read: the image.
        superblock: that of the file system, or what it claims to be.
        end: blocks of the image.

    Raises:
        OSError: EUCLEAN, it is damaged.
    """
    start = superblock.zones
    if end < start + SMALLEST:
        return None
    header = _header_at(read, end - 1)
    if header is None:
        magic, _, _, blocks = _DESCRIPTOR.unpack_from(read(start, 1))
        if magic == _DESCRIPTOR_MAGIC and SMALLEST <= blocks <= end - start:
            header = _header_at(read, start + blocks - 1)
    # Another file system may have been made over this one, and have left the end as it was.
    return header if header is not None and header.start == start else None


def _header_at(read: Read, place: int) -> Header | None:
    block = read(place, 1)
    magic, version, *fields = _HEADER.unpack_from(block)
    if magic != _HEADER_MAGIC:
        return None
    (checksum,) = _CHECKSUM.unpack_from(block, _HEADER.size)
    header = Header(*fields)
    if version != _VERSION or crc32(block[: _HEADER.size]) != checksum:
        raise damaged("the header of its log is not right")
    return header if header.place == place else None


def read_transaction(read: Read, header: Header) -> Transaction | None:
    """The transaction that counts; None if there is none."""
    first = read(header.start, 1)
    magic, sequence, count, _ = _DESCRIPTOR.unpack_from(first)
    if magic != _DESCRIPTOR_MAGIC or sequence < header.sequence or count > header.capacity:
        return None
    size = descriptor_blocks(count) + count
    body = read(header.start, size)
    commit = read(header.start + size, 1)
    if _COMMIT.unpack_from(commit) != (_COMMIT_MAGIC, sequence, crc32(body)):
        return None
    if _CHECKSUM.unpack_from(commit, _COMMIT.size) != (crc32(commit[: _COMMIT.size]),):
        return None
    entries = list(_entries(body, count))
    at = descriptor_blocks(count) * BLOCK_SIZE
    contents = (body[place : place + BLOCK_SIZE] for place in range(at, len(body), BLOCK_SIZE))
    blocks = tuple(block for block, *_ in entries)
    if not all(0 < block < header.start for block in blocks):
        return None
    return Transaction(sequence, blocks, tuple((a, b) for _, a, b in entries), tuple(contents))


def _entries(body: bytes, count: int) -> Iterator[tuple[int, int, int]]:
    for index in range(count):
        block, first, second = _ENTRY.unpack_from(body, _DESCRIPTOR.size + index * _ENTRY.size)
        yield block, first, second


def standing(read: Read, transaction: Transaction) -> Standing:
    """Whether the blocks are as before, as they are to be, or like neither.

    A sector that is neither was written by somebody who does not know of the log.
    """
    result = Standing.DONE
    for block, before, content in zip(*transaction[1:], strict=True):
        here = read(block, 1)
        if here == content:
            continue
        result = Standing.DUE
        for now, old, new in zip(_checksums(here), before, _checksums(content), strict=True):
            if now not in {old, new}:
                return Standing.STALE
    return result


def _checksums(block: Bytes) -> tuple[int, int]:
    view = memoryview(block)
    return crc32(view[:SECTOR]), crc32(view[SECTOR:])
