"""Which inodes are kept, and a mode and a size for each that a file can have."""

from stat import S_IFDIR, S_IFLNK, S_IFREG, S_IMODE

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.entries import entries
from servers.filesystem.check.inodes import FREE, KINDS, WITH_ZONES, Pointer, Record, pointers
from servers.filesystem.layout import BLOCK_SIZE, ENTRY, MAX_SIZE, PATH_MAX, ROOT
from servers.filesystem.repair.patient import Patient


def choose(patient: Patient) -> None:
    """Decide which inodes are alive: those in use or named, with a mode that makes sense."""
    for number in patient.inodes():
        if number in patient.taken or number == ROOT:
            _mend_mode(patient, number)
    _mend_root(patient)
    named = _named(patient)
    for number in patient.inodes():
        if patient.record(number).kind in KINDS and (number in patient.taken or number in named):
            patient.alive.add(number)
            _mend_special(patient, number)


def mend_size(patient: Patient, number: int, last: int) -> None:
    """Give a file a size that it can have.

    Args:
        patient: the image.
        number: the inode, which is alive.
        last: the last block that the file has, or -1.
    """
    record = patient.record(number)
    if record.kind == S_IFLNK:
        _mend_target(patient, number, record)
    elif record.kind == S_IFREG and record.size > MAX_SIZE:
        size = record.size & MAX_SIZE
        if size <= last * BLOCK_SIZE:
            size = min((last + 1) * BLOCK_SIZE, MAX_SIZE)
        patient.put(number, record._replace(size=size))
        patient.say(f"gave inode {number} {size} bytes instead of {record.size}")


def _mend_special(patient: Patient, number: int) -> None:
    """What has no content has no size; one that is possible is harmless, and may tell something."""
    record = patient.record(number)
    if record.kind not in WITH_ZONES and record.size > MAX_SIZE:
        patient.put(number, record._replace(size=0))
        patient.say(f"gave the special file inode {number} no size instead of {record.size} bytes")


def _mend_mode(patient: Patient, number: int) -> None:
    """A mode that no file has becomes that of a directory if it looks like one, or of a file."""
    record = patient.record(number)
    if record.kind in KINDS or not (record.size or any(record.zones)):
        return
    kind = S_IFDIR if _looks_like_directory(patient, number, record) else S_IFREG
    permissions = S_IMODE(record.mode) or 0o600
    patient.put(number, record._replace(mode=kind | permissions))
    what = "directory" if kind == S_IFDIR else "file"
    patient.say(f"made inode {number}, which had the mode {record.mode:#o}, a {what}")


def _looks_like_directory(patient: Patient, number: int, record: Record) -> bool:
    zone = record.zones[0]
    return patient.is_zone(zone) and patient.image.read(zone).startswith(ENTRY.pack(number, b"."))


def _mend_root(patient: Patient) -> None:
    record = patient.record(ROOT)
    if record.kind == S_IFDIR:
        return
    if _looks_like_directory(patient, ROOT, record):
        patient.put(ROOT, record._replace(mode=S_IFDIR | 0o755))
        patient.say("made the root a directory again")
    else:
        patient.put(ROOT, Record(S_IFDIR | 0o755, 2, 0, 0, 0, 0, 0, 0, (0,) * 10))
        patient.say("made a new root directory")


def _named(patient: Patient) -> Bits:
    """The inodes that some directory names, as far as can be told before anything is repaired."""
    named = patient.taken.blank()
    read = patient.image.read
    seen = patient.used.blank()

    def accept(pointer: Pointer) -> int:
        if not patient.is_zone(pointer.zone) or pointer.zone in seen:
            return 0
        seen.add(pointer.zone)
        return pointer.zone

    for number in patient.inodes():
        record = patient.record(number)
        if record.kind == S_IFDIR and (record.links or number in patient.taken):
            found = pointers(record.zones, read, accept)
            blocks = ((pointer.at, pointer.zone) for pointer in found if not pointer.level)
            for entry in entries(blocks, record.size // ENTRY.size, read):
                if 0 < entry.inode < named.end:
                    named.add(entry.inode)
    return named


def _mend_target(patient: Patient, number: int, record: Record) -> None:
    """A symbolic link ends before the first zero; one that leads nowhere is given up."""
    size = min(record.size, PATH_MAX - 1)
    content = bytearray(size)
    for pointer in patient.blocks(number):
        at = pointer.at * BLOCK_SIZE
        if not pointer.level and at < size:
            content[at : at + BLOCK_SIZE] = patient.image.read(pointer.zone)[: size - at]
    target = content.partition(b"\0")[0]
    if not target:
        patient.put(number, Record.unpack(FREE, 1))
        patient.alive.discard(number)
        patient.say(f"gave up the symbolic link inode {number}, whose target is lost")
    elif len(target) != record.size:
        patient.put(number, record._replace(size=len(target)))
        patient.say(f"cut the target of the symbolic link inode {number} to {len(target)} bytes")
