"""Zones: each gets one owner, and pointers that lead nowhere are cleared.

Two files may claim a zone, one of them wrongly, and nothing says which. So a block of content that
is claimed twice is copied, and both keep it; so is an indirect block, if it looks like one, and
what it leads to. Part of a directory stays where it was met first, if it looks like one.
"""

from stat import S_IFDIR

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.inodes import WITH_ZONES, Pointer, pointers
from servers.filesystem.layout import ENTRY, POINTERS
from servers.filesystem.repair.inodes import mend_size
from servers.filesystem.repair.patient import Patient


def settle(patient: Patient) -> None:
    """Give every zone that is claimed one owner."""
    contested = _contested(patient)
    owned = patient.used.blank()
    for number in _claimants(patient):
        _Owner(patient, number, contested, owned).settle()


def _claimants(patient: Patient) -> list[int]:
    """The inodes that have zones; those that the bitmap calls used come first."""
    alive = [
        number
        for number in patient.inodes()
        if number in patient.alive and patient.record(number).kind in WITH_ZONES
    ]
    return sorted(alive, key=lambda number: number not in patient.taken)


def _contested(patient: Patient) -> Bits:
    """The zones that are claimed more than once; those claimed at all become used."""
    contested = patient.used.blank()

    def accept(pointer: Pointer) -> int:
        if not patient.is_zone(pointer.zone):
            return 0
        if pointer.zone in patient.used:
            contested.add(pointer.zone)
            return 0
        patient.used.add(pointer.zone)
        return pointer.zone

    for number in _claimants(patient):
        for _ in pointers(patient.record(number).zones, patient.image.read, accept):
            pass
    return contested


class _Owner:
    """One inode that gets its zones."""

    def __init__(self, patient: Patient, number: int, contested: Bits, owned: Bits) -> None:
        self._patient = patient
        self._number = number
        self._is_directory = patient.record(number).kind == S_IFDIR
        self._contested = contested
        self._owned = owned
        self._maps: set[int] = set()
        self._cleared = 0
        self._copied = 0

    def settle(self) -> None:
        """Take what can be taken, copy what somebody else has, and clear the rest."""
        zones, last = self._patient.record(self._number).zones, -1
        for pointer in pointers(zones, self._patient.image.read, self._take):
            if not pointer.level:
                last = pointer.at
        if self._cleared:
            text = f"cleared {self._cleared} zones of inode {self._number}"
            self._patient.say(f"{text} that are not there, or not its own")
        if self._copied:
            text = f"copied {self._copied} zones of inode {self._number}"
            self._patient.say(f"{text} that another file has as well")
        mend_size(self._patient, self._number, last)

    def _take(self, pointer: Pointer) -> int:
        """Which zone this inode has instead of, mostly, the one that a pointer names."""
        zone = pointer.zone
        if not self._patient.is_zone(zone):
            return self._clear(pointer)
        if zone in self._contested:
            if not self._is_likely(pointer):
                return self._clear(pointer)
            if zone in self._owned:
                return self._copy(pointer)
        return self._own(pointer, zone)

    def _own(self, pointer: Pointer, zone: int) -> int:
        self._owned.add(zone)
        if pointer.level:
            self._maps.add(pointer.zone)
        return zone

    def _clear(self, pointer: Pointer) -> int:
        self._patient.point(self._number, pointer, 0)
        self._cleared += 1
        return 0

    def _copy(self, pointer: Pointer) -> int:
        if self._is_directory or pointer.zone in self._maps:
            return self._clear(pointer)
        zone = self._patient.allocate(self._patient.image.read(pointer.zone))
        if not zone:
            return self._clear(pointer)
        self._patient.point(self._number, pointer, zone)
        self._copied += 1
        return self._own(pointer, zone)

    def _is_likely(self, pointer: Pointer) -> bool:
        """Whether a zone that others claim too looks like what this inode takes it for."""
        block = self._patient.image.read(pointer.zone)
        if pointer.level:
            numbers = POINTERS.unpack(block)
            return all(not zone or self._patient.is_zone(zone) for zone in numbers)
        if not self._is_directory:
            return True
        if not pointer.at:
            return block.startswith(ENTRY.pack(self._number, b"."))
        last = self._patient.superblock.inodes
        return all(
            inode <= last and bool(name[0]) >= bool(inode)
            for inode, name in ENTRY.iter_unpack(block)
        )
