"""What a flood of requests costs another client: `python benchmarks/flood.py`.

Under each kernel, its services in processes of their own, one client looks at a directory, again
and again. Beside it a program with 64 threads, as many as a caller may have requests under way,
does the same as fast as it can. It is stopped and goes on (SIGSTOP, SIGCONT) in slices that take
turns, so quiet and flood see the same host. Told are the median and the 99th percentile of the
client's requests in both, and the median over pairs of slices of the percentiles' ratio.
"""

import argparse
import os
import signal
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from tabulate import tabulate

from kernels import boot
from kernels.boot import REQUESTS
from servers.disk import Disk
from servers.filesystem import FileSystem

AIM: Final = 3.0
"""The 99th percentile beside a flood over the quiet one: at most."""
SLICE: Final = 0.2
"""Seconds."""


def flood(user: Any, threads: int) -> None:
    """Ask for ever, with so many threads."""
    files = user[FileSystem]

    def ask() -> None:
        while True:
            files.stat("/")

    for _ in range(threads - 1):
        threading.Thread(target=ask, daemon=True).start()
    ask()


def asked(files: FileSystem, seconds: float) -> list[float]:
    """Microseconds that each of some requests took, sorted."""
    taken, end = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        files.stat("/")
        taken.append((time.perf_counter() - start) * 1e6)
    return sorted(taken)


def percentile(taken: list[float], part: float) -> float:
    """The value below which that part lies; `taken` is sorted."""
    return taken[int(len(taken) * part)]


def measure(kernel: str, threads: int, pairs: int) -> list[str]:
    """A row of the table."""
    with boot(kernel, FileSystem, users="process", config={Disk: {"blocks": 4096}}) as system:
        files = system[FileSystem]
        program = system.process(flood, threads)
        time.sleep(1.0)
        quiet: list[list[float]] = []
        flooded: list[list[float]] = []
        for _ in range(pairs):
            os.kill(program.pid, signal.SIGSTOP)
            time.sleep(SLICE / 4)
            quiet.append(asked(files, SLICE))
            os.kill(program.pid, signal.SIGCONT)
            time.sleep(SLICE / 4)
            flooded.append(asked(files, SLICE))
        program.kill()
        program.join()
    both = list(zip(quiet, flooded, strict=True))
    ratio = statistics.median(percentile(b, 0.99) / percentile(a, 0.99) for a, b in both)
    told = [middle(each, part) for part in (0.5, 0.99) for each in (quiet, flooded)]
    return [kernel, *told, f"{ratio:.2f}", f"at most {AIM:g}"]


def middle(slices: list[list[float]], part: float) -> str:
    """The median of a percentile over slices."""
    return f"{statistics.median(percentile(taken, part) for taken in slices):.1f}"


def main() -> None:
    """Measure both kernels, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=REQUESTS, help="of the flooding program")
    parser.add_argument("--pairs", type=int, default=25, help="of a quiet slice and one beside it")
    given = parser.parse_args()
    rows = [measure(k, given.threads, given.pairs) for k in ("monolithic", "microkernel")]
    headers = ["kernel", "quiet µs", "flooded", "quiet 99 % µs", "flooded", "ratio", "aim"]
    print(tabulate(rows, headers, disable_numparse=True))  # noqa: T201 (a script's output)


if __name__ == "__main__":
    main()
