"""The host's own count of system calls, to hold ours against.

`strace -c` counts the calls of all processes of a station. Two stations do the same, but for the
number of operations: the difference is what operations take, whatever booting did.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lab.dispatch import dispatch
from lab.schema import HostCount, Row
from lab.station import Job

TRACER: Final = "strace"
_TRACED: Final = f'exec {TRACER} -f -qq -c -o "$0" "$@" $$'
"""The tracer, with the number of the process that it becomes, which is the station's parent."""
CALLS: Final = (50, 150)
"""Calls that the two stations make of a workload."""
RARE: Final = 0.01
"""System calls that an operation makes less often are left out."""
CHECKED: Final = ("null", "pread-4k", "create-1k")
"""Workloads whose counts are held against the host's."""


def missing() -> str:
    """Why nothing can be counted here; empty: it can."""
    return "" if shutil.which(TRACER) else f"{TRACER} is not installed"


def count(rows: Sequence[Row], job: Job) -> Iterator[HostCount]:
    """Count for those rows that are checked.

    Args:
        rows: of a run.
        job: a boot of the same kind; its kernel and workload are replaced.
    """
    for row in rows:
        if row.workload in CHECKED and row.messages_per_op:
            (few, done), (many, all_done) = (_calls(row, job, calls) for calls in CALLS)
            per_op = {
                name: (many.get(name, 0) - few.get(name, 0)) / (all_done - done)
                for name in sorted(few | many)
            }
            yield HostCount(
                workload=row.workload,
                kernel=row.kernel,
                messages_per_op=row.messages_per_op,
                switches_per_op=row.switches_per_op,
                calls_per_op={name: calls for name, calls in per_op.items() if calls >= RARE},
            )


def _calls(row: Row, job: Job, calls: int) -> tuple[dict[str, int], float]:
    """System calls by name of a station that makes so many calls, and its operations."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary"
        again = Job(
            kernel=row.kernel,
            users=row.users,
            cpus=job.cpus,
            mode="repeat",
            workloads={row.workload: row.options},
            calls=calls,
        )
        done = dispatch(again, ("sh", "-c", _TRACED, str(summary)))
        return read(summary.read_text()), calls * done.costs[row.workload].requests


def read(summary: str) -> dict[str, int]:
    """The calls by name in what `strace -c` prints."""
    found = {}
    for line in summary.splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[3].isdecimal() and fields[-1] != "total":
            found[fields[-1]] = int(fields[3])
    return found
