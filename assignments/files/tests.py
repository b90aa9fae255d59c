"""Public tests of the volume."""

import errno

from assignments.files.contract import Subject
from assignments.files.images import Image, boot_on
from lab.grading.bench import Bench


def directories_are_listed(bench: Bench) -> None:
    """`names` lists what is in a directory, in its order."""
    image = Image(bench)
    names, notes = image.names("/"), image.inode("/notes")
    with boot_on(bench, image) as system:
        came = system[Subject].names(1)
        bench.expect("the names of the root", [each.name for each in came], names)
        leads = {each.name: each.inode for each in came}
        bench.expect("where 'notes' leads to", leads[b"notes"], notes)
        bench.fails("the names of a file", errno.ENOTDIR, system[Subject].names, came[-1].inode)
        bench.fails("the names of inode 999", errno.ENOENT, system[Subject].names, 999)


def free_entries_are_skipped(bench: Bench) -> None:
    """Where a file was removed its entry is still there, with inode 0."""
    image = Image(bench)
    image.remove("/notes")
    names = image.names("/")
    with boot_on(bench, image) as system:
        came = [each.name for each in system[Subject].names(1)]
        bench.expect("the names of the root", came, names)


def a_file_gets_another_name(bench: Bench) -> None:
    """After `link` both names lead to one file, which has two links; the disk is in order."""
    image = Image(bench)
    notes = image.inode("/notes")
    with boot_on(bench, image) as system:
        system[Subject].link(1, b"more", notes)
    image.check(bench)
    bench.expect("the inode of /more", image.inode("/more"), image.inode("/notes"))
    bench.expect("its links", image.stat("/more").st_nlink, 2)


def bad_names_are_refused(bench: Bench) -> None:
    """`link` refuses what is no name, or is taken, and changes nothing."""
    image = Image(bench)
    notes, sub = image.inode("/notes"), image.inode("/sub")
    with boot_on(bench, image) as system:
        volume = system[Subject]
        bench.fails("an empty name", errno.EINVAL, volume.link, 1, b"", notes)
        bench.fails("a name with a /", errno.EINVAL, volume.link, 1, b"a/b", notes)
        bench.fails("a name of 61 bytes", errno.ENAMETOOLONG, volume.link, 1, b"x" * 61, notes)
        bench.fails("a name that is taken", errno.EEXIST, volume.link, 1, b"notes", notes)
        bench.fails("a directory's", errno.EPERM, volume.link, 1, b"d", sub)
    image.check(bench)
    image.unchanged(bench)


def a_small_file_is_cut(bench: Bench) -> None:
    """`truncate` frees zones, and what is cut off is gone for good."""
    image = Image(bench)
    whole, size = image.read("/notes"), bench.random.randrange(100, 1000)
    notes = image.inode("/notes")
    with boot_on(bench, image) as system:
        system[Subject].truncate(notes, size)
    image.check(bench)
    bench.expect("what is left", image.read("/notes"), whole[:size])
    with boot_on(bench, image) as system:
        system[Subject].truncate(notes, 1000)
    image.check(bench)
    bench.expect("grown again", image.read("/notes"), whole[:size].ljust(1000, b"\0"))
