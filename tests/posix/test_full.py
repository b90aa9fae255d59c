"""A disk that is full, or out of inodes, in the middle of an operation: it leaves no trace.

Each operation is tried with every number of free blocks that may matter. It is done, or it fails
with ENOSPC and the whole tree and the free counts are as before. (The host has no such small disk.)
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.servers.images import Bound, fsck, mounted
from tests.servers.oracle import comparable
from twinos import Caller

WHO: Final = Caller(1)
MOST: Final = 8
"""Free blocks from which on every operation here is done."""

OPERATIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "open": lambda fs: fs.open("/full/new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda fs: fs.mkdir("/d/new"),
    "mkdir in a full block": lambda fs: fs.mkdir("/full/new"),
    "mknod": lambda fs: fs.mknod("/full/new", stat.S_IFCHR | 0o600, 5),
    "mkfifo": lambda fs: fs.mkfifo("/full/new"),
    "symlink": lambda fs: fs.symlink("t" * 3000, "/d/new"),
    "symlink in a full block": lambda fs: fs.symlink("t", "/full/new"),
    "link": lambda fs: fs.link("/f", "/full/new"),
    "rename": lambda fs: fs.rename("/f", "/full/new"),
    "rename a directory": lambda fs: fs.rename("/d", "/full/new"),
    "write": lambda fs: fs.pwrite(fs.open("/f", os.O_WRONLY), b"x" * 1000, 9000),
    "write over an indirect block": lambda fs: fs.pwrite(
        fs.open("/holes", os.O_WRONLY), b"x" * 1000, 300_000
    ),
    "write far away": lambda fs: fs.pwrite(fs.open("/holes", os.O_WRONLY), b"x" * 1000, 70_000_000),
    "append": lambda fs: fs.write(fs.open("/f", os.O_WRONLY | os.O_APPEND), b"x" * 1024),
    "fallocate": lambda fs: fs.posix_fallocate(fs.open("/holes", os.O_WRONLY), 0, 3000),
    "fallocate far away": lambda fs: fs.posix_fallocate(fs.open("/holes", os.O_WRONLY), 300_000, 1),
    "copy": lambda fs: fs.copy_file_range(
        fs.open("/f", os.O_RDONLY), fs.open("/holes", os.O_WRONLY), 1000
    ),
}


@contextmanager
def furnished(image: str) -> Iterator[Any]:
    with mounted(image, blocks=600, inodes=64, erase=True, time=1_000_000_000) as service:
        fs: Any = Bound(service, WHO)
        fs.mkdir("/full")
        for number in range(14):  # with `.` and `..` that fills a block
            fs.mknod(f"/full/{number}")
        fs.mkdir("/d")
        fd = fs.open("/f", os.O_CREAT | os.O_WRONLY)
        fs.write(fd, b"f" * 5000)
        fs.close(fd)
        fs.mknod("/holes")
        fs.truncate("/holes", 80_000_000)
        yield fs
        service._stopping()


def leave(fs: Any, blocks: int) -> None:
    """Have so many blocks free and no more."""
    while (free := fs.statvfs("/").f_bfree) > blocks:
        # A file of one to seven blocks needs no other; its name has a place in the root's block.
        fd = fs.open(f"/filler{free}", os.O_CREAT | os.O_WRONLY)
        fs.truncate(f"/filler{free}", 0)
        fs.write(fd, b"x" * min(free - blocks, 300) * 1024)
        while fs.statvfs("/").f_bfree < blocks:
            fs.ftruncate(fd, fs.fstat(fd).st_size - 1024)
        fs.close(fd)


def state(fs: Any) -> Any:
    """All that can be seen, the free counts included."""
    found: dict[str, Any] = {"/": fs.stat("/")}
    pending = ["/"]
    while pending:
        top = pending.pop()
        for name in fs.listdir(top):
            path = f"{top.rstrip('/')}/{name}"
            status = fs.lstat(path)
            found[path] = comparable(status), status
            if stat.S_ISDIR(status.st_mode):
                pending.append(path)
            elif stat.S_ISREG(status.st_mode):
                fd = fs.open(path, os.O_RDONLY)
                found[path] += (fs.read(fd, 20_000), fs.pread(fd, 2000, 300_000))
                fs.close(fd)
    return found, fs.statvfs("/")


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_room_on_the_disk(tmp_path: Path, name: str) -> None:
    image = str(tmp_path / "image")
    outcomes = []
    for free in range(MOST + 1):
        with furnished(image) as fs:
            leave(fs, free)
            assert fs.statvfs("/").f_bfree == free
            before = state(fs)
            outcomes.append(done_or_not(fs, OPERATIONS[name]))
            if not outcomes[-1]:
                assert state(fs) == before
        assert fsck(image) == ""
    assert outcomes == sorted(outcomes)
    assert outcomes[-1]
    assert not outcomes[0] or name in NEED_NO_ROOM


NEED_NO_ROOM: Final = frozenset(["append"])  # the last block has some; a write may come short


def done_or_not(fs: Any, operation: Callable[[Any], Any]) -> bool:
    try:
        operation(fs)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    finally:
        fs.closerange(3, 1024)
    return True


@pytest.mark.parametrize(
    "name", ["open", "mkdir", "mkdir in a full block", "mknod", "mkfifo", "symlink"]
)
def test_no_inode_left(tmp_path: Path, name: str) -> None:
    image = str(tmp_path / "image")
    with furnished(image) as fs:
        for number in range(fs.statvfs("/").f_ffree):
            fs.mkfifo(f"/{number}")
        before = state(fs)
        assert before[1].f_ffree == 0
        assert not done_or_not(fs, OPERATIONS[name])
        assert state(fs) == before
        fs.rename("/0", "/d/0")  # what needs no inode still works
        fs.link("/f", "/d/f")
        fs.unlink("/1")
        assert done_or_not(fs, OPERATIONS[name])
    assert fsck(image) == ""
