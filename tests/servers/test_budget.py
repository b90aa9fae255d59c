"""What a commit may write is counted before it is too much for the log, and counted once."""

import os
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from lab.crash.judge import mounted
from lab.crash.recorder import Recorder
from servers.filesystem.batch import Batch
from servers.filesystem.check import MemoryImage, check
from servers.filesystem.layout import BLOCK_SIZE
from servers.filesystem.log import Log
from servers.filesystem.logformat import SPAN
from tests.servers.oracle import outcome
from twinos import Caller

ME: Final = Caller(1)
BLOCKS: Final = 6000
LOG: Final = 44
NAMES: Final = tuple(f"{folder}{name}" for folder in ("", "d/", "e/") for name in "abcdefgh")
FOLDERS: Final = ("d", "e", "d/f", "e/f")
PLACES: Final = (0, 7000, 7168, 269_000, 269_312, 67_378_100, 1 << 30, (1 << 31) - 2_000_000)
LENGTHS: Final = (1, 1024, 5000, 300_000, 1 << 20)


class Watched:
    """A file system on a disk with a small log; each commit is compared with what was counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.disk = Recorder(bytes(BLOCKS * BLOCK_SIZE))
        self.files: Any = mounted(self.disk, LOG)
        self.spent: set[object] = self.files._volume.memory.spent
        self.commits = 0
        self.largest = 0
        superblock = self.files._volume._superblock
        self.bitmaps = range(2, superblock.table_start)
        self.zones = superblock.zones * BLOCK_SIZE
        commit = Log.commit

        def watched(log: Log, batch: Batch) -> bool:
            changed = [block for block in batch.blocks if block not in self.bitmaps]
            assert len(changed) <= len(self.spent) + (1 in changed)  # the superblock is for all
            self.commits += 1
            self.largest = max(self.largest, len(changed))
            return commit(log, batch)

        def refuse(*_: Any) -> bool:
            raise AssertionError("a transaction was too large for the log")

        monkeypatch.setattr(Log, "commit", watched)
        monkeypatch.setattr(Log, "_without_log", refuse)

    def call(self, name: str, *arguments: Any) -> Any:
        """Do an operation, and see that it spends no more than the room that is kept for one."""
        before, commits = set(self.spent), self.commits
        result = outcome(getattr(self.files, name), ME, *arguments)
        if commits == self.commits:
            assert len(self.spent - before) < SPAN, name
        return result[1] if result[0] == "result" else None


def operations(watched: Watched, rng: random.Random) -> Iterator[Callable[[], object]]:
    """What changes metadata in every way, for ever."""
    call = watched.call
    held: list[int] = []

    def write() -> None:
        descriptor = call("open", rng.choice(NAMES), os.O_CREAT | os.O_RDWR)
        if descriptor is not None:
            call("pwrite", descriptor, b"x" * rng.choice(LENGTHS), rng.choice(PLACES))
            if rng.random() < 0.2:
                held.append(descriptor)
            else:
                call("close", descriptor)

    def scribble() -> None:
        for descriptor in held:
            call("pwrite", descriptor, b"y" * rng.choice(LENGTHS), rng.choice(PLACES))
            call("posix_fallocate", descriptor, rng.choice(PLACES), 5000)

    def names() -> None:
        for number in range(rng.choice([1, 20, 40])):
            call("link", rng.choice(NAMES), f"{rng.choice(FOLDERS)}/{number}")

    some: list[tuple[int, Callable[[], object]]] = [
        (6, write),
        (2, scribble),
        (1, lambda: [call("close", held.pop()) for _ in held[:]]),
        (1, names),
        (3, lambda: call("unlink", rng.choice(NAMES))),
        (3, lambda: call("truncate", rng.choice(NAMES), rng.choice(PLACES) + rng.choice(LENGTHS))),
        (3, lambda: call("rename", rng.choice(NAMES + FOLDERS), rng.choice(NAMES + FOLDERS))),
        (2, lambda: call("mkdir", rng.choice(FOLDERS))),
        (1, lambda: call("rmdir", rng.choice(FOLDERS))),
        (1, lambda: call("symlink", "t" * 1500, rng.choice(NAMES))),
        (1, lambda: call("chmod", rng.choice(NAMES), 0o600)),
    ]
    weights, actions = zip(*some, strict=True)
    while True:
        yield rng.choices(actions, weights)[0]


@pytest.mark.parametrize("seed", range(10))
def test_no_commit_is_larger_than_what_was_counted(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    watched = Watched(monkeypatch)
    found = operations(watched, random.Random(seed))
    for _ in range(1200):
        next(found)()
    assert watched.commits > 1
    assert watched.largest > 5
    watched.files.sync()
    assert not list(check(MemoryImage(bytearray(watched.disk.contents()[: watched.zones]))))


def test_what_changes_again_and_again_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    descriptor = watched.call("open", "a", os.O_CREAT | os.O_RDWR)
    for number in range(1000):
        watched.call("pwrite", descriptor, b"x" * 5000, 300_000)
        watched.call("rename", "a", "b")
        watched.call("rename", "b", "a")
        watched.call("utime", "a", (number, number))
    assert not watched.commits
    assert len(watched.spent) < 10
