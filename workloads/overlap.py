"""The multithreaded file system: clients that read from a slow disk, in turn or overlapped.

Each client reads pages at random: of a file that is in memory (a hit), or of one that is sixteen
times as large as memory (nearly always a miss). The disk is ten times as fast as one of 2000, so
that a run is short; a miss still takes fifty times as long as a hit.
"""

import os
import random
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from servers.filesystem import FileSystem
from servers.slowdisk import SlowDisk
from servers.slowfiles import OverlappedFileSystem, SlowFileSystem
from workloads.workload import Operation, Options, Program, Users, equals, together, workload

PAGE: Final = 4096
HOT: Final = 64
COLD: Final = 4096
"""Pages of the two files."""

DISK: Final = {"blocks": 32768, "speed": 10.0}
MEMORY: Final = {"memory": 1 << 20}


def _variants(name: str) -> dict[str, Options]:
    return {
        f"{name}-{clients}-{hits}": {"clients": clients, "hits": hits}
        for clients in (1, 4, 16)
        for hits in (0, 50, 90, 100)
    }


@workload(
    "overlap",
    _variants("serial"),
    config={SlowDisk: DISK, SlowFileSystem: MEMORY},
    macro=True,
    extra=True,
)
def serial(
    users: Users, fs: SlowFileSystem, clients: int, hits: int, requests: int = 192
) -> Program:
    """{clients} clients read pages, of which {hits} % are in memory; one request at a time."""
    yield from _read(users, SlowFileSystem, fs, clients, hits, requests)


@workload(
    "overlap",
    _variants("overlap"),
    config={SlowDisk: DISK, OverlappedFileSystem: MEMORY},
    macro=True,
    extra=True,
)
def overlapped(
    users: Users, fs: OverlappedFileSystem, clients: int, hits: int, requests: int = 192
) -> Program:
    """{clients} clients read pages, of which {hits} % are in memory; waits overlap."""
    yield from _read(users, OverlappedFileSystem, fs, clients, hits, requests)


def _read(
    users: Users,
    service: type[FileSystem],
    fs: FileSystem,
    clients: int,
    hits: int,
    requests: int,
) -> Program:
    fill(fs)
    with ExitStack() as leaving:
        readers = []
        for number in range(clients):
            files = leaving.enter_context(users.user())[service]
            readers.append(Reader(files, number, hits, requests // clients))
        yield Operation(lambda: run(readers), check=equals(0), ops=requests // clients * clients)


def fill(fs: FileSystem) -> None:
    """Make the two files that readers read."""
    written(fs, "/cold", COLD)
    written(fs, "/hot", HOT)


def written(fs: FileSystem, name: str, pages: int) -> None:
    """Make a file of so many pages, all of them on the disk."""
    fd = fs.open(name, os.O_CREAT | os.O_RDWR)
    for start in range(0, pages, 256):
        count = min(256, pages - start)
        fs.write(fd, b"".join(page_of(number) for number in range(start, start + count)))
    fs.fsync(fd)
    fs.close(fd)


class Reader:
    """One client.

    Args:
        files: its file system, which was filled.
        number: of the client, and its seed.
        hits: how many of a hundred pages are in memory.
        requests: how many pages it reads.

    Attributes:
        wrong: how many of them were.
    """

    def __init__(self, files: FileSystem, number: int, hits: int, requests: int) -> None:
        self._files = files
        self._chance = random.Random(number)
        self._hits = hits
        self._requests = requests
        self._hot = files.open("/hot", os.O_RDONLY)
        self._cold = files.open("/cold", os.O_RDONLY)
        for page in range(HOT):
            files.pread(self._hot, PAGE, page * PAGE)
        self.wrong = 0

    def run(self) -> None:
        """Read, and count what is wrong."""
        self.wrong = self._requests
        for _ in range(self._requests):
            hot = self._chance.randrange(100) < self._hits
            page = self._chance.randrange(HOT if hot else COLD)
            data = self.read(self._hot if hot else self._cold, page)
            self.wrong -= data == page_of(page)

    def read(self, descriptor: int, page: int) -> bytes:
        """Read a page."""
        return self._files.pread(descriptor, PAGE, page * PAGE)


def run(readers: Sequence[Reader]) -> int:
    """Have all of them read at the same time; how many pages were wrong."""
    together(reader.run for reader in readers)
    return sum(reader.wrong for reader in readers)


def page_of(number: int) -> bytes:
    """What a page of the files holds."""
    return number.to_bytes(4, "little") * (PAGE // 4)
