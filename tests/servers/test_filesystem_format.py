"""The format: what others wrote is read, and what we write others can read."""

import errno
import hashlib
import lzma
import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.layout import BLOCK_SIZE, Superblock
from servers.filesystem.mkfs import plan
from tests.servers.images import booted, fsck, mkfs, mounted, needs_fsck, read_file, write_file
from tests.servers.oracle import outcome

DATA = Path(__file__).parents[1] / "data"
KINDS = {
    "f": stat.S_IFREG,
    "d": stat.S_IFDIR,
    "l": stat.S_IFLNK,
    "p": stat.S_IFIFO,
    "c": stat.S_IFCHR,
    "b": stat.S_IFBLK,
}


@pytest.fixture
def image(tmp_path: Path) -> Any:
    return str(tmp_path / "image")


@pytest.fixture
def linux_image(image: str) -> Any:
    Path(image).write_bytes(lzma.decompress((DATA / "linux-minix-v3.img.xz").read_bytes()))
    return image


def manifest() -> Iterator[Any]:
    for line in (DATA / "linux-minix-v3.tsv").read_bytes().split(b"\n"):
        if line:
            path, *fields, target = line.split(b"\t")
            yield os.fsdecode(path), [field.decode() for field in fields], os.fsdecode(target)


def digests() -> Iterator[Any]:
    for line in (DATA / "linux-minix-v3.sha256").read_bytes().split(b"\n"):
        if line:
            digest, path = line.split(b"  ", 1)
            yield os.fsdecode(path), digest.decode()


def everything(files: FileSystem, path: str = ".") -> Iterator[Any]:
    yield path
    if stat.S_ISDIR(files.lstat(path).st_mode):
        for name in files.listdir(path):
            yield from everything(files, f"{path}/{name}")


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_what_linux_wrote_is_what_its_own_driver_says(linux_image: str, kernel: str) -> None:
    with booted(linux_image, kernel=kernel) as system:
        files = system[FileSystem]
        said = {path: (fields, target) for path, fields, target in manifest()}
        assert set(everything(files)) == set(said)
        for path, (fields, target) in said.items():
            kind, mode, links, uid, gid, size, inode, mtime = fields
            found = files.lstat(path)
            assert found.st_mode == KINDS[kind] | int(mode, 8)
            assert found[1:7:1] == (
                int(inode),
                found.st_dev,
                int(links),
                int(uid),
                int(gid),
                int(size),
            )
            assert found.st_mtime == float(mtime)
            assert found.st_mtime_ns == int(float(mtime)) * 10**9
            if kind == "l":
                assert files.readlink(path) == target
        for path, digest in digests():
            assert hashlib.sha256(read_file(files, path)).hexdigest() == digest


def test_what_linux_wrote_can_be_changed(linux_image: str) -> None:
    rng = random.Random(3)
    with booted(linux_image) as system:
        files = system[FileSystem]
        kept = {path: read_file(files, path) for path, _ in digests()}
        for path in list(kept):
            choice = rng.randrange(4)
            if choice == 0:
                files.unlink(path)
                del kept[path]
            elif choice == 1 and files.lstat(path).st_nlink == 1:
                kept[path] = rng.randbytes(rng.randrange(20_000))
                write_file(files, path, kept[path])
            elif choice == 2 and files.lstat(path).st_nlink == 1:
                size = rng.randrange(len(kept[path]) + 5000)
                files.truncate(path, size)
                kept[path] = kept[path][:size].ljust(size, b"\0")
    with booted(linux_image) as system:
        for path, data in kept.items():
            assert read_file(system[FileSystem], path) == data


@pytest.mark.parametrize(
    ("blocks", "inodes"),
    [(10, None), (11, 1), (100, None), (4096, 400), (8200, None), (65_536, 17), (100_000, None)],
)
def test_mkfs_writes_what_mkfs_minix_writes(image: str, blocks: int, inodes: int | None) -> None:
    mkfs(image, blocks, inodes)
    theirs = Path(image).read_bytes()
    os.unlink(image)
    with booted(image, blocks, inodes=inodes, time=1, log=0):
        pass
    ours = Path(image).read_bytes()
    superblock = Superblock.unpack(theirs[BLOCK_SIZE:])
    table = superblock.table_start * BLOCK_SIZE
    assert ours[BLOCK_SIZE:table] == theirs[BLOCK_SIZE:table]  # theirs has a boot block's text
    times = slice(table + 12, table + 24)
    assert blanked(ours, times)[table:] == blanked(theirs, times)[table : len(theirs)]


def blanked(image: str, times: Any) -> Any:
    """The image without the root's times, and without what is left in its block's unused end."""
    copy = bytearray(image)
    copy[times] = bytes(12)
    root = int.from_bytes(copy[times.stop : times.stop + 4], "little") * BLOCK_SIZE
    copy[root + 128 : root + BLOCK_SIZE] = bytes(BLOCK_SIZE - 128)
    return bytes(copy)


@pytest.mark.parametrize("blocks", [524_288, 524_289, 2_097_152, 2_097_153, 10_000_000])
def test_mkfs_plans_large_disks_as_mkfs_minix_does(image: str, blocks: int) -> None:
    mkfs(image, blocks)
    with open(image, "rb") as file:
        file.seek(BLOCK_SIZE)
        assert plan(blocks).pack() == file.read(BLOCK_SIZE)


@pytest.mark.parametrize(("blocks", "inodes"), [(9, None), (12, 200), (100, 0), (1 << 30, None)])
def test_mkfs_refuses_what_has_no_room(blocks: int, inodes: int | None) -> None:
    with pytest.raises(OSError, match="blocks") as caught:
        plan(blocks, inodes)
    assert caught.value.errno == errno.EINVAL


@needs_fsck
def test_a_blank_image_is_formatted_and_clean(image: str) -> None:
    with booted(image, 1000):
        assert fsck(image) == ""


def spoil(image: str, offset: Any, data: bytes) -> None:
    with open(image, "r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(
    ("offset", "data", "code", "words"),
    [
        (1024 + 24, b"\0\0", errno.EINVAL, "no MINIX file system"),
        (1024 + 16, b"\x78\x24\0\0\0\0\0\0\0\0", errno.EINVAL, "version 2"),
        (1024 + 28, b"\0\x10", errno.EINVAL, "4096"),
        (1024 + 30, b"\1", errno.EINVAL, "disk version 1"),
        (1024 + 10, b"\1", errno.EINVAL, "2\\^0|2\\^1|contradicts"),
        (1024, b"\0\0\0\0", errno.EUCLEAN, "contradicts itself"),
        (1024 + 8, b"\0", errno.EUCLEAN, "contradicts itself"),
        (1024 + 20, b"\xff\xff", errno.EUCLEAN, "the disk ends|contradicts"),
        (2048, b"\0", errno.EUCLEAN, "damaged"),
    ],
)
def test_what_is_not_ours_is_refused_and_kept(
    image: str, offset: Any, data: bytes, code: int, words: Any
) -> None:
    with booted(image, 1000):
        pass
    spoil(image, offset, data)
    before = Path(image).read_bytes()
    with pytest.raises(OSError, match=words) as caught, mounted(image):
        pass
    assert caught.value.errno in {code, errno.EUCLEAN}
    assert Path(image).read_bytes() == before


@pytest.mark.parametrize("where", [0, 3000, 1000 * 1024 - 1])
def test_anything_that_is_not_blank_is_never_formatted(image: str, where: Any) -> None:
    with open(image, "wb") as file:
        file.truncate(1000 * 1024)
    spoil(image, where, b"x")
    with pytest.raises(OSError, match="no MINIX file system"), mounted(image):
        pass


def test_erase_makes_room_for_a_new_file_system(image: str) -> None:
    Path(image).write_bytes(random.Random(1).randbytes(1000 * 1024))
    config = {Disk: {"image": image, "erase": True}}
    with boot("monolithic", FileSystem, config=config) as system:
        assert system[FileSystem].listdir("/") == ()
    assert fsck(image) == ""


def test_a_truncated_image_is_refused(image: str) -> None:
    with booted(image, 1000):
        pass
    os.truncate(image, 900 * 1024)
    with pytest.raises(OSError, match="1000 blocks, but the disk ends"), mounted(image):
        pass


def test_a_file_system_smaller_than_its_image_leaves_the_tail_alone(image: str) -> None:
    mkfs(image, 500)
    os.truncate(image, 600 * 1024)
    spoil(image, 500 * 1024, b"tail" * 100)
    with booted(image) as system:
        files = system[FileSystem]
        descriptor = files.open("full", os.O_CREAT | os.O_WRONLY)
        while (done := outcome(files.write, descriptor, bytes(100_000)))[0] == "result":
            pass
        assert done == ("error", errno.ENOSPC)
        assert files.statvfs("/").f_bfree == 0
    assert Path(image).read_bytes()[500 * 1024 :].rstrip(b"\0") == b"tail" * 100


def test_a_file_of_the_largest_size(image: str) -> None:
    """Triple indirection, with holes: a sparse file costs what is in it."""
    with booted(image, 2000) as system:
        files = system[FileSystem]
        descriptor = files.open("large", os.O_CREAT | os.O_RDWR)
        places = [0, 7 * 1024 - 1, 263 * 1024, 65_799 * 1024, 0x7FFF_FFFF - 1]
        for place in places:
            assert files.pwrite(descriptor, b"x", place) == 1
        assert files.fstat(descriptor).st_size == 0x7FFF_FFFF
        assert files.fstat(descriptor).st_blocks < 100
        with pytest.raises(OSError, match="too large"):
            files.pwrite(descriptor, b"x", 0x7FFF_FFFF)
        assert files.pwrite(descriptor, b"yy", 0x7FFF_FFFE) == 1
    with booted(image) as system:
        files = system[FileSystem]
        descriptor = files.open("large", os.O_RDWR)
        assert [files.pread(descriptor, 1, place) for place in places] == [*[b"x"] * 4, b"y"]
        free = files.statvfs("/").f_bfree
        used = files.fstat(descriptor).st_blocks // 2
        files.ftruncate(descriptor, 0)
        assert files.statvfs("/").f_bfree == free + used
        assert files.fstat(descriptor).st_blocks == 0
