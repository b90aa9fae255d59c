"""What a system takes of the host beside time: processor time, context switches, memory.

All processes of a system count, so that nothing is called free because another process does it.
The process that measures is one of them: user programs run in it.
"""

import os
import resource
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
_SWITCHES: Final = ("voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:")


class Usage(NamedTuple):
    """What some processes have used so far.

    Attributes:
        cpu_ns: processor time of all their threads, those that have ended included.
        switches: how often the threads that there are now were switched away from.
    """

    cpu_ns: int
    switches: int


def descendants(pid: int, without: Collection[int] = ()) -> list[int]:
    """The processes below a process, but not those in `without` and below."""
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdecimal, os.listdir(_PROC)):
        with suppress(OSError):  # it has ended meanwhile
            fields = (_PROC / entry / "stat").read_text(errors="replace").rpartition(")")[2]
            children.setdefault(int(fields.split()[1]), []).append(int(entry))
    found = []
    wanted = [pid]
    while wanted:
        below = [child for child in children.get(wanted.pop(), []) if child not in without]
        found += below
        wanted += below
    return found


def usage(pids: Iterable[int]) -> Usage:
    """What this process and `pids` have used."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    cpu, switches = time.process_time_ns(), own.ru_nvcsw + own.ru_nivcsw
    for pid in pids:
        with suppress(OSError):
            cpu += time.clock_gettime_ns(_clock_of(pid))
        switches += sum(_switches(pid))
    return Usage(cpu, switches)


def memory_kib(pids: Iterable[int]) -> int:
    """The memory of this process and `pids` in KiB; what n share counts one n-th in each (PSS)."""
    total = 0
    for name in ("self", *map(str, pids)):
        with suppress(OSError):
            lines = (_PROC / name / "smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def _clock_of(pid: int) -> int:
    """The id of the clock of a process's processor time; see MAKE_PROCESS_CPUCLOCK in Linux."""
    scheduled = 2
    return ~pid << 3 | scheduled


def _switches(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                for line in (task / "status").read_text().splitlines():
                    if line.startswith(_SWITCHES):
                        yield int(line.split()[1])
