"""Whether the superblock agrees with itself and with the image."""

from collections.abc import Iterator
from stat import S_IFDIR
from typing import NamedTuple

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.finding import NOT_AN_IMAGE, Code, Finding, found
from servers.filesystem.check.image import Image
from servers.filesystem.check.inodes import Record
from servers.filesystem.layout import (
    BITS_PER_BLOCK,
    BLOCK_SIZE,
    CLEAN,
    ENTRY,
    MAGIC,
    MAX_SIZE,
    ROOT,
    Superblock,
)


class Survey(NamedTuple):
    """What there is to say about block 1.

    Attributes:
        superblock: as it stands there.
        findings: what is wrong.
        usable: whether the tables can be found by it.
    """

    superblock: Superblock
    findings: tuple[Finding, ...]
    usable: bool


def survey(image: Image) -> Survey:
    """Read the superblock and compare it with itself and with the image."""
    superblock = Superblock.unpack(image.read(1))
    foreign = tuple(_foreign(superblock))
    if foreign:
        return Survey(superblock, foreign, usable=False)
    wrong = tuple(contradictions(superblock, image.size // BLOCK_SIZE))
    details = tuple(_details(superblock, image.size))
    return Survey(superblock, wrong + details, usable=not wrong)


def is_an_image(image: Image) -> bool:
    """Whether there is a file system of ours, damaged perhaps.

    A superblock that says otherwise is not believed where the tables lie where they should.
    """
    surveyed = survey(image)
    codes = {finding.code for finding in surveyed.findings}
    return not codes & NOT_AN_IMAGE or has_tables(image, surveyed.superblock)


def has_tables(image: Image, superblock: Superblock) -> bool:
    """Whether a root directory, or both bitmaps, lie where this superblock says."""
    blocks = image.size // BLOCK_SIZE
    if any(contradictions(superblock, blocks)):
        return False
    return has_root(image, superblock) or not any(loose_edges(image, superblock))


def loose_edges(image: Image, superblock: Superblock) -> Iterator[Finding]:
    """Bits of the bitmaps that stand for nothing must be set."""
    first = superblock.first_data_zone
    for what, block, length, count in (
        ("inode", 2, superblock.imap_blocks, superblock.inodes),
        ("zone", superblock.zmap_start, superblock.zmap_blocks, superblock.zones - first),
    ):
        bits = Bits(bytearray(image.read(block, length)), ROOT, count)
        if Bits.empty(ROOT, count, len(bits.data)).minus(bits):
            text = f"bits of the {what} bitmap that stand for nothing are not set"
            yield found(Code.BITMAP_EDGE, f"{text}.", block=block)


def has_root(image: Image, superblock: Superblock) -> bool:
    """Whether a root directory lies where this superblock says."""
    record = Record.unpack(image.read(superblock.table_start), ROOT)
    if record.kind != S_IFDIR or not superblock.first_data_zone <= record.zones[0]:
        return False
    if record.zones[0] >= min(superblock.zones, image.size // BLOCK_SIZE):
        return False
    dots = ENTRY.pack(ROOT, b".") + ENTRY.pack(ROOT, b"..")
    return image.read(record.zones[0]).startswith(dots)


def _foreign(superblock: Superblock) -> Iterator[Finding]:
    if superblock.magic != MAGIC:
        text = f"the magic number is {superblock.magic:#06x}, not {MAGIC:#06x}"
        yield found(Code.MAGIC, f"{text}: this is no MINIX version 3 file system.", block=1)
    elif superblock.block_size != BLOCK_SIZE:
        text = f"blocks have {superblock.block_size} bytes, not {BLOCK_SIZE}"
        yield found(Code.DIALECT, f"{text}: this is another dialect of MINIX version 3.", block=1)
    elif superblock.log_zone_size or superblock.disk_version:
        text = f"zones have 2^{superblock.log_zone_size} blocks"
        version = f"the disk version is {superblock.disk_version}"
        yield found(Code.DIALECT, f"{text} and {version}, not 2^0 and 0.", block=1)


def contradictions(superblock: Superblock, blocks: int) -> Iterator[Finding]:
    """What leaves no way to the tables of an image of so many blocks."""
    inodes, first, zones = superblock.inodes, superblock.first_data_zone, superblock.zones
    tables = superblock.table_start + superblock.table_blocks
    if not inodes:
        yield _geometry("there are no inodes")
    if superblock.imap_blocks * BITS_PER_BLOCK <= inodes:
        yield _geometry(f"{superblock.imap_blocks} blocks of bitmap are too few for the inodes")
    if first != tables:
        yield _geometry(f"the first data zone is {first}, but the tables end at {tables}")
    if zones <= first:
        yield _geometry(f"the file system ends at {zones}, before its first data zone {first}")
    elif superblock.zmap_blocks * BITS_PER_BLOCK <= zones - first:
        yield _geometry(f"{superblock.zmap_blocks} blocks of bitmap are too few for the zones")
    if first > blocks:
        yield _geometry(f"the tables end at {first}, but the image after {blocks} blocks")


def _geometry(text: str) -> Finding:
    return found(Code.GEOMETRY, f"{text}.", block=1)


def _details(superblock: Superblock, size: int) -> Iterator[Finding]:
    """What is wrong without being in the way."""
    blocks, rest = divmod(size, BLOCK_SIZE)
    if superblock.zones > blocks:
        text = f"the file system has {superblock.zones} blocks, but the image ends after {blocks}"
        yield found(Code.TRUNCATED, f"{text}.", block=blocks)
    if rest:
        yield found(Code.PARTIAL_BLOCK, f"the image ends {rest} bytes into a block.", block=blocks)
    if superblock.max_size != MAX_SIZE:
        text = f"the largest size of a file is {superblock.max_size} bytes, not {MAX_SIZE}"
        yield found(Code.MAX_SIZE, f"{text}.", block=1)
    if superblock.pad0 or superblock.pad2 or superblock.flags & ~CLEAN:
        yield found(Code.RESERVED, "reserved fields of the superblock are not zero.", block=1)
