"""How long what others do stalls a small request: a slow device, a large read, a computing job."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from threading import Event, Thread
from typing import Any, Final

from kernels import boot
from lab.debate.evidence import Finding, Measure, Setting
from lab.placement import pinned
from lab.stats import median_interval, quantile
from servers.filesystem import FileSystem
from servers.slowdisk import SlowDisk
from servers.slowfiles import OverlappedFileSystem, SlowFileSystem
from twinos import Service
from workloads.files import put
from workloads.workload import Users

WAYS: Final[Mapping[str, tuple[str, type[FileSystem]]]] = {
    "monolithic": ("monolithic", SlowFileSystem),
    "microkernel": ("microkernel", SlowFileSystem),
    "overlapped microkernel": ("microkernel", OverlappedFileSystem),
}
"""By name: a kernel, and a file system that serves one request at a time or overlaps its waits."""

PAGE: Final = 4096
LARGE: Final = 1 << 20
COLD: Final = 4096
"""Pages of the file that the jobs read: sixteen times what the file system may keep."""
REQUESTS: Final = 150
QUICK_REQUESTS: Final = 60
PAUSE_S: Final = 0.0005
"""Between two small requests, as of somebody who types."""
SHARE: Final = 0.99
_CONFIG: Final[Mapping[str, Any]] = {"blocks": 32768, "speed": 10.0}

Job = Callable[[Users, type[FileSystem], Event], None]


def stalls(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """How long a small request waits beside jobs, over how long it waits alone.

    The small request reads a page that is in memory. Beside it: `device`, reads of single pages
    from a slow disk; `large`, reads of 1 MiB from it; `computing`, another process on the same
    processor; and `all` of them. No parameters. Measures: `stall JOB, WAY`, the 99th percentile
    over that of the requests alone; `alone WAY`, in µs.
    """
    del parameters
    found: dict[str, list[float]] = {}
    requests = QUICK_REQUESTS if setting.quick else REQUESTS
    with pinned(setting.cpus.user):
        for number in range(setting.boots):
            for way in random.Random(setting.seed + number).sample(list(WAYS), len(WAYS)):
                for name, value in _boot(setting, way, requests):
                    found.setdefault(name, []).append(value)
    return Finding(
        [
            Measure(
                name, median(values), median_interval(values), unit="µs" * name.startswith("alone")
            )
            for name, values in sorted(found.items())
        ],
        notes=["the disk is ten times as fast as one of 2000"],
    )


def _boot(setting: Setting, way: str, requests: int) -> Iterator[tuple[str, float]]:
    kernel, files = WAYS[way]
    config: Mapping[type[Service], Mapping[str, Any]] = {
        SlowDisk: _CONFIG,
        files: {"memory": 1 << 20},
    }
    with boot(kernel, files, config=config, cpus={setting.cpus.server}) as system:
        fs = system[files]
        put(fs, "/hot", b"h" * PAGE)
        put(fs, "/cold", b"c" * (COLD * PAGE))
        fs.sync()
        hot = fs.open("/hot", os.O_RDONLY)

        def ask() -> None:
            if fs.pread(hot, PAGE, 0) != b"h" * PAGE:
                raise AssertionError("a page came back changed")

        alone = _wait(ask, requests)
        yield f"alone {way}", alone / 1000
        for name, jobs in JOBS.items():
            with _beside(system, files, jobs):
                yield f"stall {name}, {way}", _wait(ask, requests) / alone


def _wait(ask: Callable[[], None], requests: int) -> float:
    """The 99th percentile of how long a request takes, in ns."""
    ask()
    taken = []
    for _ in range(requests):
        time.sleep(PAUSE_S)
        start = time.perf_counter_ns()
        ask()
        taken.append(time.perf_counter_ns() - start)
    return quantile(taken, SHARE)


@contextmanager
def _beside(users: Users, files: type[FileSystem], jobs: Sequence[Job]) -> Iterator[None]:
    """Jobs that work until the block is left."""
    ended = Event()
    threads = [Thread(target=job, args=(users, files, ended), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _device(users: Users, files: type[FileSystem], ended: Event) -> None:
    _read(users, files, ended, PAGE)


def _large(users: Users, files: type[FileSystem], ended: Event) -> None:
    _read(users, files, ended, LARGE)


def _read(users: Users, files: type[FileSystem], ended: Event, size: int) -> None:
    lots = random.Random(size)
    with users.user() as user:
        fs = user[files]
        fd = fs.open("/cold", os.O_RDONLY)
        while not ended.is_set():
            fs.pread(fd, size, lots.randrange(COLD * PAGE // size) * size)


def _computing(users: Users, files: type[FileSystem], ended: Event) -> None:
    """A process, not a thread: a thread of ours would hold up the one that asks."""
    del users, files
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) as process:
        ended.wait()
        process.kill()


JOBS: Final[Mapping[str, Sequence[Job]]] = {
    "device": (_device,),
    "large": (_large,),
    "computing": (_computing,),
    "all": (_device, _large, _computing),
}
