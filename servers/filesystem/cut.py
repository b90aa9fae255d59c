"""What is to go when a file is cut."""

from __future__ import annotations

from array import array

from servers.filesystem.layout import damaged
from servers.filesystem.nodes import HOLES, PROMISED, PROMISES, Key


class Cut:
    """What is to go when a file is cut: noted first, so that damage is found before any change."""

    def __init__(self) -> None:
        self.zones: list[int] = []
        self.promised = 0
        self.keys: list[Key] = []
        self.edits: list[tuple[Key | None, array[int], slice]] = []
        self._seen: set[int] = set()

    def add(self, key: Key | None, zones: array[int], part: slice) -> None:
        """Note a part of a node, or of the inode itself."""
        found = zones[part]
        count = len(found)
        if found == HOLES[:count]:
            return
        self.edits.append((key, zones, part))
        if found == PROMISES[:count]:  # an array compares and copies faster than it counts
            self.promised += count
            return
        given = [zone for zone in found if zone and zone != PROMISED]
        self.promised += count - len(given) - found.count(0)
        self.zones += given
        self._seen.update(given)
        if len(self._seen) != len(self.zones):
            raise damaged("a file has one block in two places")
