"""Directories, from the root down: each gets a size, its dots, and entries that make sense."""

from stat import S_IFDIR

from servers.filesystem.check.entries import DOT, DOT_DOT
from servers.filesystem.layout import BLOCK_SIZE, ENTRIES_PER_BLOCK, ENTRY, LINK_MAX, ROOT
from servers.filesystem.repair.patient import Hopeless, Patient

_FREE = bytes(ENTRY.size)


class Tree:
    """The directories that have a place.

    Args:
        patient: the image; its zones are settled.

    Attributes:
        placed: the directories that have a place.
    """

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self.placed = patient.taken.blank()

    def plant(self) -> None:
        """Place the root, and all that it leads to. Hopeless, if there is no room for a root."""
        if not self.admit(ROOT):
            raise Hopeless("there is no room for a root directory")
        self.grow(ROOT, ROOT)
        self._patient.counts[ROOT] -= 1  # no directory names it

    def admit(self, number: int) -> bool:
        """Whether an inode may get one more name; if so, it has got it."""
        patient = self._patient
        if number not in patient.alive or patient.counts[number] >= LINK_MAX:
            return False
        record = patient.record(number)
        if record.kind == S_IFDIR:
            if number in self.placed or not (record.zones[0] or patient.append_block(number, 0)):
                return False
            self.placed.add(number)
        patient.counts[number] += 1
        return True

    def grow(self, top: int, parent: int) -> None:
        """Clean a directory that was admitted, and all below it."""
        pending = [(top, parent)]
        while pending:
            number, parent = pending.pop()
            self._mend_size(number)
            below = _Directory(self._patient, self, number, parent).clean()
            pending += [(child, number) for child in reversed(below)]

    def _mend_size(self, number: int) -> None:
        """A whole number of entries and no holes: they are filled, or the directory ends there."""
        patient, old = self._patient, self._patient.record(number).size
        there = [pointer.at for pointer in patient.blocks(number) if not pointer.level]
        size = max(
            2 * ENTRY.size, min(old // ENTRY.size * ENTRY.size, BLOCK_SIZE * (there[-1] + 1))
        )
        expected = 0
        for at in there:
            while expected < min(at, -(-size // BLOCK_SIZE)):
                if not patient.append_block(number, expected):
                    size = expected * BLOCK_SIZE
                    break
                patient.say(f"filled a hole in the directory inode {number}")
                expected += 1
            expected += 1
        if size != old:
            patient.put(number, patient.record(number)._replace(size=size))
            patient.say(f"gave the directory inode {number} {size} bytes instead of {old}")


class _Directory:
    """One directory that is cleaned."""

    def __init__(self, patient: Patient, tree: Tree, number: int, parent: int) -> None:
        self._patient = patient
        self._tree = tree
        self._number = number
        self._dots = {DOT: ENTRY.pack(number, b"."), DOT_DOT: ENTRY.pack(parent, b"..")}
        self._names: set[bytes] = set()
        self._below: list[int] = []
        self._changed = 0
        patient.counts[number] += 1
        patient.counts[parent] += 1

    def clean(self) -> list[int]:
        """Make every entry right, or free it; the directories in this one."""
        patient = self._patient
        slots = patient.record(self._number).size // ENTRY.size
        for pointer in patient.blocks(self._number):
            first = pointer.at * ENTRIES_PER_BLOCK
            if not pointer.level and first < slots:
                old = patient.image.read(pointer.zone)
                new = self._cleaned(old, first, slots)
                if new != old:
                    patient.image.write(pointer.zone, new)
        if self._changed:
            text = f"corrected or removed {self._changed} entries of the directory inode"
            patient.say(f"{text} {self._number}")
        return self._below

    def _cleaned(self, block: bytes, first: int, slots: int) -> bytes:
        new = bytearray(block)
        for place in range(min(ENTRIES_PER_BLOCK, slots - first)):
            at = place * ENTRY.size
            old = block[at : at + ENTRY.size]
            entry = self._dots.get(first + place) or self._kept(old)
            if entry != old:
                new[at : at + ENTRY.size] = entry
                self._changed += 1
        return bytes(new)

    def _kept(self, old: bytes) -> bytes:
        """What is to stand in place of an entry."""
        inode, padded = ENTRY.unpack(old)
        name = padded.partition(b"\0")[0].replace(b"/", b"_")
        if not inode:
            return old
        if name in self._names or name in {b"", b".", b".."} or not self._admit(inode):
            return _FREE
        self._names.add(name)
        return ENTRY.pack(inode, name)

    def _admit(self, inode: int) -> bool:
        if inode > self._patient.superblock.inodes:
            return False
        is_directory = self._patient.record(inode).kind == S_IFDIR
        if is_directory and self._patient.counts[self._number] >= LINK_MAX:
            return False
        if not self._tree.admit(inode):
            return False
        if is_directory:
            self._below.append(inode)
        return True
