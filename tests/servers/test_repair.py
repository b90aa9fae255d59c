"""The repairer: what comes out is clean for everybody, and what was whole is still there."""

import hashlib
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from stat import S_IFDIR, S_IFREG, S_ISDIR, S_ISLNK, S_ISREG

import pytest

from kernels import boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.check import MemoryImage, check
from servers.filesystem.check.finding import TIGHTER, Code, Severity
from servers.filesystem.check.inodes import Record, pointers
from servers.filesystem.layout import BLOCK_SIZE, ENTRY, INODE, Superblock
from servers.filesystem.mkfs import plan, tables
from servers.filesystem.repair import Hopeless, repair
from tests.servers.damage import damaged, linux_image
from tests.servers.images import booted, fsck, mounted, read_file
from twinos import Caller

MAY_STAY = TIGHTER | {Code.SPECIAL}


def assert_clean(data: bytearray, place: Path) -> None:
    """Clean for our checker and for fsck.minix, and a second repair finds nothing to do."""
    codes = {finding.code for finding in check(MemoryImage(data))}
    assert codes <= MAY_STAY
    again = bytearray(data)
    assert repair(MemoryImage(again)) == []
    assert again == data
    if not codes & TIGHTER:
        place.write_bytes(data)
        assert fsck(str(place)) == ""


def files_of(data: bytes) -> Iterator[tuple[int, set[int], str]]:
    """Each regular file: where its record is, the blocks it has, and a digest of what is in it."""
    layout = Superblock.unpack(data[BLOCK_SIZE : 2 * BLOCK_SIZE])
    image = MemoryImage(bytearray(data))
    for number in range(1, layout.inodes + 1):
        at = layout.table_start * BLOCK_SIZE + (number - 1) * INODE.size
        record = Record.unpack(data[at : at + INODE.size], 1)
        if record.kind == S_IFREG and record.links:
            digest, blocks = hashlib.sha256(str(record.size).encode()), set()
            for pointer in pointers(record.zones, image.read, lambda p: p.zone):
                blocks.add(pointer.zone)
                part = image.read(pointer.zone)[: max(0, record.size - pointer.at * BLOCK_SIZE)]
                if not pointer.level and any(part):
                    digest.update(b"%d" % pointer.at + part)
            yield at, blocks, digest.hexdigest()


@pytest.mark.parametrize("part", range(4))
def test_anything_becomes_clean_and_nothing_whole_is_lost(part: int, tmp_path: Path) -> None:
    image = linux_image()
    before = [*files_of(image)]
    for seed in range(part * 75, part * 75 + 75):
        data = damaged(image, random.Random(seed))
        places = ((at, at + INODE.size) for at in range(0, len(image), INODE.size))
        records = {at for at, end in places if data[at:end] != image[at:end]}
        blocks = {at // BLOCK_SIZE for at in records}
        repair(MemoryImage(data))
        assert_clean(data, tmp_path / "image")
        after = {digest for _, _, digest in files_of(data)}
        whole = {d for at, zones, d in before if at not in records and not zones & blocks}
        assert whole <= after, f"seed {seed}"


def read_all(image: Path) -> None:
    """Read everything by our own file system, which refuses what is damaged."""
    caller = Caller(1)
    with mounted(str(image)) as files:
        pending = ["/"]
        while pending:
            path = pending.pop()
            mode = files.lstat(caller, path).st_mode
            if S_ISDIR(mode):
                pending += [f"{path}/{name}" for name in files.listdir(caller, path)]
            elif S_ISLNK(mode):
                files.readlink(caller, path)
            elif S_ISREG(mode):
                descriptor = files.open(caller, path, os.O_RDONLY)
                files.read(caller, descriptor, 1 << 20)
                files.close(caller, descriptor)


@pytest.mark.parametrize("part", range(3))
def test_our_own_file_system_reads_what_is_clean(part: int, tmp_path: Path) -> None:
    image = tmp_path / "image"
    for seed in range(part * 30, part * 30 + 30):
        data = damaged(linux_image(), random.Random(seed))
        if not any(f.severity is Severity.ERROR for f in check(MemoryImage(data))):
            image.write_bytes(data)
            read_all(image)
        repair(MemoryImage(data))
        image.write_bytes(data)
        read_all(image)


@pytest.mark.parametrize("length", [0, 1024, 1055, 5000, 29_696, 100_000, 2_000_001])
def test_truncated_anywhere(length: int, tmp_path: Path) -> None:
    data = bytearray(linux_image()[:length])
    if length < 2048:
        with pytest.raises(Hopeless):
            repair(MemoryImage(data))
    else:
        repair(MemoryImage(data))
        assert_clean(data, tmp_path / "image")


@pytest.mark.parametrize("seed", range(12))
def test_a_lost_superblock_is_worked_out(seed: int) -> None:
    rng = random.Random(seed)
    image = linux_image()
    data = bytearray(image)
    if seed % 2:
        data[BLOCK_SIZE : BLOCK_SIZE + 31] = rng.randbytes(31)
    else:
        data[BLOCK_SIZE + rng.randrange(31)] ^= 1 << rng.randrange(8)
    repair(MemoryImage(data))
    data[BLOCK_SIZE + 14] &= 0xFE  # unmounted cleanly: both are right
    assert data == image


@pytest.mark.parametrize("content", [b"", bytes(100_000), b"text" * 30_000])
def test_what_is_no_image_is_left_alone(content: bytes) -> None:
    data = bytearray(content)
    with pytest.raises(Hopeless):
        repair(MemoryImage(data))
    assert data == content


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image with a directory that has a file and a directory in it."""
    place = tmp_path / "image"
    config = {Disk: {"image": str(place), "blocks": 300}}
    with boot("monolithic", FileSystem, config=config) as system:
        files = system[FileSystem]
        files.mkdir("/d")
        files.mkdir("/d/e")
        for path in ("/f", "/d/g", "/d/e/h"):
            descriptor = files.open(path, 0o101)
            files.write(descriptor, path.encode())
            files.close(descriptor)
    return place


def repaired(data: bytearray, place: Path) -> None:
    repair(MemoryImage(data))
    assert_clean(data, place)
    place.write_bytes(data)


def root_block(data: bytearray) -> int:
    return Superblock.unpack(data[BLOCK_SIZE:]).first_data_zone * BLOCK_SIZE


def test_orphans_get_names(image: Path) -> None:
    data = bytearray(image.read_bytes())
    at = root_block(data) + 2 * ENTRY.size
    data[at : at + 2 * ENTRY.size] = bytes(2 * ENTRY.size)
    repaired(data, image)
    with booted(str(image)) as system:
        files = system[FileSystem]
        assert files.listdir("/") == ("lost+found",)
        assert len(files.listdir("/lost+found")) == 2
        (directory,) = [n for n in files.listdir("/lost+found") if "2" in n]
        assert read_file(files, f"/lost+found/{directory}/e/h") == b"/d/e/h"
        assert read_file(files, f"/lost+found/{directory}/g") == b"/d/g"


def test_a_lost_root_loses_no_file(image: Path) -> None:
    data = bytearray(image.read_bytes())
    layout = Superblock.unpack(data[BLOCK_SIZE:])
    table = layout.table_start * BLOCK_SIZE
    data[table : table + INODE.size] = b"\xff" * INODE.size
    repaired(data, image)
    with booted(str(image)) as system:
        files = system[FileSystem]
        found = [f"/lost+found/{name}" for name in files.listdir("/lost+found")]
        assert sorted(files.lstat(path).st_mode >> 12 for path in found) == [4, 8]


def test_a_circle_of_directories_is_opened(image: Path) -> None:
    """/d loses its name, and gets one in its own subdirectory."""
    data = bytearray(image.read_bytes())
    root = root_block(data)
    entries = dict(enumerate(ENTRY.iter_unpack(data[root : root + BLOCK_SIZE])))
    slot = next(slot for slot, (_, name) in entries.items() if name.rstrip(b"\0") == b"d")
    number = entries[slot][0]
    data[root + slot * ENTRY.size : root + (slot + 1) * ENTRY.size] = bytes(ENTRY.size)
    name = b"h".ljust(60, b"\0")
    at = next(at for at in range(0, len(data), ENTRY.size) if data[at + 4 : at + 64] == name)
    data[at : at + ENTRY.size] = ENTRY.pack(number, b"up")
    repaired(data, image)
    with booted(str(image)) as system:
        files = system[FileSystem]
        assert files.listdir(f"/lost+found/#{number}/e") == ()
        assert read_file(files, f"/lost+found/#{number}/g") == b"/d/g"


def test_many_orphans_fill_several_directories(tmp_path: Path) -> None:
    layout = plan(1000, 5000)
    data = bytearray(tables(layout, 1))
    data.extend(bytes(1000 * BLOCK_SIZE - len(data)))
    for number in range(2, 4800):
        at = layout.table_start * BLOCK_SIZE + (number - 1) * INODE.size
        zones = (0,) * 10
        data[at : at + INODE.size] = Record(S_IFREG | 0o644, 1, 0, 0, 0, 1, 1, 1, zones).pack()
        data[2 * BLOCK_SIZE + number // 8] |= 1 << number % 8
    repaired(data, tmp_path / "image")
    with booted(str(tmp_path / "image")) as system:
        files = system[FileSystem]
        shelves = files.listdir("/")
        assert set(shelves) == {"lost+found", "lost+found.1"}
        assert sum(len(files.listdir(f"/{shelf}")) for shelf in shelves) == 4798


def test_a_full_disk_still_becomes_clean(tmp_path: Path) -> None:
    """Orphans without room for a name are given up, and nothing else is."""
    place = tmp_path / "image"
    with boot(
        "monolithic", FileSystem, config={Disk: {"image": str(place), "blocks": 100}}
    ) as system:
        files = system[FileSystem]
        files.mknod("/orphan")
        descriptor = files.open("/full", 0o101)
        while files.statvfs("/").f_bfree:
            files.write(descriptor, b"full" * 256)
    data = bytearray(place.read_bytes())
    at = root_block(data) + 2 * ENTRY.size
    data[at : at + ENTRY.size] = bytes(ENTRY.size)
    repaired(data, place)
    with booted(str(place)) as system:
        assert read_file(system[FileSystem], "/full").startswith(b"full")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_map_that_is_its_own_child(level: int, tmp_path: Path) -> None:
    data = bytearray(linux_image())
    layout = Superblock.unpack(data[BLOCK_SIZE:])
    at = layout.table_start * BLOCK_SIZE + 11 * INODE.size  # an empty file
    zones = [0] * 10
    zones[6 + level] = 4000
    record = Record(S_IFREG | 0o644, 1, 0, 0, 1 << 30, 1, 1, 1, tuple(zones))
    data[at : at + INODE.size] = record.pack()
    data[4000 * BLOCK_SIZE : 4001 * BLOCK_SIZE] = struct.pack("<I", 4000) * 256
    repaired(data, tmp_path / "image")


@pytest.mark.parametrize("seed", range(8))
def test_noise_becomes_clean(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    data = bytearray(linux_image()[: 29 * BLOCK_SIZE]) + rng.randbytes(400 * BLOCK_SIZE)
    data[BLOCK_SIZE + 20 : BLOCK_SIZE + 24] = struct.pack("<I", 429)
    table = Superblock.unpack(data[BLOCK_SIZE:]).table_start * BLOCK_SIZE
    for number in range(2, 401):
        at = table + (number - 1) * INODE.size
        record = Record.unpack(data[at : at + INODE.size], 1)
        zones = tuple(rng.choice([0, rng.randrange(29, 500)]) for _ in range(10))
        noise = record._replace(mode=rng.choice([S_IFDIR, S_IFREG]) | 0o755, zones=zones)
        data[at : at + INODE.size] = noise._replace(size=rng.randrange(1 << 32), links=1).pack()
    repaired(data, tmp_path / "image")
