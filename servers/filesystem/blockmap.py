"""Block maps: in which zone each block of a file is; giving it one, and taking it back.

See `nodes` for how a map lies on the disk.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Iterable
from typing import Final

from servers.filesystem.cut import Cut
from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE, DIRECT, FANOUT, SECTOR, damaged
from servers.filesystem.memory import Memory
from servers.filesystem.nodes import (
    HOLES,
    LEVELS,
    PROMISED,
    Key,
    Nodes,
    child_of,
    filled,
    runs,
    start_of,
)
from twinos import fail

_SECTORS: Final = BLOCK_SIZE // SECTOR


class BlockMap(Nodes):
    """The maps of all files."""

    def zones(self, inode: Inode, first: int, last: int) -> list[int]:
        """The zones of file blocks `first` to `last` - 1; 0 for a hole."""
        found: list[int] = []
        for key, slot, count in runs(first, last):
            zones = self._zones_at(inode, key)
            found += HOLES[:count] if zones is None else zones[slot : slot + count]
        return found

    def back(self, inode: Inode, first: int, last: int) -> None:
        """Promise a zone to each of the file blocks `first` to `last` - 1 that has none.

        They are to be written, which may change where they are. ENOSPC, and nothing is changed, if
        there are too few.
        """
        if self._back_in_one_place(inode, first, last):
            return
        holes, missing = self._wanted(inode, first, last)
        self.expect(inode, first, last)
        if holes:
            self._zones.reserve(holes + len(missing))
            self._fill(inode, first, last, missing)
            if inode.sectors >= 0:
                inode.sectors += (holes + len(missing)) * _SECTORS

    def expect(self, inode: Inode, first: int, last: int) -> None:
        """These file blocks may be written, which may change where they are."""
        for key, _, _ in runs(first, last):
            if key is not None:
                self._memory.spend((inode.number, key))

    def afford(self, inode: Inode, first: int, last: int) -> None:
        """ENOSPC unless `back` of these file blocks would find room."""
        holes, missing = self._wanted(inode, first, last)
        if holes + len(missing) > self._zones.free:
            raise fail(errno.ENOSPC)

    def _wanted(self, inode: Inode, first: int, last: int) -> tuple[int, set[Key]]:
        """How many of these file blocks have no zone, and which nodes are missing above them."""
        holes = 0
        missing: set[Key] = set()
        for key, slot, count in runs(first, last):
            zones = self._zones_at(inode, key)
            if zones is not None:
                holes += zones[slot : slot + count].count(0)
            elif key is not None:
                holes += count
                self._note_missing(inode, key, missing)
        return holes, missing

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
        holes = len(part) if part == HOLES[: len(part)] else part.count(0)
        if holes:
            self._zones.reserve(holes)
            zones[slot:end] = filled(part)
            self._change(inode, key)
            if inode.sectors >= 0:
                inode.sectors += holes * _SECTORS
        elif key is not None:
            self._memory.spend((inode.number, key))
        return True

    def assign(
        self, inode: Inode, spans: Iterable[tuple[int, int]], *, elsewhere: bool = False
    ) -> list[int]:
        """The zones of some file blocks, all of which are backed; promises are kept now.

        Args:
            inode: the file.
            spans: the blocks: the first one, and the one after the last.
            elsewhere: whether what is on the disk is to stay there until the next commit: the
                blocks get other zones, if there are enough.
        """
        places = [self._backed(inode, *run) for span in spans for run in runs(*span)]
        found = array("I")
        for _, zones, part in places:
            found += zones[part]
        if elsewhere and self._vacate(found):
            found = array("I", [PROMISED]) * len(found)
        promised = found.count(PROMISED)
        if promised:
            taken = iter(self._zones.take(promised, nameless=not inode.links))
            found = array("I", [next(taken) if at == PROMISED else at for at in found])
            at = 0
            for key, zones, part in places:
                end = at + part.stop - part.start
                zones[part] = found[at:end]
                self._change(inode, key)
                at = end
        return found.tolist()

    def _backed(
        self, inode: Inode, key: Key | None, slot: int, count: int
    ) -> tuple[Key | None, array[int], slice]:
        """A run of file blocks with the numbers that it is in."""
        zones = self._zones_at(inode, key)
        if zones is None:
            raise damaged("a block in memory has no place on the disk")
        return key, zones, slice(slot, slot + count)

    def cut(self, inode: Inode, keep: int) -> None:
        """Free every block from file block `keep` on, and the nodes that then hold nothing."""
        if not inode.sectors:
            return
        if not any(inode.zones[DIRECT:]):
            self._cut_direct(inode, keep)
            return
        cut = self._survey(inode, keep)
        self._give_back(inode, cut.zones, cut.promised)
        gone = set(cut.keys)
        for key, zones, part in cut.edits:
            zones[part] = HOLES[: len(zones[part])]
            if key not in gone:
                self._change(inode, key)
        tree = inode.tree
        if tree is not None:
            for key in cut.keys:
                del tree.nodes[key]
                tree.changed.discard(key)
            tree.homes.difference_update(cut.zones)
            self._memory.used -= len(cut.keys) * Memory.NODE

    def _cut_direct(self, inode: Inode, keep: int) -> None:
        """`cut` where no node is: most files are small."""
        going = inode.zones[keep:DIRECT]
        given = [zone for zone in going if zone and zone != PROMISED]
        self._give_back(inode, given, going.count(PROMISED))
        inode.zones[keep:DIRECT] = HOLES[: len(going)]

    def _vacate(self, part: array[int]) -> bool:
        """Give back zones that the disk shows to be in use, and reserve as many others.

        False, and nothing is changed, if there are no others, or something is wrong with these.
        """
        given = [zone for zone in part if zone != PROMISED]
        if not any(map(self._zones.shows, given)):
            return False
        try:
            self._zones.reserve(len(given))
        except OSError:
            return False
        try:
            self._zones.release(given)
        except OSError:
            self._zones.unreserve(len(given))
            return False
        self._cache.forget(given)
        return True

    def _give_back(self, inode: Inode, zones: list[int], promised: int) -> None:
        """Free zones. EUCLEAN, and nothing is changed, if one of them is free."""
        if zones:
            self._zones.release(zones)
            self._cache.forget(zones)
        self._zones.unreserve(promised)
        if inode.sectors >= 0:
            inode.sectors -= (len(zones) + promised) * _SECTORS

    def hide(self, inode: Inode) -> None:
        """Free all that the file has on the disk, though it is still open."""
        if inode.sectors:
            self._zones.hide(self.taken(inode))

    def taken(self, inode: Inode) -> list[int]:
        """The zones that the file has, those of its map included."""
        return self._survey(inode, 0).zones if inode.sectors else []

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

    def _fill(self, inode: Inode, first: int, last: int, missing: set[Key]) -> None:
        for key in sorted(missing, reverse=True):  # a parent before its children
            self._make(inode, key)
        for at, slot, count in runs(first, last):
            zones = self._zones_at(inode, at)
            if zones is None:
                raise damaged("a block map lost a node")
            zones[slot : slot + count] = filled(zones[slot : slot + count])
            self._change(inode, at)

    def _survey(self, inode: Inode, keep: int) -> Cut:
        """All that lies at or beyond file block `keep`. Damage is found here, before a change."""
        cut = Cut()
        cut.add(None, inode.zones, slice(min(keep, DIRECT), DIRECT))
        for level in LEVELS:
            slot = DIRECT + level - 1
            if inode.zones[slot] and self._prune(inode, (level, 0), keep, cut):
                cut.add(None, inode.zones, slice(slot, slot + 1))
        return cut

    def _prune(self, inode: Inode, key: Key, keep: int, cut: Cut) -> bool:
        """Note what of a node goes; whether all of it does."""
        node = self._node(inode, key)
        if node is None:
            return True
        level, _ = key
        first = max(0, keep - start_of(key)) // FANOUT ** (level - 1)
        if level == 1:
            cut.add(key, node, slice(first, FANOUT))
            empty = not any(node[:first])
        else:
            named = [slot for slot, zone in enumerate(node) if zone]
            going = [
                slot
                for slot in named
                if slot >= first and self._prune(inode, child_of(key, slot), keep, cut)
            ]
            for slot in going:
                cut.add(key, node, slice(slot, slot + 1))
            empty = len(going) == len(named)
        if empty:
            cut.keys.append(key)
        return empty

    def _stretch(self, inode: Inode, block: int) -> tuple[array[int] | None, int]:
        """The zones from `block` to the end of its leaf; None and how far, where no leaf is."""
        key, slot, _ = next(runs(block, block + 1))
        zones = self._zones_at(inode, key)
        if zones is not None:
            end = DIRECT if key is None else FANOUT
            return zones[slot:end], end - slot
        absent: Key = key or (1, 0)
        above = self._parent(inode, absent)[0]
        while above is not None and self._node(inode, above) is None:
            absent, above = above, self._parent(inode, above)[0]
        return None, start_of(absent) + FANOUT ** absent[0] - block
