"""Nodes: the blocks that say where a file's blocks are, and the way to each of them.

An inode names zones 0 to 6 of its file itself, and three *nodes*: blocks of 256 zone numbers. The
first is a leaf, the second names leaves, the third names such as the second. A node is known by its
key (level, index), counted through the file:

    inode ─┬─ blocks 0..6
           ├─ leaf (1, 0)
           ├─ (2, 0) ── leaves (1, 1) .. (1, 256)
           └─ (3, 0) ── (2, 1) .. (2, 256) ── leaves (1, 257) ..

Where a zone's number would stand, 0 is a hole and PROMISED (never on the disk) is a block that is
only in memory yet: its zone is reserved, and given when the block is written (delayed allocation:
a file that is gone by then costs the disk nothing). Nodes are promised in the same way.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from servers.filesystem.batch import Phase
from servers.filesystem.bitmap import Bitmap
from servers.filesystem.cache import BlockCache
from servers.filesystem.inode import Inode
from servers.filesystem.layout import DIRECT, FANOUT, damaged
from servers.filesystem.memory import Memory

PROMISED: Final = 0xFFFF_FFFF
LEVELS: Final = (1, 2, 3)
HOLES: Final = array("I", [0]) * FANOUT
PROMISES: Final = array("I", [PROMISED]) * FANOUT
_FOREIGN: Final = sys.byteorder == "big"

Key = tuple[int, int]


class Tree:
    """The nodes of one inode that are in memory.

    Attributes:
        nodes: by key.
        changed: those that are to be written.
        homes: the zones from which nodes were read: a map that leads back to itself is damaged.
    """

    __slots__ = ("changed", "homes", "nodes")

    def __init__(self) -> None:
        self.nodes: dict[Key, array[int]] = {}
        self.changed: set[Key] = set()
        self.homes: set[int] = set()


class Nodes:
    """The nodes of all files.

    Args:
        cache: the blocks.
        zones: which zones are taken.
        memory: what is used is counted here.
    """

    def __init__(self, cache: BlockCache, zones: Bitmap, memory: Memory) -> None:
        self._cache = cache
        self._zones = zones
        self._memory = memory

    def stage(self, inode: Inode) -> None:
        """Give the changed nodes their zones, and stage them."""
        tree = inode.tree
        if tree is None or not tree.changed:
            return
        settled: set[Key] = set()
        while new := tree.changed - settled:  # a node that gets a zone changes the one above it
            for key in sorted(new):
                self._settle(inode, tree, key)
            settled |= new
        for key in sorted(settled):
            _, parent, slot = self._parent(inode, key)
            if parent is not None:
                self._put(parent[slot], packed(tree.nodes[key]))
        tree.changed.clear()

    def _put(self, zone: int, data: bytes) -> None:
        """Have a node written: whatever is in the way on the disk, if the disk calls it free."""
        if self._zones.shows(zone):
            self._cache.put(zone, 0, data, Phase.INODE)
        else:
            self._cache.put_fresh(zone, data)

    def put_content(self, zone: int, data: bytes) -> bool:
        """Have content written over by the next commit; False if it can't, or need not be."""
        if not self._zones.shows(zone) or not self._memory.afford(zone):
            return False
        self._cache.put_content(zone, data)
        return True

    def shown(self, zones: Iterable[int]) -> bool:
        """Whether the disk says of one of them that it is in use."""
        return any(map(self._zones.shows, zones))

    @property
    def room(self) -> int:
        """Zones that can be given away before the next commit."""
        return self._zones.room

    @property
    def moving(self) -> int:
        """Zones that are kept for what will move with the next commit."""
        return self._zones.moving

    @moving.setter
    def moving(self, count: int) -> None:
        self._zones.moving = count

    def forget(self, inode: Inode) -> None:
        """Let go of the nodes; none of them has changed."""
        if inode.tree is not None:
            self._memory.used -= len(inode.tree.nodes) * Memory.NODE
            inode.tree = None

    def _zones_at(self, inode: Inode, key: Key | None) -> array[int] | None:
        """The numbers that `key` stands for, None being the inode itself."""
        return inode.zones if key is None else self._node(inode, key)

    def _node(self, inode: Inode, key: Key) -> array[int] | None:
        tree = inode.tree
        if tree is None:
            tree = inode.tree = Tree()
        node = tree.nodes.get(key)
        if node is None:
            _, parent, slot = self._parent(inode, key)
            if parent is not None and parent[slot]:
                node = self._read(tree, key, parent[slot])
        return node

    def _parent(self, inode: Inode, key: Key) -> tuple[Key | None, array[int] | None, int]:
        """Where a node's own zone stands: the key, the numbers, the place among them."""
        level, index = key
        if level < 3 and index:
            up, slot = divmod(index - 1, FANOUT) if level == 1 else (0, index - 1)
            parent = (level + 1, up)
            return parent, self._node(inode, parent), slot
        return None, inode.zones, DIRECT + level - 1

    def _read(self, tree: Tree, key: Key, zone: int) -> array[int]:
        self._zones.check((zone,))
        if zone in tree.homes:
            raise damaged("a block map leads back to itself")
        node = unpacked(self._cache.read(zone))
        named = [number for number in node if number]
        self._zones.check(named)
        if key in tree.nodes:  # while the disk was waited for somebody else has read it
            return tree.nodes[key]
        tree.homes.add(zone)
        tree.nodes[key] = node
        self._memory.used += Memory.NODE
        return node

    def _make(self, inode: Inode, key: Key) -> None:
        above, parent, slot = self._parent(inode, key)
        if parent is None or inode.tree is None:
            raise damaged("a block map lost a node")
        parent[slot] = PROMISED
        inode.tree.nodes[key] = HOLES[:]
        self._memory.used += Memory.NODE
        self._change(inode, key)
        self._change(inode, above)

    def _note_missing(self, inode: Inode, key: Key, missing: set[Key]) -> None:
        """Add `key` and those above it that are not there."""
        above: Key | None = key
        while above is not None and above not in missing and self._node(inode, above) is None:
            missing.add(above)
            above = self._parent(inode, above)[0]

    def _change(self, inode: Inode, key: Key | None) -> None:
        if key is not None and inode.tree is not None:
            inode.tree.changed.add(key)
            self._memory.spend((inode.number, key))

    def _settle(self, inode: Inode, tree: Tree, key: Key) -> None:
        """Give a promised node its zone."""
        above, parent, slot = self._parent(inode, key)
        if parent is not None and parent[slot] == PROMISED:
            (zone,) = self._zones.take(1, nameless=not inode.links)
            parent[slot] = zone
            tree.homes.add(zone)
            self._change(inode, above)


def packed(node: array[int]) -> bytes:
    """A node as it is on the disk."""
    if _FOREIGN:
        node = node[:]
        node.byteswap()
    return node.tobytes()


def unpacked(block: bytes | bytearray) -> array[int]:
    """The node in a block."""
    node = array("I", bytes(block))
    if _FOREIGN:
        node.byteswap()
    return node


def runs(first: int, last: int) -> Iterator[tuple[Key | None, int, int]]:
    """File blocks as parts of the inode and of leaves: the key, the first place, how many."""
    if first < min(last, DIRECT):
        yield None, first, min(last, DIRECT) - first
        first = DIRECT
    while first < last:
        leaf, slot = divmod(first - DIRECT, FANOUT)
        count = min(FANOUT - slot, last - first)
        yield (1, leaf), slot, count
        first += count


def child_of(key: Key, slot: int) -> Key:
    """The key of the node that a node's number `slot` leads to."""
    level, index = key
    return (2, 1 + slot) if level == 3 else (1, 1 + FANOUT * index + slot)


def start_of(key: Key) -> int:
    """The first file block under a node."""
    level, index = key
    if level == 1:
        return DIRECT + FANOUT * index
    return start_of(child_of(key, 0))


def filled(part: array[int]) -> array[int]:
    """Zone numbers with promises for holes."""
    if part == HOLES[: len(part)]:
        return PROMISES[: len(part)]
    return array("I", [zone or PROMISED for zone in part])
