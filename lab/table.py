"""A run as text for people."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from tabulate import tabulate

from lab.schema import Environment, Ratio, Row, Run
from lab.stats import MIN_VALUES, Interval, quantile

PAGE: Final = 100
"""Columns that running text fills at most."""

NEAR_FLOOR: Final = 10
"""A base cheaper than this many method calls makes its ratios mostly Python's."""

STEADY: Final = 1.25
"""A host whose method calls vary by no more than this factor has kept its speed."""

Show = Callable[[float, Interval | None], str]


def render(run: Run, width: int) -> str:
    """The whole answer to `twinos bench`, for a page of `width` columns."""
    tables = _tables(run, _with_interval)
    if max(map(len, tables.splitlines())) > width:
        tables = _tables(run, _with_half_width)
    notes = (" ".join(_reading(run)), " ".join(_circumstances(run)))
    filled = (textwrap.fill(note, min(width, PAGE), break_long_words=False) for note in notes)
    return "\n\n".join((tables, *filled))


def counters(run: Run) -> str:
    """What each workload takes beside time, by kernel."""
    table = [
        [
            row.workload,
            row.kernel,
            exact(row.requests_per_op),
            exact(row.messages_per_op),
            f"{figure(row.cpu_us)} µs",
            figure(row.switches_per_op),
            f"{row.memory_kib / 1024:,.1f} MiB",
            f"{row.boot_ms:,.0f} ms",
        ]
        for row in run.rows
    ]
    headers = ["workload", "kernel", "requests", "messages", "processor", "switches"]
    return _tabulate(table, [*headers, "memory", "booting"])


def decomposition(run: Run) -> str:
    """Where the time of each workload goes, in µs, by kernel; traced beside not traced."""
    found = run.decompositions
    names = list(found[0].parts_us) if found else []
    table = [
        [
            one.workload,
            one.kernel,
            *(figure(us) for us in one.parts_us.values()),
            figure(sum(one.parts_us.values())),
            figure(one.untraced_us),
            figure(one.traced_us),
        ]
        for one in found
    ]
    headers = ["workload", "kernel", *names, "sum", "untraced", "traced"]
    return _tabulate(table, headers)


def validation(run: Run) -> str:
    """Our counts beside the host's, per operation."""
    table = [
        [
            one.workload,
            one.kernel,
            exact(one.messages_per_op),
            *(figure(one.calls_per_op.get(name, 0.0)) for name in ("read", "write")),
            figure(one.switches_per_op),
        ]
        for one in run.host_counts
    ]
    return _tabulate(table, ["workload", "kernel", "messages", "read", "write", "switches"])


def page_width() -> int:
    """Of the terminal; a page that is no terminal is as wide as need be."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _tables(run: Run, show: Show) -> str:
    return f"{_main_table(run, show)}\n\n{_floor_table(run, show)}"


def figure(value: float) -> str:
    """A number with three digits that count: 0.0512, 8.31, 74.2, 1,254,000."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{sum(abs(value) < bound for bound in (100, 10, 1, 0.1))}f}"


def percent(fraction: float) -> str:
    """A fraction as a percentage, with two or three digits that count."""
    return f"{figure(round(100 * fraction, 1))} %"


def plain_table(table: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    """A table of text, its first column to the left and the others to the right."""
    return _tabulate(table, headers)


def exact(value: float) -> str:
    """A count: an integer, unless an operation is a fraction of what was counted."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _with_interval(value: float, interval: Interval | None) -> str:
    if interval is None:
        return figure(value)
    low, high = interval
    return f"{figure(value)} [{figure(low)}; {figure(high)}]"


def _with_half_width(value: float, interval: Interval | None) -> str:
    if interval is None or value == 0:
        return figure(value)
    low, high = interval
    return f"{figure(value)} ±{max(high - value, value - low) / value:.0%}"


def _main_table(run: Run, show: Show) -> str:
    labels = _labels(run.rows)
    kernels = list(labels)
    silent = _silent(run.rows)
    sending = [kernel for kernel in kernels if kernel not in silent]
    compared = kernels[1:]
    headers = [
        "workload",
        *(f"{label}\nµs" for label in labels.values()),
        *(_named("ratio", labels[kernel], compared) for kernel in compared),
        *(_named("messages", labels[kernel], sending) for kernel in sending),
        *(_named("bytes", labels[kernel], sending) for kernel in sending),
    ]
    rows = {(row.workload, row.kernel): row for row in run.rows}
    ratios = {(ratio.workload, ratio.kernel): ratio for ratio in run.ratios}
    groups = _grouped(run.rows)
    table = [
        [
            name,
            *(_cost(rows[name, kernel], show) for kernel in kernels),
            *(_ratio(ratios[name, kernel], show) for kernel in compared),
            *(exact(rows[name, kernel].messages_per_op) for kernel in sending),
            *(exact(rows[name, kernel].bytes_per_op) for kernel in sending),
        ]
        for names in groups
        for name in names
    ]
    return _with_gaps(_tabulate(table, headers), [len(names) for names in groups])


def _with_gaps(table: str, sizes: Sequence[int]) -> str:
    """The table with an empty line between groups of rows of these sizes."""
    lines = table.splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith("--"))
    ends = accumulate(sizes, initial=rule + 1)
    parts = ["\n".join(lines[start:end]) for start, end in pairwise(ends)]
    return "\n".join((*lines[: rule + 1], "\n\n".join(parts)))


def _grouped(rows: Iterable[Row]) -> list[list[str]]:
    """The names of the workloads, those of a group together."""
    grouped: dict[str, dict[str, None]] = {}
    for row in rows:
        grouped.setdefault(row.group, {})[row.workload] = None
    return [list(names) for names in grouped.values()]


def _cost(row: Row, show: Show) -> str:
    return show(row.median_us, row.ci95_us)


def _ratio(ratio: Ratio, show: Show) -> str:
    return show(ratio.ratio, ratio.ci95)


def _floor_table(run: Run, show: Show) -> str:
    lines = [
        ["a bare method call", f"{figure(run.floors.method_call_us)} µs", ""],
        ["a raw pipe round trip", f"{figure(run.floors.pipe_round_trip_us)} µs", ""],
        *_aims(run, show),
    ]
    return _tabulate(lines, ["floors of this run", "", "aim"])


def _aims(run: Run, show: Show) -> Iterator[list[str]]:
    labels = _labels(run.rows)
    for aim in run.aims:
        holds = aim.over == "method call" or run.environment.placement == "one"
        wanted = f"at most {aim.aim:g}" if holds else ""
        yield [f"null, {labels[aim.kernel]} / {aim.over}", show(aim.ratio, aim.ci95), wanted]


def _reading(run: Run) -> Iterator[str]:
    """How to read the tables."""
    env = run.environment
    yield f"µs: per operation; the median of {env.boots} boots"
    yield (
        "with its 95 % interval." if env.boots >= MIN_VALUES else f"({MIN_VALUES} give intervals)."
    )
    if run.ratios:
        yield f"Ratio: over {run.ratios[0].over}; the median over rounds of one boot of each."
    yield "Messages: between address spaces, per operation, exact; a reply is one too."
    yield from (f"The {kernel} kernel sends none." for kernel in _silent(run.rows))
    labels = _labels(run.rows)
    yield from (f"{labels[name]}: {name}." for name in labels if name != labels[name])
    cheap = _cheap(run)
    if run.ratios and cheap:
        names = ", ".join(cheap)
        yield f"Read the µs before the ratio of {names}: little of it is more than Python's calls."


def _circumstances(run: Run) -> Iterator[str]:
    """Where and how the run was measured."""
    env = run.environment
    yield f"{_where(env)}; seed {env.seed}."
    yield f"{env.cpu_model}, {env.kernel_version}, {env.python}, {_commit(env)}."
    if env.load_before[0] > env.cpu_count / 2:
        yield f"The host was busy (load {env.load_before[0]:.1f}), so expect noise."
    slow, fast = (quantile(run.floors.method_call_boots_us, q) for q in (0.9, 0.1))
    if slow > STEADY * fast:
        yield (
            f"The host changed its speed meanwhile (a method call took {figure(fast)} to "
            f"{figure(slow)} µs): trust ratios more than µs."
        )


def _silent(rows: Sequence[Row]) -> list[str]:
    sending = {row.kernel for row in rows if row.messages_per_op}
    return list(dict.fromkeys(row.kernel for row in rows if row.kernel not in sending))


def _cheap(run: Run) -> list[str]:
    """What costs little more than Python's own overhead, which then makes most of its ratio."""
    near = NEAR_FLOOR * run.floors.method_call_us
    return list(dict.fromkeys(row.workload for row in run.rows if row.median_us < near))


def _where(env: Environment) -> str:
    if env.placement == "one":
        return f"Everything on CPU {env.user_cpu}"
    return f"User on CPU {env.user_cpu}, servers on CPU {env.server_cpu}"


def _commit(env: Environment) -> str:
    if env.commit is None:
        return "no checkout"
    return f"commit {env.commit[:7]}{' with changes' if env.dirty else ''}"


def _named(what: str, label: str, shown: Sequence[str]) -> str:
    """A column's heading: it names its kernel where there are several such columns."""
    return f"{what}\n{label}" if len(shown) > 1 else what


def _labels(rows: Iterable[Row]) -> dict[str, str]:
    """The kernels' names as columns have them: long names of hybrids become numbers."""
    kernels = list(dict.fromkeys(row.kernel for row in rows))
    hybrids = [kernel for kernel in kernels if ":" in kernel]
    number = {kernel: f" {place}" for place, kernel in enumerate(hybrids, 1)}
    if len(hybrids) == 1:
        number = dict.fromkeys(hybrids, "")
    return {kernel: kernel.partition(":")[0] + number.get(kernel, "") for kernel in kernels}


def _tabulate(table: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(table, headers, tablefmt="simple", disable_numparse=True, colalign=align)
