"""Records of a directory, and what is wrong with them."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from servers.filesystem.check.finding import Code
from servers.filesystem.check.inodes import Read
from servers.filesystem.layout import ENTRIES_PER_BLOCK, ENTRY

DOT: Final = 0
DOT_DOT: Final = 1


class Entry(NamedTuple):
    """One slot of a directory, free if `inode` is 0.

    Attributes:
        slot: its place in the directory.
        inode: the inode that it names.
        padded: the name's 60 bytes.
        block: where it lies.
    """

    slot: int
    inode: int
    padded: bytes
    block: int

    @property
    def name(self) -> bytes:
        """The name, up to the first zero."""
        return self.padded.partition(b"\0")[0]


def entries(blocks: Iterable[tuple[int, int]], slots: int, read: Read) -> Iterator[Entry]:
    """The slots of a directory, free ones included.

    Args:
        blocks: where it lies: block of the directory and zone, in order.
        slots: how many it has.
        read: reads a zone.
    """
    for index, zone in blocks:
        first = index * ENTRIES_PER_BLOCK
        for slot, (inode, padded) in enumerate(ENTRY.iter_unpack(read(zone)), first):
            if slot >= slots:
                return
            yield Entry(slot, inode, padded, zone)


def bad_name(entry: Entry) -> tuple[Code, str] | None:
    """What is wrong with the name of a used entry that is neither the first nor the second."""
    name = entry.name
    if not name:
        return Code.NAME, "is empty"
    if name in {b".", b".."}:
        return Code.NAME, "belongs into another slot"
    if b"/" in name:
        return Code.NAME, "has a slash in it"
    if is_unclean(entry):
        return Code.NAME_PADDING, "is followed by something after its end"
    return None


def is_unclean(entry: Entry) -> bool:
    """Whether there is anything but zeros after the end of the name."""
    return bool(entry.padded[len(entry.name) :].strip(b"\0"))
