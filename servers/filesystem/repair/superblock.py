"""The superblock: what of it can be worked out from the rest, and from where the root lies."""

from collections.abc import Iterator
from contextlib import suppress

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.image import Image
from servers.filesystem.check.inodes import Record
from servers.filesystem.check.superblock import (
    contradictions,
    has_root,
    has_tables,
    loose_edges,
    survey,
)
from servers.filesystem.layout import (
    BITS_PER_BLOCK,
    BLOCK_SIZE,
    CLEAN,
    INODES_PER_BLOCK,
    MAGIC,
    MAX_SIZE,
    ROOT,
    Superblock,
)
from servers.filesystem.logformat import last_header
from servers.filesystem.mkfs import plan
from servers.filesystem.repair.patient import Hopeless

_MOST_TABLE_BLOCKS = 0xFFFF


def restore(image: Image) -> tuple[Superblock, list[str]]:
    """Make block 1 and the size of the image right; what block 1 says then, and what was done.

    Raises:
        Hopeless: nothing says where the tables are.
    """
    done: list[str] = []
    old = Superblock.unpack(image.read(1))
    new = _with_constants(_found(image, old))
    blocks, rest = divmod(image.size, BLOCK_SIZE)
    if rest:
        image.write(blocks, image.read(blocks))
        blocks += 1
        done.append("filled the last block of the image up with zeros")
    if new.zones > 2 * max(blocks, new.first_data_zone) or _ends_at(image, new, blocks):
        new = new._replace(zones=max(blocks, new.first_data_zone + 1))
    elif new.zones > blocks:
        image.write(new.zones - 1, bytes(BLOCK_SIZE))
        done.append(f"restored the {new.zones - blocks} blocks that the image lacked, as zeros")
    if new != old:
        image.write(1, new.pack()[:32] + image.read(1)[32:])
        done.append(f"corrected the superblock's {', '.join(_differences(old, new))}")
    return new, done


def _with_constants(superblock: Superblock) -> Superblock:
    """The superblock with every field that has only one right value."""
    return superblock._replace(
        pad0=0,
        log_zone_size=0,
        flags=superblock.flags & CLEAN,
        max_size=MAX_SIZE,
        magic=MAGIC,
        pad2=0,
        block_size=BLOCK_SIZE,
        disk_version=0,
    )


def _found(image: Image, old: Superblock) -> Superblock:
    """A superblock that agrees with itself, and with what lies where it says.

    Several may: what speaks for one is a root directory, that this has the first zone, as after
    `mkfs`, and bitmaps whose edges are right. Two of these are asked for.
    """
    usable = survey(image).usable
    if (usable and not any(loose_edges(image, old))) or _is_only_cut_off(image, old):
        return old
    fixed, blocks, flags = _with_constants(old), image.size // BLOCK_SIZE, 0
    header = last_header(image.read, blocks)
    if header is not None:  # there was a log behind it
        blocks, flags = header.start, CLEAN
    candidates = [fixed, *_with_one_change(fixed, blocks), *_made_anew(image, blocks, flags)]
    best = max(candidates, key=lambda candidate: _likelihood(image, candidate))
    if _likelihood(image, best) >= 2:
        return best
    if usable or has_tables(image, fixed):
        return fixed
    raise Hopeless("the superblock is damaged, and nothing says for sure what stood there")


def _ends_at(image: Image, layout: Superblock, blocks: int) -> bool:
    """Whether the zone bitmap has all zones behind the end of the image used, like its edge."""
    data = bytearray(image.read(layout.zmap_start, layout.zmap_blocks))
    count = max(0, blocks - layout.first_data_zone)
    edge = Bits.empty(ROOT, count, len(data))
    return count > 0 and layout.zones > blocks and not edge.minus(Bits(data, ROOT, count))


def _is_only_cut_off(image: Image, old: Superblock) -> bool:
    """Whether the image ends among the tables of a superblock that is right otherwise."""
    blocks = image.size // BLOCK_SIZE
    right = old == _with_constants(old) and not any(contradictions(old, old.zones))
    return right and blocks < old.first_data_zone


def _likelihood(image: Image, candidate: Superblock) -> int:
    """How much speaks for a superblock; 0 if it contradicts itself."""
    if not has_tables(image, candidate):
        return 0
    return (
        has_root(image, candidate)
        + _has_root_first(image, candidate)
        + (not any(loose_edges(image, candidate)))
    )


def _has_root_first(image: Image, candidate: Superblock) -> bool:
    record = Record.unpack(image.read(candidate.table_start), ROOT)
    return record.zones[0] == candidate.first_data_zone


def _with_one_change(old: Superblock, blocks: int) -> Iterator[Superblock]:
    """What stood there if one field is wrong."""
    maps = old.imap_blocks + old.zmap_blocks
    zmap_blocks = old.first_data_zone - old.table_blocks - 2 - old.imap_blocks
    yield old._replace(inodes=max(0, old.first_data_zone - 2 - maps) * INODES_PER_BLOCK)
    yield old._replace(imap_blocks=_clamped(-(-(old.inodes + 1) // BITS_PER_BLOCK)))
    yield old._replace(zmap_blocks=_clamped(zmap_blocks))
    yield old._replace(first_data_zone=_clamped(old.table_start + old.table_blocks))
    yield old._replace(zones=blocks)


def _made_anew(image: Image, blocks: int, flags: int) -> Iterator[Superblock]:
    """What stood there if nothing can be believed: the number of inodes decides all."""
    for table_blocks in range(1, min(blocks, _MOST_TABLE_BLOCKS)):
        with suppress(OSError):  # no room for so many
            candidate = plan(blocks, table_blocks * INODES_PER_BLOCK)
            if _has_root_first(image, candidate) and has_root(image, candidate):
                yield candidate._replace(flags=flags)


def _clamped(number: int) -> int:
    return min(max(number, 0), 0xFFFF)


def _differences(old: Superblock, new: Superblock) -> list[str]:
    names = zip(Superblock._fields, old, new, strict=True)
    return [name for name, before, after in names if before != after]
