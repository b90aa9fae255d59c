"""What no mix shows: names in a large directory, and a tree of the host that is imported."""

import random
import sysconfig
from itertools import islice
from pathlib import PurePath
from time import perf_counter_ns
from typing import Final, NamedTuple

from kernels import boot
from lab.image_entry import Entry
from lab.image_host import read_directory
from lab.image_system import FilesWriter
from lab.image_transfer import transfer
from lab.placement import Cpus
from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.tree import SKIPPED

FEW: Final = 100
MANY: Final = 10_000
CHOSEN: Final = 50
"""Files that are looked up, by chance: as many in either directory, so that as much is cached."""
LOOKUPS: Final = 40
"""How often each is, in a round."""
FILES: Final = 2000
ROUNDS: Final = 5


class Alone(NamedTuple):
    """What a kernel comes to.

    Attributes:
        lookup: how many times as long a name takes among `MANY` as among `FEW`, round by round.
        imported: files of Python's standard library a second, round by round.
    """

    lookup: list[float]
    imported: list[float]


def alone(kernel: str, cpus: Cpus) -> Alone:
    """Measure a kernel by itself, on disks in memory."""
    with boot(kernel, FileSystem, cpus={cpus.user}) as system:
        lookup = _lookups(system[FileSystem])
    library = _library()
    return Alone(lookup, [_import(kernel, cpus, library) for _ in range(ROUNDS)])


def _lookups(files: FileSystem) -> list[float]:
    rng = random.Random(MANY)
    paths = {count: _crowd(files, count, rng) for count in (FEW, MANY)}
    _time(files, paths[MANY])  # once cached
    return [_time(files, paths[MANY]) / _time(files, paths[FEW]) for _ in range(ROUNDS)]


def _crowd(files: FileSystem, count: int, rng: random.Random) -> list[str]:
    """Make a directory of so many files; some of their paths, by chance."""
    files.mkdir(f"/{count}")
    for number in range(count):
        files.mknod(f"/{count}/file{number}")
    return [f"/{count}/file{rng.randrange(count)}" for _ in range(CHOSEN)] * LOOKUPS


def _time(files: FileSystem, paths: list[str]) -> int:
    start = perf_counter_ns()
    for path in paths:
        files.stat(path)
    return perf_counter_ns() - start


def _import(kernel: str, cpus: Cpus, library: list[Entry]) -> float:
    with boot(kernel, FileSystem, config={Disk: {"blocks": 256 << 10}}, cpus={cpus.user}) as system:
        files = system[FileSystem]
        start = perf_counter_ns()
        transfer(iter(library), FilesWriter(files, "/"), "import")
        files.sync()
        return FILES * 1e9 / (perf_counter_ns() - start)


def _library() -> list[Entry]:
    """The first `FILES` files of the standard library, and the directories that they are in.

    Their contents are read when they are imported. The search for them is no part of that: it goes
    through what others have installed there, too, which may be many times as much.
    """
    entries = read_directory(sysconfig.get_path("stdlib"))
    return list(islice((entry for entry in entries if not _is_skipped(entry.path)), FILES))


def _is_skipped(path: str) -> bool:
    return any(PurePath(part).match(skipped) for part in path.split("/") for skipped in SKIPPED)
