"""Requests that need no disk, beside a client who has the disk busy: in turn, or overlapped.

One client syncs what it has written, or reads what is not in memory, again and again; three others
look at what is in memory, or make small files, which a file system that writes back does in memory.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event, Thread
from typing import Final

from servers.filesystem import FileSystem
from servers.slowdisk import SlowDisk
from servers.slowfiles import OverlappedFileSystem, SlowFileSystem
from workloads.overlap import COLD, DISK, HOT, MEMORY, PAGE, page_of, written
from workloads.workload import Operation, Options, Program, Users, equals, together, workload

CLIENTS: Final = 3

Step = Callable[[FileSystem, int], bool]
"""What a client does, with a number of its own each time; whether it came out right."""


def _variants(name: str) -> dict[str, Options]:
    return {
        f"{name}-{what}-{busy}": {"what": what, "busy": busy}
        for what in ("look", "make")
        for busy in ("sync", "miss")
    }


@workload(
    "overlap",
    _variants("queued"),
    config={SlowDisk: DISK, SlowFileSystem: MEMORY},
    macro=True,
    extra=True,
)
def queued(users: Users, fs: SlowFileSystem, what: str, busy: str, requests: int = 48) -> Program:
    """Three clients {what}, beside one that has the disk busy ({busy}); one request at a time."""
    yield from _measured(users, SlowFileSystem, fs, what, busy, requests)


@workload(
    "overlap",
    _variants("beside"),
    config={SlowDisk: DISK, OverlappedFileSystem: MEMORY},
    macro=True,
    extra=True,
)
def beside(
    users: Users, fs: OverlappedFileSystem, what: str, busy: str, requests: int = 48
) -> Program:
    """Three clients {what}, beside one that has the disk busy ({busy}); waits overlap."""
    yield from _measured(users, OverlappedFileSystem, fs, what, busy, requests)


def _measured(
    users: Users, service: type[FileSystem], fs: FileSystem, what: str, busy: str, requests: int
) -> Program:
    written(fs, "/hot", HOT)
    if busy == "miss":
        written(fs, "/cold", COLD)
    with ExitStack() as leaving:
        *clients, at_disk = (
            leaving.enter_context(users.user())[service] for _ in range(CLIENTS + 1)
        )
        share = requests // CLIENTS
        right: list[bool] = []

        def work(number: int) -> None:
            mine = range(number * share, (number + 1) * share)
            right.extend(_STEPS[what](clients[number], at) for at in mine)

        def all_of_them() -> int:
            right.clear()
            with _again_and_again(_STEPS[busy], at_disk):
                together(partial(work, number) for number in range(CLIENTS))
            return sum(right)

        yield Operation(all_of_them, check=equals(share * CLIENTS), ops=share * CLIENTS)


@contextmanager
def _again_and_again(step: Step, files: FileSystem) -> Iterator[None]:
    """Meanwhile a client does that, and nothing else."""
    over = Event()

    def work() -> None:
        at = 0
        while not over.is_set() and step(files, at):
            at += 1

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _look(files: FileSystem, at: int) -> bool:
    fd = files.open("/hot", os.O_RDONLY)
    data = files.pread(fd, PAGE, at % HOT * PAGE)
    files.close(fd)
    return data == page_of(at % HOT)


def _make(files: FileSystem, at: int) -> bool:
    fd = files.open(f"/{at}", os.O_CREAT | os.O_RDWR)
    size = files.write(fd, b"small")
    files.close(fd)
    files.unlink(f"/{at}")
    return size == len(b"small")


def _sync(files: FileSystem, at: int) -> bool:
    fd = files.open("/mine", os.O_CREAT | os.O_RDWR)
    size = files.pwrite(fd, page_of(at), 0)
    files.fsync(fd)
    files.close(fd)
    return size == PAGE


def _miss(files: FileSystem, at: int) -> bool:
    page = at * 1009 % COLD
    fd = files.open("/cold", os.O_RDONLY)
    data = files.pread(fd, PAGE, page * PAGE)
    files.close(fd)
    return data == page_of(page)


_STEPS: Final[Mapping[str, Step]] = {"look": _look, "make": _make, "sync": _sync, "miss": _miss}
