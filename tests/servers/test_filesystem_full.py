"""Where there is no room: the disk, the inodes, the descriptors, the largest size."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest

from servers.filesystem import FileSystem
from tests.servers.images import booted, fsck, mounted, read_file, write_file
from tests.servers.oracle import outcome, snapshot
from twinos import Caller

TIME = 1_000_000_000


@pytest.fixture
def image(tmp_path: Path) -> Any:
    return str(tmp_path / "image")


def content(image: str) -> Any:
    with open(image, "rb") as file:
        return file.read()


def fails(code: int, operation: Any, *arguments: Any) -> None:
    assert outcome(operation, *arguments) == ("error", code)


def fill(files: FileSystem) -> None:
    """Leave no block free."""
    descriptor = files.open("/filler", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    written = 0
    while (done := outcome(files.write, descriptor, b"f" * 300_001))[0] == "result":
        written += done[1]
    assert done == ("error", errno.ENOSPC)
    files.close(descriptor)
    assert files.statvfs("/").f_bfree <= 1  # one more would need an indirect block too
    assert files.stat("/filler").st_size == written


def test_what_does_not_fit_on_the_disk_leaves_no_trace(image: str) -> None:
    with booted(image, 400, time=TIME) as system:
        files = system[FileSystem]
        files.mkdir("/full")
        for number in range(14):  # with `.` and `..` that fills the directory's block
            write_file(files, f"/full/{number}", b"x")
        files.mkdir("/other")
        write_file(files, "/other/file", b"y" * 1500)
        files.truncate("/other/file", 40_000)
        fill(files)
        if files.statvfs("/").f_bfree:
            write_file(files, "/last", b"x")
        room = files.statvfs("/")
        assert room.f_bfree == 0
        before = snapshot(lambda name, *rest: getattr(files, name)(*rest), "/")
        files.sync()
        kept = content(image)
        opened = files.open("/other/file", os.O_RDWR)
        attempts = [
            (files.mkdir, "/other/d"),
            (files.symlink, "target", "/other/l"),
            (files.open, "/full/new", os.O_CREAT | os.O_WRONLY),
            (files.mkdir, "/full/new"),
            (files.link, "/other/file", "/full/new"),
            (files.rename, "/other/file", "/full/new"),
            (files.rename, "/other", "/full/new"),
            (files.mknod, "/full/new"),
            (files.pwrite, opened, b"z", 20_000),
            (files.pwrite, opened, b"z" * 30_000, 8192),
        ]
        for operation, *arguments in attempts:
            fails(errno.ENOSPC, operation, *arguments)
            assert files.statvfs("/") == room
            assert snapshot(lambda name, *rest: getattr(files, name)(*rest), "/") == before
        assert files.pwrite(opened, b"w", 1000) == 1  # what has a block can be written
        files.pwrite(opened, b"y", 1000)
        files.sync()
        assert content(image) == kept
        files.close(opened)


def test_a_write_that_fits_in_part_is_done_in_part(image: str) -> None:
    with booted(image, 200) as system:
        files = system[FileSystem]
        descriptor = files.open("file", os.O_CREAT | os.O_RDWR)
        data = random.Random(2).randbytes(500_000)
        written = files.write(descriptor, data)
        assert 0 < written < len(data)
        assert written % 1024 == 0
        assert files.pread(descriptor, len(data), 0) == data[:written]
        fails(errno.ENOSPC, files.write, descriptor, b"x")
        files.ftruncate(descriptor, 1000)
        assert files.pwrite(descriptor, b"x" * 5000, 1000) == 5000


def test_no_inode_is_left(image: str) -> None:
    with booted(image, 1000, inodes=16, time=TIME) as system:
        files = system[FileSystem]
        for number in range(15):
            write_file(files, f"{number}", b"")
        room = files.statvfs("/")
        assert room.f_ffree == 0
        files.sync()
        kept = content(image)
        fails(errno.ENOSPC, files.open, "new", os.O_CREAT)
        fails(errno.ENOSPC, files.mkdir, "new")
        fails(errno.ENOSPC, files.symlink, "x", "new")
        files.sync()
        assert files.statvfs("/") == room
        assert content(image) == kept
        files.unlink("3")
        write_file(files, "new", b"")


def test_a_nameless_file_is_free_on_the_disk_at_once_and_in_memory_when_closed(image: str) -> None:
    with booted(image, 1000) as system:
        files = system[FileSystem]
        free = files.statvfs("/")
        data = random.Random(4).randbytes(300_000)
        descriptor = files.open("file", os.O_CREAT | os.O_RDWR)
        files.write(descriptor, data)
        files.sync()
        files.unlink("file")
        files.mkdir("d")
        files.chdir("d")
        files.rmdir("/d")
        fails(errno.ENOENT, files.getcwd)
        fails(errno.ENOENT, files.open, "x", os.O_CREAT)
        assert files.listdir() == ()
        assert files.fstat(descriptor).st_nlink == 0
        files.pwrite(descriptor, data[:1000], 400_000)
        files.sync()
        assert fsck(image) == ""
        assert files.pread(descriptor, 300_000, 0) == data
        assert files.pread(descriptor, 1000, 400_000) == data[:1000]
        assert files.statvfs("/").f_bfree < free.f_bfree
        files.close(descriptor)
        files.chdir("/")
        assert files.statvfs("/") == free


def test_who_departs_gives_everything_back(image: str) -> None:
    with booted(image, 1000) as system:
        files = system[FileSystem]
        free = files.statvfs("/")
        with system.user() as user:
            guest = user[FileSystem]
            guest.mkdir("/d")
            guest.chdir("/d")
            for number in range(10):
                guest.write(guest.open(f"{number}", os.O_CREAT | os.O_WRONLY), b"x" * 5000)
                guest.unlink(f"{number}")
            guest.rmdir("/d")
            assert files.statvfs("/") != free
        assert files.statvfs("/") == free


def test_each_caller_has_so_many_descriptors() -> None:
    with mounted(blocks=100, descriptors=5) as files:
        one, other = Caller(1), Caller(2)
        opened = [files.open(one, "/", os.O_RDONLY) for _ in range(5)]
        assert opened == [3, 4, 5, 6, 7]
        fails(errno.EMFILE, files.open, one, "/", os.O_RDONLY)
        fails(errno.EMFILE, files.open, one, "/new", os.O_CREAT)
        fails(errno.EMFILE, files.dup, one, 3)
        assert files.open(other, "/", os.O_RDONLY) == 3
        files.close(one, 5)
        fails(errno.EBADF, files.fstat, one, 5)
        assert files.dup(one, 3) == 5
        assert files.listdir(one) == ()


def test_a_directory_of_ten_thousand_names(image: str) -> None:
    with booted(image, 16_384, inodes=11_000) as system:
        files = system[FileSystem]
        files.mkdir("d")
        names = [f"{number:x}" * 3 for number in range(10_000)]
        for name in names:
            files.close(files.open(f"d/{name}", os.O_CREAT))
        assert sorted(files.listdir("d")) == sorted(names)
        for name in names[::2]:
            files.unlink(f"d/{name}")
    with booted(image) as system:
        files = system[FileSystem]
        assert sorted(files.listdir("d")) == sorted(names[1::2])
        assert read_file(files, f"d/{names[1]}") == b""


def test_more_than_memory_holds(image: str) -> None:
    """A cache of 1 MiB: everything is written back, forgotten, and read again, and is right."""
    rng = random.Random(7)
    with booted(image, 32_768, memory=1 << 20) as system:
        files = system[FileSystem]
        kept = {}
        for number in range(300):
            path = f"{number % 7}/{number}"
            if number < 7:
                files.mkdir(f"{number}")
            kept[path] = rng.randbytes(rng.choice([10, 3000, 50_000]))
            write_file(files, path, kept[path])
            other = rng.choice(list(kept))
            assert read_file(files, other) == kept[other]
        large = files.open("large", os.O_CREAT | os.O_RDWR)
        parts = [rng.randbytes(65_536) for _ in range(8)]
        for number in range(96):
            assert files.write(large, parts[number % 8]) == 65_536
        for number in reversed(range(96)):
            assert files.pread(large, 65_536, number * 65_536) == parts[number % 8]
        for path, data in kept.items():
            assert read_file(files, path) == data
