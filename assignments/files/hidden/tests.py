"""Hidden tests of the volume."""

import errno

from assignments.files.contract import Subject
from assignments.files.images import BLOCKS, Image, boot_on
from kernels import System
from lab.grading.bench import Bench
from servers.disk import Disk
from servers.filesystem.layout import INODE, INODES_PER_BLOCK, LINK_MAX, Superblock

KIB = 1024


def a_directory_grows(bench: Bench) -> None:
    """A directory of many names has several zones; all of them are found, none twice."""
    image = Image(bench)
    names = [b"name %d" % number for number in range(60)]
    with boot_on(bench, image) as system:
        notes = image_inode(system, b"notes")
        for name in names:
            system[Subject].link(1, name, notes)
        came = [each.name for each in system[Subject].names(1)]
        bench.expect("the last names", came[-60:], names)
        bench.fails(
            "the first of them again", errno.EEXIST, system[Subject].link, 1, names[0], notes
        )
    image.check(bench)
    bench.expect("the names that are read", image.names("/"), came)
    bench.expect("the links", image.stat("/notes").st_nlink, 61)


def a_free_entry_is_used(bench: Bench) -> None:
    """A name goes where another one was removed, and the directory is as long as before."""
    image = Image(bench)
    size = image.stat("/").st_size
    image.remove("/notes")
    with boot_on(bench, image) as system:
        system[Subject].link(1, b"n" * 60, image_inode(system, b"large"))
    image.check(bench)
    bench.expect("the size of the root", image.stat("/").st_size, size)
    bench.expect("one inode", image.inode("/" + "n" * 60), image.inode("/large"))


def a_link_in_a_full_directory(bench: Bench) -> None:
    """Seven zones of names are the most; then nothing has changed."""
    image = Image(bench)
    with boot_on(bench, image) as system:
        volume, notes = system[Subject], image_inode(system, b"notes")
        sub = image_inode(system, b"sub")
        for number in range(7 * 16 - 2):
            volume.link(sub, b"%d" % number, notes)
        bench.fails("one name more", errno.ENOSPC, volume.link, sub, b"more", notes)
    image.check(bench)
    bench.expect("the links", image.stat("/notes").st_nlink, 7 * 16 - 1)


def links_have_an_end(bench: Bench) -> None:
    """A file that has `LINK_MAX` names gets no other, and nothing has changed."""
    image = Image(bench)
    with boot_on(bench, image) as system:
        disk, notes = system[Disk], image_inode(system, b"notes")
        index, rest = divmod(notes - 1, INODES_PER_BLOCK)
        block, place = Superblock.unpack(disk.read(1)).table_start + index, rest * INODE.size + 2
        was = disk.read(block)
        disk.write(block, was[:place] + LINK_MAX.to_bytes(2, "little") + was[place + 2 :])
        bench.fails("one name more", errno.EMLINK, system[Subject].link, 1, b"more", notes)
        disk.write(block, was)
    image.check(bench)
    image.unchanged(bench)


def a_large_file_is_cut(bench: Bench) -> None:
    """Zones of zone numbers are freed with the last of what they lead to."""
    image = Image(bench, large=400 * KIB)
    before = image.free()
    whole = image.read("/large")
    sizes = (300 * KIB + 5, 100 * KIB + 1, 7 * KIB + 100, 0)
    freed = (99, 299 + 2, 392 + 2, 400 + 3)
    for size, count in zip(sizes, freed, strict=True):
        with boot_on(bench, image) as system:
            system[Subject].truncate(image_inode(system, b"large"), size)
        image.check(bench)
        bench.expect(f"what is left of {size:,} bytes", image.read("/large"), whole[:size])
        bench.expect(f"zones freed, down to {size:,}", image.free() - before, count)


def files_grow_by_holes(bench: Bench) -> None:
    """What `truncate` adds reads as zeros and takes no zone, whatever was there before."""
    image = Image(bench)
    whole, size = image.read("/notes"), 1024 + bench.random.randrange(1, 400)
    large = image.read("/large")
    with boot_on(bench, image) as system:
        volume, notes = system[Subject], image_inode(system, b"notes")
        volume.truncate(notes, size)
        volume.truncate(notes, 500_000)
        volume.truncate(image_inode(system, b"empty"), 5_000_000)
        volume.truncate(image_inode(system, b"large"), 7 * KIB + 100)
        volume.truncate(image_inode(system, b"large"), 9 * KIB)
    image.check(bench)
    bench.expect("notes", image.read("/notes"), whole[:size].ljust(500_000, b"\0"))
    bench.expect("empty", image.read("/empty"), bytes(5_000_000))
    bench.expect("large", image.read("/large"), large[: 7 * KIB + 100].ljust(9 * KIB, b"\0"))
    bench.true("there are blocks left", image.free() > BLOCKS // 2)
    with boot_on(bench, image) as system:
        system[Subject].truncate(image_inode(system, b"empty"), 300_000)  # a cut in a hole
    image.check(bench)


def bad_sizes_are_refused(bench: Bench) -> None:
    """`truncate` refuses sizes that can't be, directories, and inodes that are free."""
    image = Image(bench)
    with boot_on(bench, image) as system:
        volume, notes = system[Subject], image_inode(system, b"notes")
        bench.fails("a negative size", errno.EINVAL, volume.truncate, notes, -1)
        bench.fails("2 GiB", errno.EFBIG, volume.truncate, notes, 1 << 31)
        bench.fails("a directory", errno.EISDIR, volume.truncate, 1, 0)
        for inode in (0, 100, 100_000, -1):
            bench.fails(f"inode {inode}", errno.ENOENT, volume.truncate, inode, 0)
            bench.fails(f"a name for inode {inode}", errno.ENOENT, volume.link, 1, b"a", inode)
    image.check(bench)
    image.unchanged(bench)


def a_long_history(bench: Bench) -> None:
    """Drawn operations; the disk is in order, and a model of the files agrees."""
    image = Image(bench)
    contents = {path: image.read(path) for path in ("/notes", "/large", "/empty")}
    alias = dict.fromkeys(contents)
    links = {path: [path] for path in contents}
    with boot_on(bench, image) as system:
        volume = system[Subject]
        inodes = {path: image_inode(system, path[1:].encode()) for path in contents}
        for step in range(40):
            path = bench.random.choice(list(alias))
            if bench.random.random() < 0.4:
                volume.link(1, b"link %d" % step, inodes[path])
                links[path].append(f"/link {step}")
            else:
                size = bench.random.choice((0, 100, 1024, 7 * KIB, 9_000, 50_000, 300 * KIB))
                volume.truncate(inodes[path], size)
                contents[path] = contents[path][:size].ljust(size, b"\0")
    image.check(bench)
    for path, names in links.items():
        bench.expect(f"the links of {path}", image.stat(path).st_nlink, len(names))
        bench.expect(f"the bytes of {names[-1]}", image.read(names[-1]), contents[path])


def image_inode(system: System, name: bytes) -> int:
    """The inode of a name in the root, by the student's own `names`."""
    entries = system[Subject].names(1)
    return next((inode for inode, each in entries if each == name), 0)
