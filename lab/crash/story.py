"""What one script wrote, for people."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from lab.crash.recorder import Done, Event, Flush, Write
from servers.disk import Extent
from servers.filesystem.batch import extents
from servers.filesystem.layout import BLOCK_SIZE, Superblock


def story(image: bytes, names: Sequence[str], events: Sequence[Event]) -> Iterator[str]:
    """One line for each operation, before it what it wrote."""
    superblock = Superblock.unpack(image[BLOCK_SIZE : 2 * BLOCK_SIZE])
    writes: list[int] = []
    for event in events:
        if isinstance(event, Write):
            writes.append(event.block)
            continue
        yield from _written(superblock, writes)
        writes.clear()
        if isinstance(event, Flush):
            yield "      flush"
        elif isinstance(event, Done):
            lasts = "   all before this lasts" if event.lasting else ""
            yield f"{event.number:4}  {names[event.number - 1]}{lasts}"


def _written(superblock: Superblock, blocks: Sequence[int]) -> Iterator[str]:
    for place, group in groupby(blocks, lambda block: _place(superblock, block)):
        yield f"      write {', '.join(map(_shown, extents(group)))}: {place}"


def _shown(run: Extent) -> str:
    return f"{run.block}" if run.length == 1 else f"{run.block}-{run.block + run.length - 1}"


def _place(superblock: Superblock, block: int) -> str:
    """What is in a block."""
    ends = [
        (2, "superblock"),
        (superblock.zmap_start, "inode bitmap"),
        (superblock.table_start, "zone bitmap"),
        (superblock.first_data_zone, "inode table"),
        (superblock.zones, "zones: contents, directories, block maps"),
    ]
    return next((name for end, name in ends if block < end), "the log")
