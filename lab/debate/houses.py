"""Experiments that break something: what a fault in one service does to the others."""

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from kernels import System, boot
from lab.debate.evidence import Finding, Measure, Setting
from servers.clock import Clock
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from twinos import Service, op
from workloads.files import put

KERNELS: Final = ("monolithic", "microkernel")
FILES: Final = 20
FILE_SIZE: Final = 300_000
CACHE: Final = 1 << 20
"""Bytes that the file system may keep: less than the files, or their damage would not be seen."""
SCRIBBLED: Final = 16 << 20
"""Bytes at the start of each region that the stray pointer writes over."""


class Faulty(Service):
    """A service with a bug, and one with a stray pointer."""

    @op
    def bug(self) -> None:
        """Divide by zero."""
        _ = 1 / 0

    @op
    def scribble(self) -> int:
        """Write over all memory that services keep, as far as this process can; how many bytes."""
        return sum(_scribble(start, size) for start, size in _kept())


def bug(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """How many of the other services still answer when one of them met a bug.

    Measures: `survivors KERNEL`, a share.
    """
    del setting, parameters
    measures = []
    for kernel in KERNELS:
        with _booted(kernel) as system:
            asked = _questions(system)
            with suppress(Exception):  # that is the bug
                system[Faulty].bug()
            answered = sum(_answers(question) for question in asked)
        measures.append(Measure(f"survivors {kernel}", answered / len(asked), exact=True))
    return Finding(measures, notes=["services: file system, memory manager, clock"])


def wild_write(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What one service can destroy of the others' memory with a pointer gone astray.

    It writes over the start of every region that it finds in its own address space. Measures:
    `files lost KERNEL`, the share of files that can't be read back as they were, and
    `bytes KERNEL`, which it wrote over; `difference`, of the shares.
    """
    del setting, parameters
    measures = []
    for kernel in KERNELS:
        with _booted(kernel) as system:
            fs = system[FileSystem]
            contents = {f"/{number}": os.urandom(FILE_SIZE) for number in range(FILES)}
            for path, data in contents.items():
                put(fs, path, data)
            fs.sync()
            written = 0
            with suppress(Exception):  # it may not live to tell
                written = system[Faulty].scribble()
            lost = sum(not _answers(_reads(fs, path, data)) for path, data in contents.items())
        measures += [
            Measure(f"files lost {kernel}", lost / FILES, exact=True),
            Measure(f"bytes {kernel}", written, exact=True),
        ]
    shares = [measure.value for measure in measures if measure.name.startswith("files lost")]
    return Finding([*measures, Measure("difference", shares[0] - shares[1], exact=True)])


@contextmanager
def _booted(kernel: str) -> Iterator[System]:
    """A system in processes of its own: what is destroyed there is nothing of ours."""
    config: Mapping[type[Service], Mapping[str, Any]] = {FileSystem: {"memory": CACHE}}
    made = boot(kernel, FileSystem, MemoryManager, Clock, Faulty, users="process", config=config)
    with _ended(made) as system:
        yield system


@contextmanager
def _ended(system: System) -> Iterator[System]:
    """A system that is shut down, though it may be past doing that in good order."""
    try:
        yield system
    finally:
        with suppress(Exception):
            system.close()


def _questions(system: System) -> list[Callable[[], bool]]:
    """One question to each service; whether it is answered."""
    fs, memory, clock = system[FileSystem], system[MemoryManager], system[Clock]
    return [
        lambda: fs.stat("/").st_ino > 0,
        lambda: memory.meminfo().frames > 0,
        lambda: clock.null() is None,
    ]


def _reads(fs: FileSystem, path: str, wanted: bytes) -> Callable[[], bool]:
    def read() -> bool:
        fd = fs.open(path, os.O_RDONLY)
        return fs.read(fd, len(wanted) + 1) == wanted

    return read


def _answers(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except Exception:  # noqa: BLE001 (whatever it is, it is no answer)
        return False


def _kept() -> Iterator[tuple[int, int]]:
    """The regions of services in this address space: where, and how large."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, access, *_, name = line.split(maxsplit=5)
        if "memfd:twinos:" in name and "w" in access and ":bulk" not in name:
            start, end = (int(each, 16) for each in span.split("-"))
            yield start, end - start


def _scribble(start: int, size: int) -> int:
    most = min(size, SCRIBBLED)
    ctypes.memset(start, 0xA5, most)
    return most
