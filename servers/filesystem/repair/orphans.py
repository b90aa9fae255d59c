"""Orphans: files that are in use and have no name get one in /lost+found."""

from collections.abc import Iterator
from itertools import count
from stat import S_IFDIR

from servers.filesystem.check.entries import DOT_DOT, entries
from servers.filesystem.check.inodes import Record
from servers.filesystem.layout import BLOCK_SIZE, ENTRIES_PER_BLOCK, ENTRY, ROOT
from servers.filesystem.repair.patient import Patient
from servers.filesystem.repair.tree import Tree

_SHELF = b"lost+found"
_MOST_SHELVES = 100


def rescue(patient: Patient, tree: Tree) -> None:
    """Give every orphan a name. Directories come first: they name others."""
    attic = _Attic(patient, tree)
    lost = [number for number in _orphans(patient) if patient.record(number).kind == S_IFDIR]
    named = set(_named_by(patient, lost))
    for number in sorted(lost, key=lambda number: number in named):
        if number not in tree.placed:
            attic.take(number)
    for number in _orphans(patient):
        if patient.record(number).kind != S_IFDIR:
            attic.take(number)


def _orphans(patient: Patient) -> Iterator[int]:
    """Inodes that are in use, have links by their own account, and no name."""
    for number in patient.inodes():
        if (
            not patient.counts[number]
            and number in patient.alive
            and number in patient.taken
            and patient.record(number).links
        ):
            yield number


def _named_by(patient: Patient, directories: list[int]) -> Iterator[int]:
    """What these directories name, their dots apart."""
    for number in directories:
        slots = patient.record(number).size // ENTRY.size
        blocks = ((p.at, p.zone) for p in patient.blocks(number) if not p.level)
        for entry in entries(blocks, slots, patient.image.read):
            if entry.slot > DOT_DOT and entry.inode != number:
                yield entry.inode


class _Attic:
    """The directories in which orphans get their names, made when they are needed."""

    def __init__(self, patient: Patient, tree: Tree) -> None:
        self._patient = patient
        self._tree = tree
        self._root: _Open | None = None
        self._shelf: _Open | None = None
        self._names = (_SHELF if not n else _SHELF + b".%d" % n for n in range(_MOST_SHELVES))

    def take(self, number: int) -> None:
        """Give an inode a name; without room for that, it is given up."""
        shelf = self._shelf or self._next()
        while shelf is not None:
            if shelf.has_room() and self._tree.admit(number):
                name = shelf.enter(b"#%d" % number, number)
                self._patient.say(f"gave inode {number} the name /lost+found/{name.decode()}")
                if self._patient.record(number).kind == S_IFDIR:
                    self._tree.grow(number, shelf.number)
                return
            shelf = None if shelf.has_room() else self._next()
        self._patient.alive.discard(number)
        self._patient.say(f"gave up inode {number}: there is no room for a name")

    def _next(self) -> "_Open | None":
        """The next directory for orphans: one that is there, or a new one."""
        self._shelf = None
        root = self._root = self._root or _Open(self._patient, ROOT)
        for name in self._names:
            number = root.names.get(name) or self._make(root, name)
            if number and number in self._tree.placed:
                self._shelf = _Open(self._patient, number)
                break
            if not number:
                break
        return self._shelf

    def _make(self, root: "_Open", name: bytes) -> int:
        """A new directory in the root; 0 if there is no room."""
        patient = self._patient
        free = (number for number in patient.inodes() if number not in patient.alive)
        number = next(free, 0)
        if not number or not root.has_room():
            return 0
        dots = ENTRY.pack(number, b".") + ENTRY.pack(ROOT, b"..")
        zone = patient.allocate(dots.ljust(BLOCK_SIZE, b"\0"))
        if not zone:
            return 0
        times = patient.record(ROOT)[5:8]
        zones = (zone, *[0] * 9)
        patient.put(number, Record(S_IFDIR | 0o700, 2, 0, 0, 2 * ENTRY.size, *times, zones))
        patient.alive.add(number)
        self._tree.admit(number)
        root.enter(name, number)
        self._tree.grow(number, ROOT)
        return number


class _Open:
    """A clean directory that gets names.

    Args:
        patient: the image.
        number: the directory.

    Attributes:
        number: the directory.
        names: the inode of each name in it.
    """

    def __init__(self, patient: Patient, number: int) -> None:
        self._patient = patient
        self.number = number
        self.names: dict[bytes, int] = {}
        self._free: list[tuple[int, int]] = []
        slots = patient.record(number).size // ENTRY.size
        blocks = ((p.at, p.zone) for p in patient.blocks(number) if not p.level)
        for entry in entries(blocks, slots, patient.image.read):
            if entry.inode:
                self.names[entry.name] = entry.inode
            else:
                self._free.append((entry.block, entry.slot))
        self._free.reverse()

    def has_room(self) -> bool:
        """Whether one more name can be entered; if so, its slot is there now."""
        if self._free:
            return True
        patient = self._patient
        size = patient.record(self.number).size
        index, inside = divmod(size, BLOCK_SIZE)
        there = {p.at: p.zone for p in patient.blocks(self.number) if not p.level}
        zone = there.get(index) or patient.append_block(self.number, index)
        if not zone:
            return False
        block = patient.image.read(zone)
        patient.image.write(zone, block[:inside] + bytes(BLOCK_SIZE - inside))
        slots = range(size // ENTRY.size, (index + 1) * ENTRIES_PER_BLOCK)
        self._free = [(zone, slot) for slot in reversed(slots)]
        record = patient.record(self.number)
        patient.put(self.number, record._replace(size=(index + 1) * BLOCK_SIZE))
        return True

    def enter(self, wanted: bytes, inode: int) -> bytes:
        """Enter a name, with something after it if that is there already; the name."""
        names = (wanted if not n else b"%s.%d" % (wanted, n) for n in count())
        name = next(name for name in names if name not in self.names)
        zone, slot = self._free.pop()
        at = slot % ENTRIES_PER_BLOCK * ENTRY.size
        block = bytearray(self._patient.image.read(zone))
        block[at : at + ENTRY.size] = ENTRY.pack(inode, name)
        self._patient.image.write(zone, bytes(block))
        self.names[name] = inode
        return name
