"""Damaged images: an error, never a crash, a hang, or a write outside the data."""

import errno
import os
import random
import stat
from typing import Any

import pytest

from servers.disk import Geometry
from servers.filesystem import FileSystem
from servers.filesystem.layout import BLOCK_SIZE, INODE, POINTERS, ROOT, Superblock
from tests.servers.oracle import outcome
from twinos import Caller

BLOCKS = 600
IMAGES = 400
WHO = Caller(1)


class Platter:
    """A disk in plain memory that fails the test when it is asked for what it has not."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def geometry(self) -> Any:
        return Geometry(BLOCK_SIZE, len(self.data) // BLOCK_SIZE)

    def read(self, block: int, count: int = 1) -> Any:
        assert block >= 0
        assert (block + count) * BLOCK_SIZE <= len(self.data)
        return bytes(self.data[block * BLOCK_SIZE : (block + count) * BLOCK_SIZE])

    def readv(self, extents: Any) -> Any:
        return b"".join(self.read(block, count) for block, count in extents)

    def writev(self, extents: Any, data: bytes) -> None:
        for block, count in extents:
            self.read(block, count)
            self.data[block * BLOCK_SIZE : (block + count) * BLOCK_SIZE] = data[
                : count * BLOCK_SIZE
            ]
            data = data[count * BLOCK_SIZE :]
        assert data == b""

    def flush(self) -> None:
        pass

    def writable(self) -> Any:
        return True

    def blank(self) -> Any:
        return not any(self.data)


@pytest.fixture(scope="module")
def sound() -> Any:
    """An image with something of everything."""
    platter = Platter(bytes(BLOCKS * BLOCK_SIZE))
    files = FileSystem(platter, inodes=64)
    rng = random.Random(5)
    directories = ("/", "/a", "/a/b", "/a/b/c", "/d")
    for path in directories[1:]:
        files.mkdir(WHO, path)
    for number in range(30):
        path = f"{rng.choice(directories)}/f{number}"
        descriptor = files.open(WHO, path, os.O_CREAT | os.O_RDWR)
        files.write(WHO, descriptor, rng.randbytes(rng.choice([0, 10, 1000, 9000, 20_000])))
        if number % 7 == 0:
            files.pwrite(WHO, descriptor, b"z", rng.choice([270, 400, 70_000]) * 1024)
        files.close(WHO, descriptor)
    files.symlink(WHO, "a/b", "/l")
    files.symlink(WHO, "/d", "/a/l")
    files.link(WHO, "/l", "/hard")
    files.mkfifo(WHO, "/fifo")
    files.mknod(WHO, "/device", stat.S_IFCHR | 0o644, 0x102)
    files.sync()
    return bytes(platter.data)


def damaged(image: str, rng: random.Random) -> Any:
    """The image with some bytes changed, mostly in its tables; at times with a tangled block."""
    image = bytearray(image)
    data = Superblock.unpack(image[BLOCK_SIZE:]).first_data_zone * BLOCK_SIZE
    regions = [(1024, 1055), (2048, 4096), *[(4096, data)] * 4, *[(data, len(image))] * 4]
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        start, end = rng.choice(regions)
        number = rng.randrange(BLOCKS + 100)
        change = rng.choice([rng.randbytes(1), b"\0", b"\xff", number.to_bytes(4, "little")])
        at = rng.randrange(start, end) & -len(change)
        image[at : at + len(change)] = change
    if rng.random() < 0.2:
        zone = rng.randrange(data // BLOCK_SIZE, BLOCKS)
        loop = [rng.choice([zone, rng.randrange(data // BLOCK_SIZE, BLOCKS)]) for _ in range(256)]
        image[zone * BLOCK_SIZE : (zone + 1) * BLOCK_SIZE] = POINTERS.pack(*loop)
    return bytes(image[: BLOCKS * BLOCK_SIZE])


def attempt(operation: Any, *arguments: Any) -> Any:
    """Do it; only an OSError with an errno may come of it."""
    found, result = outcome(operation, *arguments)
    assert found == "result" or isinstance(result, int)
    return result if found == "result" else None


def explore(files: FileSystem, path: str, found: list[str], depth: int = 0) -> None:
    """Look at everything that can be found, and read it."""
    for name in attempt(files.listdir, WHO, path) or ():
        inner = f"{path.rstrip('/')}/{name}"
        found.append(inner)
        status = attempt(files.lstat, WHO, inner)
        if status is None or len(found) > 300:
            continue
        if stat.S_ISDIR(status.st_mode) and depth < 12:
            explore(files, inner, found, depth + 1)
        attempt(files.readlink, WHO, inner)
        descriptor = attempt(files.open, WHO, inner, os.O_RDONLY)
        if descriptor is not None:
            attempt(files.read, WHO, descriptor, 100_000)
            attempt(files.pread, WHO, descriptor, 5000, max(0, status.st_size - 3000))
            for whence in (os.SEEK_DATA, os.SEEK_HOLE):
                attempt(files.lseek, WHO, descriptor, 0, whence)
            files.close(WHO, descriptor)


def change(files: FileSystem, found: list[str], rng: random.Random) -> None:
    """Change what can be changed."""
    path = rng.choice(found or ["/x"])
    other = rng.choice(found or ["/y"]) + rng.choice(["", "n", "/n"])
    choice = rng.randrange(12)
    if choice == 0:
        descriptor = attempt(files.open, WHO, path, os.O_RDWR)
        if descriptor is not None:
            attempt(files.unlink, WHO, path)
            size, place = rng.choice([1, 3000, 20_000]), rng.choice([0, 7000, 270_000, 68_000_000])
            attempt(files.pwrite, WHO, descriptor, b"q" * size, place)
            if rng.random() < 0.5:
                files.close(WHO, descriptor)
        return
    steps = [
        (files.truncate, path, rng.choice([0, 1, 5000, 300_000, 0x7FFF_FFFF])),
        (files.unlink, path),
        (files.rmdir, path),
        (files.rename, path, other),
        (files.link, path, other),
        (files.symlink, path, other),
        (files.mkdir, other),
        (files.open, other, os.O_CREAT | os.O_WRONLY),
        (files.chdir, path),
        (files.listdir, ".."),
        (files.access, path, os.R_OK),
    ]
    operation, *arguments = steps[choice - 1]
    attempt(operation, WHO, *arguments)
    attempt(files.getcwd, WHO)
    if choice == 1:
        attempt(files.sync)
    if choice == 2:
        attempt(files._make_room)


@pytest.mark.parametrize("part", range(4))
def test_damage_is_an_error_and_no_more(sound: bytes, rng: random.Random, part: Any) -> None:
    refused = 0
    for _ in range(IMAGES // 4):
        platter = Platter(damaged(sound, rng))
        tables = platter.data[: 2 * BLOCK_SIZE]
        result, files = outcome(FileSystem, platter)
        if result == "error":
            assert files in {errno.EINVAL, errno.EUCLEAN}
            refused += 1
            continue
        found = []
        explore(files, "/", found)
        for _ in range(40):
            change(files, found, rng)
        attempt(files._stopping)
        assert platter.data[: 2 * BLOCK_SIZE] == tables
    assert refused < IMAGES // 8, f"part {part}: most images must be worth looking at"


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 8, 100, BLOCKS - 1])
def test_a_truncated_image_is_refused(sound: bytes, length: Any) -> None:
    found, code = outcome(FileSystem, Platter(sound[: length * BLOCK_SIZE]))
    assert found == "error"
    assert code in {errno.EINVAL, errno.EUCLEAN}


def inode_at(platter: Platter, number: int) -> Any:
    start = Superblock.unpack(platter.data[BLOCK_SIZE:]).table_start * BLOCK_SIZE
    return start + (number - 1) * INODE.size


def test_a_block_map_that_leads_back_to_itself(sound: bytes) -> None:
    platter = Platter(sound)
    files = FileSystem(platter)
    path = next(
        path
        for path in (
            f"{top}/{name}" for top in ("", "/a", "/d") for name in files.listdir(WHO, top or "/")
        )
        if files.lstat(WHO, path).st_size > 70_000 * 1024
    )
    record = inode_at(platter, files.stat(WHO, path).st_ino)
    zone = INODE.unpack_from(platter.data, record)[-1]
    platter.data[zone * BLOCK_SIZE : (zone + 1) * BLOCK_SIZE] = POINTERS.pack(*[zone] * 256)
    files = FileSystem(platter)
    for operation, *arguments in (
        (files.stat, path),
        (files.truncate, path, 0),
        (files.unlink, path),
    ):
        with pytest.raises(OSError, match="damaged") as caught:
            operation(WHO, *arguments)
        assert caught.value.errno == errno.EUCLEAN


def test_directories_that_lead_in_a_circle(sound: bytes) -> None:
    """`/a/b/c` becomes another name of `/a`."""
    platter = Platter(sound)
    files = FileSystem(platter)
    top, inner = (files.stat(WHO, path).st_ino for path in ("/a", "/a/b"))
    zone = INODE.unpack_from(platter.data, inode_at(platter, inner))[8]
    block = platter.data[zone * BLOCK_SIZE : (zone + 1) * BLOCK_SIZE]
    entry = block.index(b"c\0") - 4
    platter.data[zone * BLOCK_SIZE + entry : zone * BLOCK_SIZE + entry + 4] = top.to_bytes(
        4, "little"
    )
    files = FileSystem(platter)
    deep = "/a" + "/b/c" * 300
    assert files.stat(WHO, deep).st_ino == top
    files.chdir(WHO, deep)
    assert files.getcwd(WHO) == "/a"
    assert outcome(files.rename, WHO, "/a", f"{deep}/x")[0] == "error"
    assert files.stat(WHO, "/").st_ino == ROOT


def test_a_superblock_can_promise_no_more_than_an_inode_holds(sound: bytes) -> None:
    generous = bytearray(sound)
    generous[1040:1044] = b"\xff" * 4  # max_size
    files: Any = FileSystem(Platter(bytes(generous)))  # type: ignore[arg-type]  # as good as a disk
    descriptor = files.open(WHO, "/beyond", os.O_RDWR | os.O_CREAT)
    found, code = outcome(files.pwrite, WHO, descriptor, b"x", 3 << 30)
    assert (found, code) == ("error", errno.EFBIG)
