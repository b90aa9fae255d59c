"""What `twinos bench processes` aims at, from the rows of the run itself, and its throughput."""

from collections.abc import Iterator
from typing import Final

from lab.schema import Run
from lab.table import figure, plain_table

FORKS_MOST: Final = 3
"""Bare forks of the host that a program takes from spawn to its first instruction."""
PIECE_MIB: Final = 64 / 1024

Times = dict[tuple[str, str], float]


def standing(run: Run) -> str:
    """The aims, and what happens a second; empty: the run is not of processes alone."""
    if {row.group for row in run.rows} != {"processes"}:
        return ""
    times = {(row.workload, row.kernel): row.median_us for row in run.rows}
    kernels = list(dict.fromkeys(row.kernel for row in run.rows))
    tables = (
        (list(_aims(times, kernels)), ["processes", "", "aim", ""]),
        (list(_rates(times, kernels, run.rows[0].users)), ["a second", *kernels]),
    )
    return "\n\n".join(plain_table(lines, headers) for lines, headers in tables if lines)


def _aims(times: Times, kernels: list[str]) -> Iterator[list[str]]:
    for kernel in kernels:
        spawn, fork = times.get(("spawn-first", kernel)), times.get(("host-fork", kernel))
        if spawn and fork:
            ratio = spawn / fork
            yield [
                f"spawn to first instruction / bare fork, {kernel}",
                figure(ratio),
                f"at most {FORKS_MOST}",
                "" if ratio <= FORKS_MOST else "missed",
            ]


def _rates(times: Times, kernels: list[str], users: str) -> Iterator[list[str]]:
    """Looks of 1 to 8 clients, and MiB through a pipe."""
    in_kernel = users == "inline"
    for name in dict.fromkeys(name for name, _ in times):
        kind, _, count = name.partition("-")
        if kind in {"clients", "callers"}:
            who = "programs" if kind == "clients" else "threads"
            what = f"looks of {count} {who}" + (", in the kernel's process" if in_kernel else "")
            yield [what, *(_rate(times.get((name, kernel)), 1.0) for kernel in kernels)]
    if any(name == "pipe-64k" for name, _ in times):
        found = [_rate(times.get(("pipe-64k", kernel)), PIECE_MIB) for kernel in kernels]
        yield ["MiB through a pipe", *found]


def _rate(time: float | None, amount: float) -> str:
    return f"{amount * 1e6 / time:,.0f}" if time else ""
