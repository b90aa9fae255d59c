"""A census: what a system has of the host's processes, descriptors and memory."""

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from kernels import System


class Census(NamedTuple):
    """What was counted.

    Attributes:
        processes: of the system: its kernel's process and all that descend from it.
        descriptors: open in all of them.
        memory_files: mapped by them, counted once each: regions and the like.
        threads: in all of them.
    """

    processes: int
    descriptors: int
    memory_files: int
    threads: int


def count(system: System) -> Census:
    """Count what a system has now."""
    pids = sorted(_family(_kernel_of(system)))
    descriptors, threads, memory = 0, 0, set()
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            threads += len(os.listdir(f"/proc/{pid}/task"))
            for entry in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    target = os.readlink(f"/proc/{pid}/fd/{entry}")
                    descriptors += 1
                    if target.startswith("/memfd:"):
                        memory.add(os.stat(f"/proc/{pid}/fd/{entry}").st_ino)
    return Census(len(pids), descriptors, len(memory), threads)


def resident(system: System) -> int:
    """Bytes that all processes of a system have in memory; what they share counts for each."""
    pages = 0
    for pid in _family(_kernel_of(system)):
        with suppress(FileNotFoundError, ProcessLookupError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def kernel_process(system: System) -> int:
    """The process of the kernel proper."""
    return _kernel_of(system)


def _kernel_of(system: System) -> int:
    server = next(each.pid for each in system.status() if each.pid)
    stat = Path(f"/proc/{server}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def _family(root: int) -> set[int]:
    family, waiting = set(), [root]
    while waiting:
        pid = waiting.pop()
        family.add(pid)
        with suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                children = Path(f"/proc/{pid}/task/{task}/children").read_text()
                waiting += map(int, children.split())
    return family
