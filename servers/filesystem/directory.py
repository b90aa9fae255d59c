"""Directories: names and the inodes that they name.

A directory is read once, then it is a dictionary; changed entries are written into its blocks when
it is staged. Entries keep their slots, and the first free slot is used again, as Linux does; a
directory never becomes smaller.
"""

import errno
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from stat import S_IFDIR
from typing import Final

from servers.filesystem.batch import Phase
from servers.filesystem.blockmap import BlockMap
from servers.filesystem.cache import BlockCache
from servers.filesystem.inode import Inode
from servers.filesystem.layout import (
    BLOCK_SIZE,
    ENTRIES_PER_BLOCK,
    ENTRY,
    LINK_MAX,
    MAX_SIZE,
    NAME_MAX,
    ROOT,
    damaged,
)
from servers.filesystem.memory import Memory
from servers.filesystem.nodes import PROMISED
from twinos import fail

_DOT: Final = 0
_DOT_DOT: Final = 1


def decode_name(name: bytes) -> str:
    """A name as `os` shows it (PEP 383)."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """A name as it is on the disk. EILSEQ for what `decode_name` never gives."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise fail(errno.EILSEQ) from None


class Names:
    """What a directory holds, `.` and `..` apart.

    Attributes:
        inodes: the inode of each name.
        slots: the slot of each name.
        parent: the inode of `..`.
        free: free slots, a heap.
        changed: what is to be written into slots: a name, or None for a free one.
        order: the names in the order of their slots, while somebody has asked and none has changed.
        listed: the names in the order in which they came; likewise.
    """

    __slots__ = ("changed", "free", "inodes", "listed", "order", "parent", "slots")

    def __init__(self, parent: int) -> None:
        self.inodes: dict[str, int] = {}
        self.slots: dict[str, int] = {}
        self.parent = parent
        self.free: list[int] = []
        self.changed: dict[int, str | None] = {}
        self.order: list[str] | None = None
        self.listed: tuple[str, ...] | None = None


class Directories:
    """The directories of a file system.

    Links are not counted here, and inodes not marked: who changes a directory has to.

    Args:
        cache: the blocks.
        maps: where directories lie.
        memory: what is used is counted here.
    """

    def __init__(self, cache: BlockCache, maps: BlockMap, memory: Memory) -> None:
        self._cache = cache
        self._maps = maps
        self._memory = memory

    def names(self, directory: Inode) -> Names:
        """What the directory holds. EUCLEAN if it is damaged."""
        return directory.names or self._read(directory)

    def order(self, directory: Inode) -> list[str]:
        """The names in the order of their slots, which they keep."""
        names = self.names(directory)
        if names.order is None:
            names.order = sorted(names.slots, key=names.slots.__getitem__)
        return names.order

    def start(self, directory: Inode, parent: Inode) -> None:
        """Give a new directory its `.` and `..`. ENOSPC without a trace, EMLINK."""
        if parent.links >= LINK_MAX:
            raise fail(errno.EMLINK)
        self._maps.back(directory, 0, 1)
        names = directory.names = Names(parent.number)
        names.changed = {_DOT: ".", _DOT_DOT: ".."}
        self._expect(directory, _DOT)
        directory.size = 2 * ENTRY.size
        directory.links = 2

    def add(self, directory: Inode, name: str, inode: Inode) -> None:
        """Enter a name that is not there yet. ENOSPC without a trace."""
        names = directory.names or self._read(directory)
        slot = heappop(names.free) if names.free else self._grow(directory)
        names.inodes[name] = inode.number
        names.slots[name] = slot
        names.changed[slot] = name
        names.order = names.listed = None
        self._memory.used += Memory.NAME
        self._expect(directory, slot)

    def remove(self, directory: Inode, name: str) -> None:
        """Take out a name that is there."""
        names = self.names(directory)
        del names.inodes[name]
        slot = names.slots.pop(name)
        heappush(names.free, slot)
        names.changed[slot] = None
        names.order = names.listed = None
        self._memory.used -= Memory.NAME
        self._expect(directory, slot)

    def replace(self, directory: Inode, name: str, inode: Inode) -> None:
        """Have a name that is there mean another inode."""
        names = self.names(directory)
        names.inodes[name] = inode.number
        slot = names.slots[name]
        names.changed[slot] = name
        self._expect(directory, slot)

    def change_name(self, directory: Inode, old: str, new: str) -> None:
        """Put a name that is not there yet in the place of one that is."""
        names = self.names(directory)
        names.inodes[new] = names.inodes.pop(old)
        slot = names.slots[new] = names.slots.pop(old)
        names.changed[slot] = new
        names.order = names.listed = None
        self._expect(directory, slot)

    def change_parent(self, directory: Inode, parent: Inode) -> None:
        """Have `..` mean another directory."""
        names = self.names(directory)
        names.parent = parent.number
        names.changed[_DOT_DOT] = ".."
        self._expect(directory, _DOT)

    def stage(self, directory: Inode) -> None:
        """Put changed entries into the next commit."""
        names = directory.names
        if names is None or not names.changed:
            return
        new = _DOT in names.changed
        dots = {".": directory.number, "..": names.parent}
        for slot, name in sorted(names.changed.items()):
            record, phase = bytes(ENTRY.size), Phase.REMOVE
            if name is not None:
                inode = dots[name] if slot <= _DOT_DOT else names.inodes[name]
                record, phase = ENTRY.pack(inode, encode_name(name)), Phase.ENTER
            block, place = divmod(slot, ENTRIES_PER_BLOCK)
            self._cache.put(
                self._zone(directory, block, new=new), place * ENTRY.size, record, phase
            )
        names.changed.clear()

    def forget(self, directory: Inode) -> None:
        """Let go of the names; none of them has changed."""
        if directory.names is not None:
            self._memory.used -= len(directory.names.inodes) * Memory.NAME
            directory.names = None

    def _zone(self, directory: Inode, block: int, *, new: bool) -> int:
        """Where a block of the directory is.

        One that a new directory gets is seen by nobody before all of that is there; but a block of
        an older one may be seen before the inodes that are named in it.
        """
        (zone,) = self._maps.zones(directory, block, block + 1)
        if zone == PROMISED:
            (zone,) = self._maps.assign(directory, [(block, block + 1)])
            if new or not directory.links:
                self._cache.put_fresh(zone, bytes(BLOCK_SIZE))
            else:
                self._cache.put_empty(zone)
        elif not directory.links:  # the disk calls it free
            self._cache.put_fresh(zone, self._cache.read(zone))
        return zone

    def _expect(self, directory: Inode, slot: int) -> None:
        """A slot changes: its block may be in the next commit."""
        block = directory.number, slot // ENTRIES_PER_BLOCK
        if block not in self._memory.spent:
            self._memory.spend(block)

    def _grow(self, directory: Inode) -> int:
        """A new slot at the end."""
        slot = directory.size // ENTRY.size
        if directory.size + ENTRY.size > MAX_SIZE:
            raise fail(errno.ENOSPC)
        block = slot // ENTRIES_PER_BLOCK
        self._maps.back(directory, block, block + 1)
        directory.size += ENTRY.size
        return slot

    def _read(self, directory: Inode) -> Names:
        if directory.kind != S_IFDIR:
            raise fail(errno.ENOTDIR)
        blocks = -(-directory.size // BLOCK_SIZE)
        zones = self._maps.zones(directory, 0, blocks)
        if not all(zones) or len(set(zones)) != len(zones):
            raise damaged(f"directory {directory.number} has holes or loops")
        data = b"".join(self._cache.read_many(zones))[: directory.size]
        names = _parse(directory.number, ENTRY.iter_unpack(data))
        directory.names = names
        self._memory.used += len(names.inodes) * Memory.NAME
        return names


def _parse(number: int, entries: Iterator[tuple[int, bytes]]) -> Names:
    """The names in a directory's bytes; EUCLEAN for what no file system writes."""
    dot, dot_dot = next(entries), next(entries)
    if (dot[0], _unpadded(dot[1])) != (number, b".") or _unpadded(dot_dot[1]) != b"..":
        raise damaged(f"directory {number} does not begin with . and ..")
    names = Names(dot_dot[0])
    for slot, (inode, padded) in enumerate(entries, 2):
        if not inode:
            names.free.append(slot)
            continue
        name = decode_name(_unpadded(padded))
        if name in names.inodes or "/" in name or name in {"", ".", ".."} or inode == ROOT:
            raise damaged(f"directory {number} has the name {name!r} of inode {inode} in it")
        names.inodes[name] = inode
        names.slots[name] = slot
    heapify(names.free)
    return names


def _unpadded(name: bytes) -> bytes:
    return name.partition(b"\0")[0]


def check_name(name: str, path: str) -> None:
    """ENAMETOOLONG, for `path`, if no directory can hold a name of it."""
    if len(name) > NAME_MAX or (not name.isascii() and len(encode_name(name)) > NAME_MAX):
        raise fail(errno.ENAMETOOLONG, path)
