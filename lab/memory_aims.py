"""What `twinos bench memory` aims at, from the rows of the run itself."""

from collections.abc import Iterator, Sequence
from typing import Final

from lab.schema import Run
from lab.table import figure, plain_table

BASE: Final = "monolithic"
OTHER: Final = "microkernel"
SLICES_MOST: Final = 15
"""A load or store that hits the TLB, over a slice of a bytearray."""
TRIPS_MOST: Final = 1.6
"""Raw pipe round trips that a fault costs on top of what it costs without messages."""
CONSTANT: Final = 1.25
"""What two figures that ought to be the same may be apart in a run."""

Times = dict[tuple[str, str], float]


def standing(run: Run) -> str:
    """The aims, what grows how, and faults a second; empty: the run is not of memory alone."""
    if {row.group for row in run.rows} != {"memory"}:
        return ""
    times = {(row.workload, row.kernel): row.median_us for row in run.rows}
    pages = {row.workload: int(row.options.get("pages", 0)) for row in run.rows}
    return "\n\n".join(
        plain_table(lines, headers)
        for lines, headers in (
            (list(_aims(times, run.floors.pipe_round_trip_us)), ["memory", "", "aim", ""]),
            (
                list(_forks(times, pages)),
                ["fork", "pages", "tables", "µs", "µs a table", "µs a MiB"],
            ),
            (list(_rates(times)), ["faults a second", BASE, OTHER]),
        )
        if lines
    )


def _aims(times: Times, trip: float) -> Iterator[list[str]]:
    for name in ("load", "store"):
        for kernel in (BASE, OTHER):
            hit, floor = times.get((name, kernel)), times.get((f"slice-{name}", kernel))
            if hit and floor:
                what = f"{name} / slice of a bytearray, {kernel}"
                yield _line(what, hit / floor, SLICES_MOST)
    plain, sent = times.get(("fault-zero", BASE)), times.get(("fault-zero", OTHER))
    if plain and sent:
        bound = TRIPS_MOST * trip + plain
        yield _line(f"fault-zero, {OTHER}, µs; {TRIPS_MOST} pipes + {BASE}", sent, bound)
    for kernel in (BASE, OTHER):
        few, many = times.get(("map-1", kernel)), times.get(("map-262144", kernel))
        if few and many:
            yield _line(f"map 1 GiB / map a page, {kernel}", many / few, CONSTANT)


def _line(what: str, found: float, most: float) -> list[str]:
    return [what, figure(found), f"at most {figure(most)}", "" if found <= most else "missed"]


def _forks(times: Times, pages: dict[str, int]) -> Iterator[list[str]]:
    """Forks by their page tables, under the kernel without messages."""
    found = sorted((tables_of(name, count), name, count) for name, count in pages.items())
    for tables, name, count in found:
        time = times.get((name, BASE))
        if name.startswith("fork-") and time:
            yield [
                name,
                f"{count:,}",
                f"{tables:,}",
                figure(time),
                figure(time / tables),
                figure(256 * time / count),
            ]


def tables_of(name: str, pages: int) -> int:
    """The page tables of so many pages in a row, or each in one of its own; and two above."""
    return (pages if name == "fork-spread" else -(-pages // 512)) + 2


def _rates(times: Times) -> Iterator[list[str]]:
    """Whatever faults once an operation, by kernel, and by policy."""
    kinds = ("fault-", "touch-", "page-")
    for name in dict.fromkeys(name for name, _ in times if name.startswith(kinds)):
        yield [name, *_per_second([times.get((name, kernel)) for kernel in (BASE, OTHER)])]


def _per_second(found: Sequence[float | None]) -> list[str]:
    return [f"{1e6 / time:,.0f}" if time else "" for time in found]
