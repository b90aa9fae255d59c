"""The whole repair: all steps, the tables that follow from them, and a check of the result."""

from servers.filesystem.check.bits import Bits
from servers.filesystem.check.checker import check
from servers.filesystem.check.finding import Severity
from servers.filesystem.check.image import Image
from servers.filesystem.check.inodes import FREE, Record
from servers.filesystem.layout import BLOCK_SIZE, ROOT, Superblock
from servers.filesystem.repair import inodes, log, orphans, superblock, zones
from servers.filesystem.repair.patient import Hopeless, Patient
from servers.filesystem.repair.tree import Tree

_ROUNDS = 4
"""What is freed in one round can make room in the next."""


def repair(image: Image) -> list[str]:
    """Make an image clean.

    Args:
        image: it is changed in place: hand over a copy.

    Returns:
        what was done, a sentence each without its full stop; nothing, if nothing was wrong.

    Raises:
        Hopeless: it can't be made clean; by then it may have been changed.
    """
    done: list[str] = []
    for _ in range(_ROUNDS):
        if next(check(image), None) is None:
            return done
        done += _round(image)
        if not any(finding.severity is Severity.ERROR for finding in check(image)):
            return done
    raise Hopeless("there are errors left")


def _round(image: Image) -> list[str]:
    restored, done = superblock.restore(image)
    done += log.settle(image, restored)
    patient = Patient(image, Superblock.unpack(image.read(1)))
    inodes.choose(patient)
    zones.settle(patient)
    tree = Tree(patient)
    tree.plant()
    orphans.rescue(patient, tree)
    _settle_inodes(patient)
    _write(patient)
    return done + patient.done


def _settle_inodes(patient: Patient) -> None:
    """Links as they were counted; and what has no name is free."""
    for number in patient.inodes():
        record, links = patient.record(number), patient.counts[number]
        if links and record.links != links:
            patient.say(f"gave inode {number} {links} links instead of {record.links}")
            patient.put(number, record._replace(links=links))
        elif not links and (record.mode or number in patient.taken):
            patient.say(f"freed inode {number}")
            patient.put(number, Record.unpack(FREE, ROOT))


def _write(patient: Patient) -> None:
    """Write the tables: both bitmaps follow from the inodes."""
    layout, image = patient.superblock, patient.image
    taken = Bits.empty(ROOT, layout.inodes, len(patient.taken.data))
    owned = Bits.empty(
        patient.used.first, layout.zones - patient.used.first, len(patient.used.data)
    )
    for number in patient.inodes():
        if patient.counts[number]:
            taken.add(number)
            for pointer in patient.blocks(number):
                owned.add(pointer.zone)
    for what, block, data in (
        ("the inode bitmap", 2, taken.data),
        ("the zone bitmap", layout.zmap_start, owned.data),
        ("the inode table", layout.table_start, patient.table),
    ):
        if image.read(block, len(data) // BLOCK_SIZE) != data:
            image.write(block, bytes(data))
            patient.say(f"wrote {what}")
