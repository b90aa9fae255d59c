"""The checker: each rule is planted once, and fsck.minix is never the stricter one."""

import os
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels import boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.check import Code, FileImage, Finding, MemoryImage, Severity, check
from servers.filesystem.check.finding import TIGHTER
from servers.filesystem.check.inodes import Record
from servers.filesystem.layout import BLOCK_SIZE, ENTRY, INODE, Superblock
from tests.servers.damage import damaged, linux_image
from tests.servers.images import fsck, needs_fsck

ROOT, A, MANY, DIRECT, SET_ID, DOUBLE, TRIPLE, EMPTY, REL, ABS = 1, 2, 6, 8, 9, 10, 11, 12, 13, 14
FIFO, BLK, CHR, FREE = 15, 16, 17, 390


class Bench:
    """An image on which something is broken deliberately."""

    def __init__(self) -> None:
        self.data = bytearray(linux_image())
        self.superblock = Superblock.unpack(self.data[BLOCK_SIZE:])

    def _at(self, number: int) -> int:
        return self.superblock.table_start * BLOCK_SIZE + (number - 1) * INODE.size

    def record(self, number: int) -> Record:
        return Record.unpack(self.data[self._at(1) :], number)

    def inode(self, number: int, **fields: object) -> None:
        """Change fields of an inode; `zone3=7` is a zone."""
        record = self.record(number)
        zones = list(record.zones)
        for name, value in fields.items():
            if name.startswith("zone"):
                zones[int(name[4:])] = int(str(value))
            else:
                record = record._replace(**{name: value})
        self.data[self._at(number) : self._at(number + 1)] = record._replace(
            zones=tuple(zones)
        ).pack()

    def slot(self, directory: int, slot: int, inode: int | None = None, name: bytes = b"") -> None:
        """Change an entry in the first block of a directory."""
        at = self.record(directory).zones[0] * BLOCK_SIZE + slot * ENTRY.size
        old_inode, old_name = ENTRY.unpack_from(self.data, at)
        ENTRY.pack_into(self.data, at, old_inode if inode is None else inode, name or old_name)

    def number(self, block: int, index: int, value: int) -> None:
        """Change a 32-bit number in a block."""
        struct.pack_into("<I", self.data, block * BLOCK_SIZE + 4 * index, value)

    def superblock_field(self, code: str, offset: int, value: int) -> None:
        struct.pack_into(code, self.data, BLOCK_SIZE + offset, value)

    def bit(self, block: int, bit: int, *, value: bool) -> None:
        byte = block * BLOCK_SIZE + bit // 8
        self.data[byte] = self.data[byte] & ~(1 << bit % 8) | value << bit % 8


def findings(data: bytearray) -> list[Finding]:
    return [*check(MemoryImage(data))]


def codes(data: bytearray) -> set[Code]:
    return {finding.code for finding in findings(data)}


PLANTS: list[tuple[str, Callable[[Bench], object], set[Code]]] = [
    ("magic", lambda b: b.superblock_field("<H", 24, 0x4D5B), {Code.MAGIC}),
    ("no inodes", lambda b: b.superblock_field("<I", 0, 0), {Code.GEOMETRY}),
    ("imap", lambda b: b.superblock_field("<H", 6, 0), {Code.GEOMETRY}),
    ("zmap", lambda b: b.superblock_field("<H", 8, 0), {Code.GEOMETRY}),
    ("first zone", lambda b: b.superblock_field("<H", 10, 30), {Code.GEOMETRY}),
    ("zones", lambda b: b.superblock_field("<I", 20, 29), {Code.GEOMETRY}),
    ("zone size", lambda b: b.superblock_field("<H", 12, 1), {Code.DIALECT}),
    ("inode marked free", lambda b: b.bit(2, DIRECT, value=False), {Code.INODE_FREE}),
    ("inode marked used", lambda b: b.bit(2, FREE, value=True), {Code.INODE_LEAKED}),
    ("zone marked free", lambda b: b.bit(3, 36 - 28, value=False), {Code.ZONE_FREE}),
    ("zone marked used", lambda b: b.bit(3, 4000 - 28, value=True), {Code.ZONE_LEAKED}),
    ("link count", lambda b: b.inode(DIRECT, links=3), {Code.LINKS}),
    ("root", lambda b: b.inode(ROOT, mode=0o100755), {Code.ROOT}),
    ("zone below", lambda b: b.inode(EMPTY, zone0=28), {Code.ZONE_RANGE}),
    ("zone beyond", lambda b: b.inode(EMPTY, zone0=4096), {Code.ZONE_RANGE}),
    ("zone twice", lambda b: b.inode(EMPTY, zone0=36), {Code.ZONE_SHARED}),
    ("a map of itself", lambda b: b.number(50, 9, 50), {Code.ZONE_SHARED}),
    ("indirect beyond", lambda b: b.number(50, 9, 1 << 30), {Code.ZONE_RANGE}),
    (
        "inode beyond",
        lambda b: b.slot(A, 4, 401, b"n"),
        {Code.ENTRY_INODE, Code.INODE_LEAKED, Code.ZONE_LEAKED},
    ),
]
"""What fsck.minix reports as well."""

MISSED: list[tuple[str, Callable[[Bench], object], set[Code]]] = [
    ("block size", lambda b: b.superblock_field("<H", 28, 4096), {Code.DIALECT}),
    ("disk version", lambda b: b.superblock_field("<B", 30, 1), {Code.DIALECT}),
    ("largest size", lambda b: b.superblock_field("<I", 16, 1 << 31), {Code.MAX_SIZE}),
    ("padding 0", lambda b: b.superblock_field("<H", 4, 1), {Code.RESERVED}),
    ("padding 1", lambda b: b.superblock_field("<H", 14, 2), {Code.RESERVED}),
    ("padding 2", lambda b: b.superblock_field("<H", 26, 1), {Code.RESERVED}),
    ("inode bit 0", lambda b: b.bit(2, 0, value=False), {Code.BITMAP_EDGE}),
    ("inode tail", lambda b: b.bit(2, 401, value=False), {Code.BITMAP_EDGE}),
    ("zone bit 0", lambda b: b.bit(3, 0, value=False), {Code.BITMAP_EDGE}),
    ("zone tail", lambda b: b.bit(3, 8191, value=False), {Code.BITMAP_EDGE}),
    ("a byte off", lambda b: b.data.extend(b"x"), {Code.PARTIAL_BLOCK}),
    ("truncated", lambda b: b.data.__delitem__(slice(3000 * 1024, None)), {Code.TRUNCATED}),
    ("mode", lambda b: b.inode(EMPTY, mode=0o070644), {Code.MODE}),
    ("size", lambda b: b.inode(EMPTY, size=1 << 31), {Code.SIZE}),
    ("size of a FIFO", lambda b: b.inode(FIFO, size=1 << 31), {Code.SIZE, Code.SPECIAL}),
    ("device with zones", lambda b: b.inode(CHR, zone1=100), {Code.SPECIAL}),
    ("device number", lambda b: b.inode(BLK, zone0=1 << 16), {Code.SPECIAL}),
    ("FIFO with a size", lambda b: b.inode(FIFO, size=1), {Code.SPECIAL}),
    ("FIFO with a zone", lambda b: b.inode(FIFO, zone0=100), {Code.SPECIAL}),
    ("mode not cleared", lambda b: b.inode(FREE, mode=0o100644), {Code.STALE}),
    ("empty link", lambda b: b.inode(REL, size=0), {Code.LINK_TARGET}),
    ("long link", lambda b: b.inode(REL, size=4096), {Code.LINK_TARGET}),
    ("link with zeros", lambda b: b.inode(REL, size=20), {Code.LINK_TARGET}),
    ("half an entry", lambda b: b.inode(A, size=321), {Code.DIRECTORY_SIZE}),
    ("hole", lambda b: b.inode(MANY, size=8257), {Code.DIRECTORY_HOLE, Code.DIRECTORY_SIZE}),
    ("hole at the end", lambda b: b.inode(A, size=1088), {Code.DIRECTORY_HOLE}),
    ("empty name", lambda b: b.slot(A, 3, name=bytes(60)), {Code.NAME}),
    ("slash", lambda b: b.slot(A, 3, name=b"a/b"), {Code.NAME}),
    ("dot", lambda b: b.slot(A, 3, name=b"."), {Code.NAME}),
    ("dot dot", lambda b: b.slot(A, 3, name=b".."), {Code.NAME}),
    ("zero in a name", lambda b: b.slot(A, 3, name=b"rel\0x"), {Code.NAME_PADDING}),
    ("zero after dot", lambda b: b.slot(A, 0, name=b".\0x"), {Code.NAME_PADDING}),
    ("name twice", lambda b: b.slot(A, 3, name=b"b"), {Code.DUPLICATE_NAME}),
]
"""What it does not notice."""


def planted(plant: Callable[[Bench], object]) -> bytearray:
    bench = Bench()
    plant(bench)
    return bench.data


def test_what_linux_wrote_is_clean() -> None:
    assert findings(bytearray(linux_image())) == []


@pytest.mark.parametrize(
    ("plant", "expected"), [row[1:] for row in PLANTS], ids=[row[0] for row in PLANTS]
)
def test_what_fsck_knows(
    plant: Callable[[Bench], object], expected: set[Code], tmp_path: Path
) -> None:
    data = planted(plant)
    assert codes(data) == expected
    assert all(finding.severity is Severity.ERROR for finding in findings(data))
    (tmp_path / "image").write_bytes(data)
    assert fsck(str(tmp_path / "image"))[:1] in {"4", "8"} or not has_fsck()


def has_fsck() -> bool:
    return not needs_fsck.args[0]


@pytest.mark.parametrize(
    ("plant", "expected"), [row[1:] for row in MISSED], ids=[row[0] for row in MISSED]
)
def test_what_fsck_misses(
    plant: Callable[[Bench], object], expected: set[Code], tmp_path: Path
) -> None:
    data = planted(plant)
    assert codes(data) == expected
    (tmp_path / "image").write_bytes(data)
    assert fsck(str(tmp_path / "image")) == "", "fsck.minix has learnt it"


def test_preallocated_zones_are_legal() -> None:
    bench = Bench()
    bench.inode(DIRECT, size=100)
    assert codes(bench.data) == set()


def test_holes_are_legal() -> None:
    bench = Bench()
    bench.inode(EMPTY, size=1 << 30)
    assert codes(bench.data) == set()


def test_dots() -> None:
    bench = Bench()
    bench.slot(A, 0, 3)
    assert codes(bench.data) == {Code.DOT, Code.LINKS}
    bench = Bench()
    bench.slot(A, 1, 3)
    assert codes(bench.data) == {Code.DOT_DOT, Code.LINKS}


def test_a_directory_in_itself() -> None:
    bench = Bench()
    bench.slot(A, 3, A)
    assert codes(bench.data) == {Code.DIRECTORY_LINKED, Code.INODE_LEAKED, Code.LINKS} | {
        Code.ZONE_LEAKED
    }


def test_a_finding_says_where() -> None:
    bench = Bench()
    bench.number(50, 9, 1 << 30)
    (finding,) = findings(bench.data)
    assert finding == (
        Severity.ERROR,
        Code.ZONE_RANGE,
        "inode 9 (/single) has a zone outside of the file system, 1073741824.",
        9,
        50,
    )


def test_what_fsck_cannot_count(tmp_path: Path) -> None:
    image = str(tmp_path / "image")
    with open(image, "wb") as file:
        file.truncate(400 * 1024)
    with boot("monolithic", FileSystem, config={Disk: {"image": image}}) as system:
        files = system[FileSystem]
        files.mknod("/f")
        for number in range(255):
            files.link("/f", f"/{number}")
        for depth in range(1, 51):
            files.mkdir("/d" * depth)
    data = bytearray(Path(image).read_bytes())
    found = findings(data)
    assert {finding.code for finding in found} == TIGHTER
    assert {finding.severity for finding in found} == {Severity.WARNING}
    assert not has_fsck() or fsck(image).startswith("4")


def run_fsck(data: bytearray, place: Path) -> int:
    """What fsck.minix answers; -1 if it takes for ever, as it does in some circles."""
    place.write_bytes(data)
    try:
        return subprocess.run(
            ["fsck.minix", "-f", place],
            capture_output=True,
            timeout=1,
            check=False,
            env={"PATH": f"{os.environ['PATH']}:/sbin:/usr/sbin"},
        ).returncode
    except subprocess.TimeoutExpired:
        return -1


@needs_fsck
@pytest.mark.parametrize("part", range(4))
def test_fsck_is_never_the_stricter_one(part: int, tmp_path: Path) -> None:
    for seed in range(part * 100, part * 100 + 100):
        data = damaged(linux_image(), random.Random(seed))
        found = findings(data)
        if not any(f.severity is Severity.ERROR or f.code in TIGHTER for f in found):
            assert run_fsck(data, tmp_path / "image") <= 0, f"seed {seed}"


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 1055, 2048, 29_695, 29_696, 500_000])
def test_truncated_anywhere(length: int) -> None:
    assert any(f.severity is Severity.ERROR for f in findings(bytearray(linux_image()[:length])))


@pytest.mark.parametrize("seed", range(20))
def test_noise_ends(seed: int) -> None:
    """A superblock and a root that are right, and noise elsewhere."""
    rng = random.Random(seed)
    data = bytearray(linux_image()[: 29 * BLOCK_SIZE]) + rng.randbytes(200 * BLOCK_SIZE)
    table = data[4 * BLOCK_SIZE :]
    for number in range(2, 401):
        record = Record.unpack(table, number)
        zones = tuple(rng.randrange(4096) for _ in range(10))
        fields = record._replace(mode=rng.choice([0o40755, 0o100644]), zones=zones, size=1 << 31)
        at = 4 * BLOCK_SIZE + (number - 1) * INODE.size
        data[at : at + INODE.size] = fields.pack()
    assert sum(1 for _ in check(MemoryImage(data)))


def test_a_file_reads_as_memory_does(tmp_path: Path) -> None:
    data = damaged(linux_image(), random.Random(7))
    place = tmp_path / "image"
    place.write_bytes(data)
    with open(place, "rb") as file:
        assert [*check(FileImage(file.fileno()))] == findings(data)
