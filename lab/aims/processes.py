"""What `twinos bench processes` aims at, from the rows of the run itself, and its throughput."""

from collections.abc import Iterator
from typing import Final

from lab.aims import Times, aim, per_second, tables, times_of
from lab.schema import Run

FORKS_MOST: Final = 3
"""Bare forks of the host that a program takes from spawn to its first instruction."""
PIECE_MIB: Final = 64 / 1024


def standing(run: Run) -> str:
    """The aims, and what happens a second; empty: the run is not of processes alone."""
    if {row.group for row in run.rows} != {"processes"}:
        return ""
    times = times_of(run)
    kernels = list(dict.fromkeys(row.kernel for row in run.rows))
    return tables(
        (_aims(times, kernels), ["processes", "", "aim", ""]),
        (_rates(times, kernels, run.rows[0].users), ["a second", *kernels]),
    )


def _aims(times: Times, kernels: list[str]) -> Iterator[list[str]]:
    for kernel in kernels:
        spawn, fork = times.get(("spawn-first", kernel)), times.get(("host-fork", kernel))
        if spawn and fork:
            what = f"spawn to first instruction / bare fork, {kernel}"
            yield aim(what, spawn / fork, FORKS_MOST)


def _rates(times: Times, kernels: list[str], users: str) -> Iterator[list[str]]:
    """Looks of 1 to 8 clients, and MiB through a pipe."""
    in_kernel = users == "inline"
    for name in dict.fromkeys(name for name, _ in times):
        kind, _, count = name.partition("-")
        if kind in {"clients", "callers"}:
            who = "programs" if kind == "clients" else "threads"
            what = f"looks of {count} {who}" + (", in the kernel's process" if in_kernel else "")
            yield [what, *(per_second(times.get((name, kernel))) for kernel in kernels)]
    if any(name == "pipe-64k" for name, _ in times):
        found = [per_second(times.get(("pipe-64k", kernel)), PIECE_MIB) for kernel in kernels]
        yield ["MiB through a pipe", *found]
