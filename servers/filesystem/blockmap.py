"""Block maps: in which zone each block of a file is.

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

from array import array
from collections.abc import Iterator
from typing import Final

from servers.filesystem.bitmap import Bitmap
from servers.filesystem.cache import BlockCache, Stage
from servers.filesystem.inode import Inode, Memory
from servers.filesystem.layout import BLOCK_SIZE, DIRECT, FANOUT, POINTERS, SECTOR, damaged

PROMISED: Final = 0xFFFF_FFFF
_LEVELS: Final = (1, 2, 3)
_HOLES: Final = array("I", [0]) * FANOUT
_PROMISES: Final = array("I", [PROMISED]) * FANOUT
_SECTORS: Final = BLOCK_SIZE // SECTOR

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


class _Cut:
    """What is to go when a file is cut: noted first, so that damage is found before any change."""

    def __init__(self) -> None:
        self.zones: list[int] = []
        self.promised = 0
        self.keys: list[Key] = []
        self.edits: list[tuple[Key | None, array[int], slice]] = []
        self._seen: set[int] = set()

    def add(self, key: Key | None, zones: array[int], part: slice) -> None:
        """Note a part of a node, or of the inode itself."""
        going = [zone for zone in zones[part] if zone]
        if going:
            self.edits.append((key, zones, part))
            given = [zone for zone in going if zone != PROMISED]
            self.promised += len(going) - len(given)
            self.zones += given
            self._seen.update(given)
            if len(self._seen) != len(self.zones):
                raise damaged("a file has one block in two places")


class BlockMap:
    """The maps of all files.

    Args:
        cache: the blocks.
        zones: which zones are taken.
        memory: what is used is counted here.
    """

    def __init__(self, cache: BlockCache, zones: Bitmap, memory: Memory) -> None:
        self._cache = cache
        self._zones = zones
        self._memory = memory

    def zones(self, inode: Inode, first: int, last: int) -> list[int]:
        """The zones of file blocks `first` to `last` - 1; 0 for a hole."""
        found: list[int] = []
        for key, slot, count in _runs(first, last):
            zones = self._zones_at(inode, key)
            found += _HOLES[:count] if zones is None else zones[slot : slot + count]
        return found

    def back(self, inode: Inode, first: int, last: int) -> None:
        """Promise a zone to each of the file blocks `first` to `last` - 1 that has none.

        ENOSPC, and nothing is changed, if there are too few.
        """
        if self._back_in_one_place(inode, first, last):
            return
        holes = 0
        missing: set[Key] = set()
        for key, slot, count in _runs(first, last):
            zones = self._zones_at(inode, key)
            if zones is not None:
                holes += zones[slot : slot + count].count(0)
            elif key is not None:
                holes += count
                self._note_missing(inode, key, missing)
        if holes:
            self._zones.reserve(holes + len(missing))
            self._fill(inode, first, last, missing)
            if inode.sectors >= 0:
                inode.sectors += (holes + len(missing)) * _SECTORS

    def _back_in_one_place(self, inode: Inode, first: int, last: int) -> bool:
        """`back` where all of it is in the inode, or in one leaf that is here: it mostly is."""
        key: Key | None = None
        zones = inode.zones
        slot = first
        if last > DIRECT:
            leaf, slot = divmod(first - DIRECT, FANOUT)
            key = (1, leaf)
            tree = inode.tree
            if tree is None or key not in tree.nodes or slot + last - first > FANOUT:
                return False
            zones = tree.nodes[key]
        end = slot + last - first
        part = zones[slot:end]
        holes = part.count(0)
        if holes:
            self._zones.reserve(holes)
            zones[slot:end] = _filled(part)
            self._change(inode, key)
            if inode.sectors >= 0:
                inode.sectors += holes * _SECTORS
        return True

    def assign(self, inode: Inode, first: int, last: int) -> list[int]:
        """The zones of these file blocks, all of which are backed; promises are kept now."""
        found: list[int] = []
        for key, slot, count in _runs(first, last):
            zones = self._zones_at(inode, key)
            if zones is None:
                raise damaged("a block in memory has no place on the disk")
            part = zones[slot : slot + count]
            promised = part.count(PROMISED)
            if promised:
                taken = iter(self._zones.take(promised, nameless=not inode.links))
                part = array("I", [next(taken) if at == PROMISED else at for at in part])
                zones[slot : slot + count] = part
                self._change(inode, key)
            found += part
        return found

    def cut(self, inode: Inode, keep: int) -> None:
        """Free every block from file block `keep` on, and the nodes that then hold nothing."""
        if not inode.sectors:
            return
        if not any(inode.zones[DIRECT:]):
            self._cut_direct(inode, keep)
            return
        cut = self._survey(inode, keep)
        for key, zones, part in cut.edits:
            zones[part] = _HOLES[: len(zones[part])]
            self._change(inode, key)
        tree = inode.tree
        if tree is not None:
            for key in cut.keys:
                del tree.nodes[key]
                tree.changed.discard(key)
            tree.homes.difference_update(cut.zones)
            self._memory.used -= len(cut.keys) * Memory.NODE
        self._give_back(inode, cut.zones, cut.promised)

    def _cut_direct(self, inode: Inode, keep: int) -> None:
        """`cut` where no node is: most files are small."""
        going = inode.zones[keep:DIRECT]
        inode.zones[keep:DIRECT] = _HOLES[: len(going)]
        given = [zone for zone in going if zone and zone != PROMISED]
        self._give_back(inode, given, going.count(PROMISED))

    def _give_back(self, inode: Inode, zones: list[int], promised: int) -> None:
        if zones:
            self._cache.forget(zones)
            self._zones.release(zones)
        self._zones.unreserve(promised)
        if inode.sectors >= 0:
            inode.sectors -= (len(zones) + promised) * _SECTORS

    def hide(self, inode: Inode) -> None:
        """Free all that the file has on the disk, though it is still open."""
        if inode.sectors:
            self._zones.hide(self._survey(inode, 0).zones)

    def count(self, inode: Inode) -> int:
        """The zones that the file has or was promised, in sectors."""
        if inode.sectors < 0:
            all_of_it = self._survey(inode, 0)
            inode.sectors = (len(all_of_it.zones) + all_of_it.promised) * _SECTORS
        return inode.sectors

    def seek(self, inode: Inode, block: int, end: int, *, backed: bool) -> int:
        """The first file block from `block` on that is backed, or is a hole; `end` if none."""
        while block < end:
            zones, room = self._stretch(inode, block)
            if zones is None and not backed:
                return block
            for at, zone in enumerate(zones or ()):
                if bool(zone) == backed:
                    return min(block + at, end)
            block += room
        return end

    def stage(self, inode: Inode) -> None:
        """Give the changed nodes their zones, and stage them."""
        tree = inode.tree
        if tree is None or not tree.changed:
            return
        for level in _LEVELS:
            for key in sorted(key for key in tree.changed if key[0] == level):
                self._settle(inode, tree, key)
        for key in sorted(tree.changed):
            _, parent, slot = self._parent(inode, key)
            if parent is not None:
                data = POINTERS.pack(*tree.nodes[key])
                self._cache.replace(parent[slot], data, Stage.INODE)
        tree.changed.clear()

    def forget(self, inode: Inode) -> None:
        """Let go of the nodes; none of them has changed."""
        if inode.tree is not None:
            self._memory.used -= len(inode.tree.nodes) * Memory.NODE
            inode.tree = None

    # Nodes: finding, reading, making.

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
        node = array("I", POINTERS.unpack(self._cache.read(zone)))
        named = [number for number in node if number]
        self._zones.check(named)
        tree.homes.add(zone)
        tree.nodes[key] = node
        self._memory.used += Memory.NODE
        return node

    def _note_missing(self, inode: Inode, key: Key, missing: set[Key]) -> None:
        """Add `key` and those above it that are not there."""
        above: Key | None = key
        while above is not None and above not in missing and self._node(inode, above) is None:
            missing.add(above)
            above = self._parent(inode, above)[0]

    def _fill(self, inode: Inode, first: int, last: int, missing: set[Key]) -> None:
        for key in sorted(missing, reverse=True):  # a parent before its children
            self._make(inode, key)
        for at, slot, count in _runs(first, last):
            zones = self._zones_at(inode, at)
            if zones is None:
                raise damaged("a block map lost a node")
            zones[slot : slot + count] = _filled(zones[slot : slot + count])
            self._change(inode, at)

    def _make(self, inode: Inode, key: Key) -> None:
        above, parent, slot = self._parent(inode, key)
        if parent is None or inode.tree is None:
            raise damaged("a block map lost a node")
        parent[slot] = PROMISED
        inode.tree.nodes[key] = _HOLES[:]
        self._memory.used += Memory.NODE
        self._change(inode, key)
        self._change(inode, above)

    def _change(self, inode: Inode, key: Key | None) -> None:
        if key is not None and inode.tree is not None:
            inode.tree.changed.add(key)

    def _settle(self, inode: Inode, tree: Tree, key: Key) -> None:
        """Give a promised node its zone."""
        above, parent, slot = self._parent(inode, key)
        if parent is not None and parent[slot] == PROMISED:
            (zone,) = self._zones.take(1, nameless=not inode.links)
            parent[slot] = zone
            tree.homes.add(zone)
            self._change(inode, above)

    # Walking over a whole map.

    def _survey(self, inode: Inode, keep: int) -> _Cut:
        """All that lies at or beyond file block `keep`. Damage is found here, before a change."""
        cut = _Cut()
        cut.add(None, inode.zones, slice(min(keep, DIRECT), DIRECT))
        for level in _LEVELS:
            slot = DIRECT + level - 1
            if inode.zones[slot] and self._prune(inode, (level, 0), keep, cut):
                cut.add(None, inode.zones, slice(slot, slot + 1))
        return cut

    def _prune(self, inode: Inode, key: Key, keep: int, cut: _Cut) -> bool:
        """Note what of a node goes; whether all of it does."""
        node = self._node(inode, key)
        if node is None:
            return True
        level, _ = key
        first = max(0, keep - _start(key)) // FANOUT ** (level - 1)
        if level == 1:
            cut.add(key, node, slice(first, FANOUT))
            empty = not any(node[:first])
        else:
            going = [
                slot
                for slot in range(first, FANOUT)
                if node[slot] and self._prune(inode, _child(key, slot), keep, cut)
            ]
            for slot in going:
                cut.add(key, node, slice(slot, slot + 1))
            empty = len(going) == FANOUT - node.count(0)
        if empty:
            cut.keys.append(key)
        return empty

    def _stretch(self, inode: Inode, block: int) -> tuple[array[int] | None, int]:
        """The zones from `block` to the end of its leaf; None and how far, where no leaf is."""
        key, slot, _ = next(_runs(block, block + 1))
        zones = self._zones_at(inode, key)
        if zones is not None:
            end = DIRECT if key is None else FANOUT
            return zones[slot:end], end - slot
        absent: Key = key or (1, 0)
        above = self._parent(inode, absent)[0]
        while above is not None and self._node(inode, above) is None:
            absent, above = above, self._parent(inode, above)[0]
        return None, _start(absent) + FANOUT ** absent[0] - block


def _runs(first: int, last: int) -> Iterator[tuple[Key | None, int, int]]:
    """File blocks as parts of the inode and of leaves: the key, the first place, how many."""
    if first < min(last, DIRECT):
        yield None, first, min(last, DIRECT) - first
        first = DIRECT
    while first < last:
        leaf, slot = divmod(first - DIRECT, FANOUT)
        count = min(FANOUT - slot, last - first)
        yield (1, leaf), slot, count
        first += count


def _filled(part: array[int]) -> array[int]:
    """Zone numbers with promises for holes."""
    if any(part):
        return array("I", [zone or PROMISED for zone in part])
    return _PROMISES[: len(part)]


def _child(key: Key, slot: int) -> Key:
    level, index = key
    return (2, 1 + slot) if level == 3 else (1, 1 + FANOUT * index + slot)


def _start(key: Key) -> int:
    """The first file block under a node."""
    level, index = key
    if level == 1:
        return DIRECT + FANOUT * index
    return _start(_child(key, 0))
