"""Micro workloads of the file system, after lmbench and UnixBench."""

import os
import random
from typing import Final

from servers.filesystem import FileSystem, Stat
from workloads.workload import Operation, Program, WrongResultError, equals, workload

BATCH: Final = 20
"""Files that one call of a `create` workload makes and deletes."""
CROWD: Final = 100
"""Entries of the directory in which `rename` and `link` work."""

SIZES: Final = {"1": 1, "4k": 4096}


def content(size: int) -> bytes:
    """Bytes that no two blocks have in common; the same ones each time."""
    return random.Random(size).randbytes(size)


def put(fs: FileSystem, path: str, data: bytes) -> None:
    """Make a file that holds `data`."""
    fd = fs.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        if data and fs.write(fd, data) != len(data):
            raise WrongResultError(f"{path}: a short write")
    finally:
        fs.close(fd)


def crowd(fs: FileSystem, directory: str, count: int) -> list[str]:
    """Make a directory of `count` empty files; their names, sorted."""
    fs.mkdir(directory)
    names = [f"{number:05}" for number in range(count)]
    for name in names:
        fs.mknod(f"{directory}/{name}")
    return names


def clear(fs: FileSystem, directory: str) -> None:
    """Remove a directory of files."""
    for name in fs.listdir(directory):
        fs.unlink(f"{directory}/{name}")
    fs.rmdir(directory)


@workload("files", {f"pread-{name}": {"size": size} for name, size in SIZES.items()})
def pread(fs: FileSystem, size: int) -> Program:
    """Read {size:,} B at the start of an open file, by pread."""
    data = content(size)
    put(fs, "/pread", data)
    fd = fs.open("/pread", os.O_RDONLY)
    yield Operation(lambda: fs.pread(fd, size, 0), check=equals(data))
    fs.close(fd)
    fs.unlink("/pread")


@workload("files", {f"pwrite-{name}": {"size": size} for name, size in SIZES.items()})
def pwrite(fs: FileSystem, size: int) -> Program:
    """Write {size:,} B over the start of an open file, by pwrite."""
    data = content(size)
    put(fs, "/pwrite", bytes(size))
    fd = fs.open("/pwrite", os.O_RDWR)
    yield Operation(lambda: fs.pwrite(fd, data, 0), check=equals(size))
    equals(data)(fs.pread(fd, size + 1, 0))
    fs.close(fd)
    fs.unlink("/pwrite")


@workload("files", {f"read-{name}": {"size": size} for name, size in SIZES.items()})
def read(fs: FileSystem, size: int) -> Program:
    """Go to the start of an open file and read {size:,} B: lseek and read."""
    data = content(size)
    put(fs, "/read", data)
    fd = fs.open("/read", os.O_RDONLY)

    def rewind_and_read() -> bytes:
        fs.lseek(fd, 0, os.SEEK_SET)
        return fs.read(fd, size)

    yield Operation(rewind_and_read, check=equals(data))
    fs.close(fd)
    fs.unlink("/read")


@workload("files", {f"write-{name}": {"size": size} for name, size in SIZES.items()})
def write(fs: FileSystem, size: int) -> Program:
    """Go to the start of an open file and write {size:,} B over it: lseek and write."""
    data = content(size)
    put(fs, "/write", bytes(size))
    fd = fs.open("/write", os.O_RDWR)

    def rewind_and_write() -> int:
        fs.lseek(fd, 0, os.SEEK_SET)
        return fs.write(fd, data)

    yield Operation(rewind_and_write, check=equals(size))
    equals(data)(fs.pread(fd, size + 1, 0))
    fs.close(fd)
    fs.unlink("/write")


@workload("files", {"stat": {"depth": 1}, "stat-deep": {"depth": 8}})
def stat(fs: FileSystem, depth: int) -> Program:
    """Stat a file by its path; components of the path: {depth}."""
    folders = ["/" + "/".join(f"d{n}" for n in range(1, level)) for level in range(2, depth + 1)]
    for folder in folders:
        fs.mkdir(folder)
    path = f"{folders[-1] if folders else ''}/stat"
    put(fs, path, content(100))

    def check(found: Stat) -> None:
        equals(100)(found.st_size)

    yield Operation(lambda: fs.stat(path), check)
    fs.unlink(path)
    for folder in reversed(folders):
        fs.rmdir(folder)


@workload("files")
def fstat(fs: FileSystem) -> Program:
    """Stat an open file by its descriptor."""
    put(fs, "/fstat", content(100))
    fd = fs.open("/fstat", os.O_RDONLY)

    def check(found: Stat) -> None:
        equals(100)(found.st_size)

    yield Operation(lambda: fs.fstat(fd), check)
    fs.close(fd)
    fs.unlink("/fstat")


@workload("files")
def open_close(fs: FileSystem) -> Program:
    """Open and close one existing file."""
    put(fs, "/open-close", b"")
    yield Operation(lambda: fs.close(fs.open("/open-close", os.O_RDONLY)))
    fs.unlink("/open-close")


@workload(
    "files",
    {f"create-{kib}k" if kib else "create-0": {"size": kib * 1024} for kib in (0, 1, 4, 10)},
)
def create(fs: FileSystem, size: int) -> Program:
    """Make a file of {size:,} B (open, write, close) and unlink it; 20 in one directory."""
    data = content(size)
    fs.mkdir("/create")
    paths = [f"/create/{number}" for number in range(BATCH)]

    def make_and_delete() -> None:
        for path in paths:
            put(fs, path, data)
        for path in paths:
            fs.unlink(path)

    yield Operation(make_and_delete, ops=BATCH)
    equals(())(fs.listdir("/create"))
    fs.rmdir("/create")


@workload("files")
def rename(fs: FileSystem) -> Program:
    """Rename a file in a directory of 100 entries."""
    names = crowd(fs, "/rename", CROWD)

    def there_and_back() -> None:
        fs.rename("/rename/00050", "/rename/renamed")
        fs.rename("/rename/renamed", "/rename/00050")

    yield Operation(there_and_back, ops=2)
    equals(names)(sorted(fs.listdir("/rename")))
    clear(fs, "/rename")


@workload("files")
def link(fs: FileSystem) -> Program:
    """Link a file to a second name in a directory of 100 entries, and unlink that."""
    names = crowd(fs, "/link", CROWD)

    def link_and_unlink() -> None:
        fs.link("/link/00050", "/link/linked")
        fs.unlink("/link/linked")

    yield Operation(link_and_unlink)
    equals(names)(sorted(fs.listdir("/link")))
    clear(fs, "/link")


@workload("files", {"lookup-100": {"count": 100}, "lookup-10k": {"count": 10_000}})
def lookup(fs: FileSystem, count: int) -> Program:
    """Stat 20 files by their names in a directory of {count:,} entries."""
    names = crowd(fs, "/lookup", count)
    paths = [f"/lookup/{name}" for name in random.Random(count).sample(names, BATCH)]

    def look() -> list[int]:
        return [fs.stat(path).st_size for path in paths]

    yield Operation(look, check=equals([0] * BATCH), ops=BATCH)
    clear(fs, "/lookup")


@workload("files", {"list-100": {"count": 100}, "list-10k": {"count": 10_000}})
def listing(fs: FileSystem, count: int) -> Program:
    """List a directory of {count:,} entries."""
    names = crowd(fs, "/list", count)

    def check(found: tuple[str, ...]) -> None:
        equals(names)(sorted(found))

    yield Operation(lambda: fs.listdir("/list"), check)
    clear(fs, "/list")
