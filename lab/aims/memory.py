"""What `twinos bench memory` aims at, from the rows of the run itself."""

from collections.abc import Iterator
from typing import Final

from lab.aims import Times, aim, per_second, tables, times_of
from lab.schema import Run
from lab.table import figure

BASE: Final = "monolithic"
OTHER: Final = "microkernel"
SLICES_MOST: Final = 15
"""A load or store that hits the TLB, over a slice of a bytearray."""
TRIPS_MOST: Final = 1.6
"""Raw pipe round trips that a fault costs on top of what it costs without messages."""
CONSTANT: Final = 1.25
"""What two figures that ought to be the same may be apart in a run."""


def standing(run: Run) -> str:
    """The aims, what grows how, and faults a second; empty: the run is not of memory alone."""
    if {row.group for row in run.rows} != {"memory"}:
        return ""
    times = times_of(run)
    pages = {row.workload: int(row.options.get("pages", 0)) for row in run.rows}
    return tables(
        (_aims(times, run.floors.pipe_round_trip_us), ["memory", "", "aim", ""]),
        (_forks(times, pages), ["fork", "pages", "tables", "µs", "µs a table", "µs a MiB"]),
        (_rates(times), ["faults a second", BASE, OTHER]),
    )


def _aims(times: Times, trip: float) -> Iterator[list[str]]:
    for name in ("load", "store"):
        for kernel in (BASE, OTHER):
            hit, floor = times.get((name, kernel)), times.get((f"slice-{name}", kernel))
            if hit and floor:
                what = f"{name} / slice of a bytearray, {kernel}"
                yield aim(what, hit / floor, SLICES_MOST)
    plain, sent = times.get(("fault-zero", BASE)), times.get(("fault-zero", OTHER))
    if plain and sent:
        bound = TRIPS_MOST * trip + plain
        yield aim(f"fault-zero, {OTHER}, µs; {TRIPS_MOST} pipes + {BASE}", sent, bound)
    for kernel in (BASE, OTHER):
        few, many = times.get(("map-1", kernel)), times.get(("map-262144", kernel))
        if few and many:
            yield aim(f"map 1 GiB / map a page, {kernel}", many / few, CONSTANT)


def _forks(times: Times, pages: dict[str, int]) -> Iterator[list[str]]:
    """Forks by their page tables, under the kernel without messages."""
    found = sorted((tables_of(name, count), name, count) for name, count in pages.items())
    for count_of_tables, name, count in found:
        time = times.get((name, BASE))
        if name.startswith("fork-") and time:
            yield [
                name,
                f"{count:,}",
                f"{count_of_tables:,}",
                figure(time),
                figure(time / count_of_tables),
                figure(256 * time / count),
            ]


def tables_of(name: str, pages: int) -> int:
    """The page tables of so many pages in a row, or each in one of its own; and two above."""
    return (pages if name == "fork-spread" else -(-pages // 512)) + 2


def _rates(times: Times) -> Iterator[list[str]]:
    """Whatever faults once an operation, by kernel, and by policy."""
    kinds = ("fault-", "touch-", "page-")
    for name in dict.fromkeys(name for name, _ in times if name.startswith(kinds)):
        yield [name, *(per_second(times.get((name, kernel))) for kernel in (BASE, OTHER))]
