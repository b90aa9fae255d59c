"""The chapters that show what was measured."""

from collections.abc import Iterable, Iterator, Sequence

from lab.decompose import PARTS
from lab.drawing import Figure
from lab.figures import Interval, draw_intervals, draw_lines, draw_parts
from lab.report import bootstrap
from lab.report.evidence import Comparison, Evidence, labels, place
from lab.report.model import Block, Box, Chapter, Table, table
from lab.report.prose import said
from lab.schema import Decomposition, Row, Run
from lab.stats import Interval as Range
from lab.table import exact, figure
from workloads.catalogue import catalogue

HEADERS = (
    "difference",
    "ratio",
    "95 % interval",
    "verdict",
    "requests",
    "messages",
    "bytes",
    "processor time",
    "switches",
)

DRAWN = ("null", "stat", "pread-4k", "create-4k", "list-10k", "read-1m-by-64k", "fault-zero")
"""Single operations whose parts are drawn; the table has those of all."""


def micro(evidence: Evidence) -> Chapter:
    """Single operations."""
    blocks: list[Block] = [said("micro")]
    return Chapter("micro", "Single operations", (*blocks, *_by_run(evidence, macro=False)))


def macro(evidence: Evidence) -> Chapter:
    """Whole programs."""
    blocks: list[Block] = [said("macro")]
    found = [each for run in evidence.runs for each in evidence.of(run, macro=True)]
    if not found:
        blocks.append(Box("Not shown: these runs have no macro workloads."))
    means = [line for run in evidence.runs for line in _means(evidence, run)]
    after: list[Block] = []
    if means:
        after = [
            said("means"),
            table(
                "Geometric means of the ratios above",
                ("where", "kernel", "programs", "geometric mean", "95 % interval"),
                means,
            ),
        ]
    return Chapter("macro", "Whole programs", (*blocks, *_by_run(evidence, macro=True), *after))


def _means(evidence: Evidence, run: Run) -> Iterator[tuple[str, ...]]:
    found = evidence.of(run, macro=True)
    for kernel in dict.fromkeys(each.row.kernel for each in found):
        rounds = [each.rounds for each in found if each.row.kernel == kernel]
        if len(rounds) > 1:
            mean, interval = bootstrap.geometric_mean(rounds)
            yield place(run), kernel, str(len(rounds)), figure(mean), _range(interval)


def _by_run(evidence: Evidence, *, macro: bool) -> Iterator[Block]:
    for run in sorted(evidence.runs, key=lambda run: run is not evidence.main):
        found = evidence.of(run, macro=macro)
        if found:
            where = place(run)
            over = found[0].ratio.over
            yield _ratio_figure(found, where, over)
            yield _ratio_table(found, where)


def _ratio_figure(found: Sequence[Comparison], where: str, over: str) -> Figure:
    rows: dict[str, dict[str, Interval]] = {}
    for each in found:
        low, high = each.ratio.ci95 or (each.ratio.ratio, each.ratio.ratio)
        named = labels([each.row.kernel])[each.row.kernel]
        rows.setdefault(each.row.workload, {})[named] = Interval(each.ratio.ratio, low, high)
    low, high = (pick(each.ratio.ratio for each in found) for pick in (min, max))
    return draw_intervals(
        f"Cost over {over}, {where}",
        f"Ratios of {len(rows)} workloads and their intervals, {figure(low)} to {figure(high)}; a "
        "line marks 1, where both cost the same. The table below has every value.",
        rows,
        label=f"times the cost under the {over} kernel (logarithmic)",
        one=True,
    )


def _ratio_table(found: Sequence[Comparison], where: str) -> Table:
    kernels = list(dict.fromkeys(each.row.kernel for each in found))
    several = len(kernels) > 1
    this = "this" if several else kernels[0]
    kernel = ["kernel"] if several else []
    return table(
        f"Cost of an operation on {where}, µs; ratios are over {found[0].ratio.over}",
        ("workload", *kernel, found[0].ratio.over, this, *HEADERS),
        ([each.row.workload, *[each.row.kernel] * several, *_line(each)] for each in found),
    )


def _line(each: Comparison) -> tuple[str, ...]:
    return (
        figure(each.base.median_us),
        figure(each.row.median_us),
        figure(each.added_us),
        figure(each.ratio.ratio),
        _range(each.ratio.ci95),
        each.verdict,
        exact(each.row.requests_per_op),
        exact(each.row.messages_per_op),
        exact(each.row.bytes_per_op),
        f"{figure(each.base.cpu_us)} → {figure(each.row.cpu_us)}",
        f"{figure(each.base.switches_per_op)} → {figure(each.row.switches_per_op)}",
    )


def payload(evidence: Evidence) -> Chapter:
    """One request with more and more in its reply."""
    rows = list(evidence.rows("payload"))
    blocks: list[Block] = [said("payload")]
    if not rows:
        blocks.append(Box("Not shown: no run has the group payload."))
        return Chapter("payload", "Size of a message", tuple(blocks))
    lines: dict[str, list[tuple[float, Interval]]] = {}
    for run, row in rows:
        lines.setdefault(f"{row.kernel}, {place(run)}", []).append((_size(row), _interval(row)))
    blocks += [
        draw_lines(
            "Cost of a read by its size",
            "The cost of one read rises with its size under every kernel, on logarithmic scales.",
            lines,
            across="bytes read",
            up="µs",
            logarithmic=True,
        ),
        table(
            "Cost of a read by its size, µs",
            ("bytes", *lines),
            _columns(lines, lambda size: f"{size:,.0f}"),
        ),
    ]
    return Chapter("payload", "Size of a message", tuple(blocks))


def scaling(evidence: Evidence) -> Chapter:
    """More jobs at once."""
    rows = list(evidence.rows("aim"))
    blocks: list[Block] = [said("scaling")]
    if not rows:
        blocks.append(Box("Not shown: no run has the group aim."))
        return Chapter("scaling", "More jobs at once", tuple(blocks))
    lines: dict[str, list[tuple[float, Interval]]] = {}
    boots: dict[str, list[tuple[float, Sequence[float]]]] = {}
    for run, row in rows:
        name = f"{row.kernel}, {place(run)}"
        load = float(row.options.get("load", 1))
        lines.setdefault(name, []).append((load, _interval(row)))
        boots.setdefault(name, []).append((load, row.boots_us))
    blocks += [
        draw_lines(
            "Cost of a job by the number of jobs",
            "A line for each kernel and placement; the scale of costs starts at 0.",
            lines,
            across="jobs at once",
            up="µs per job",
        ),
        table(
            "Cost of a job, µs, by the number of jobs",
            ("jobs", *lines),
            _columns(lines, lambda load: f"{load:.0f}"),
        ),
        table(
            "What one job more adds to the cost of each (slope; a bootstrap over boots)",
            ("where", "slope, µs", "95 % interval"),
            _slopes(boots),
        ),
    ]
    return Chapter("scaling", "More jobs at once", tuple(blocks))


def _slopes(
    boots: dict[str, list[tuple[float, Sequence[float]]]],
) -> Iterator[tuple[str, ...]]:
    for name, samples in boots.items():
        if len(samples) > 1:
            found, interval = bootstrap.slope(
                [load for load, _ in samples], [s for _, s in samples]
            )
            yield name, figure(found), _range(interval)


def decomposition(evidence: Evidence) -> Chapter:
    """Where the time goes."""
    found = [(run, each) for run in evidence.runs for each in run.decompositions]
    blocks: list[Block] = [
        said("decomposition"),
        table("The parts", ("part", "what is in it"), PARTS.items(), words=True),
    ]
    if not found:
        blocks.append(Box("Not shown: no run was traced (`twinos bench --decompose`)."))
        return Chapter("decomposition", "Where the time goes", tuple(blocks))
    shares = {
        f"{each.workload}, {_short(each.kernel)}": each.parts_us
        for run, each in found
        if run is evidence.main and _is_drawn(each)
    }
    if shares:
        blocks.append(
            draw_parts(
                "Shares of an operation's time",
                "For each workload and kernel a bar, made of the parts of its time; under the "
                "microkernel switching is most of what small requests take. The table has values.",
                shares,
                label="% of the time without stamps",
            )
        )
    blocks.append(
        table(
            "The parts of an operation's time, µs",
            ("workload", "kernel", *PARTS, "sum", "untraced", "traced"),
            (
                (
                    each.workload,
                    each.kernel,
                    *(figure(each.parts_us.get(part, 0.0)) for part in PARTS),
                    figure(sum(each.parts_us.values())),
                    figure(each.untraced_us),
                    figure(each.traced_us),
                )
                for _, each in found
            ),
        )
    )
    return Chapter("decomposition", "Where the time goes", (*blocks, *_validation(evidence)))


def _is_drawn(each: Decomposition) -> bool:
    known = catalogue().get(each.workload)
    chosen = each.workload in DRAWN or (known is not None and known.macro)
    return chosen and sum(each.parts_us.values()) > 0


def _validation(evidence: Evidence) -> Iterator[Block]:
    found = [(run, each) for run in evidence.runs for each in run.host_counts]
    if not found:
        yield Box("Not shown: the host's own count of system calls (`twinos bench --validate`).")
        return
    yield said("validation")
    yield table(
        "Our count of messages beside the host's counts, per operation",
        ("workload", "kernel", "where", "messages", "write", "read", "context switches"),
        (
            (
                each.workload,
                each.kernel,
                place(run),
                exact(each.messages_per_op),
                figure(each.calls_per_op.get("write", 0.0)),
                figure(each.calls_per_op.get("read", 0.0)),
                figure(each.switches_per_op),
            )
            for run, each in found
        ),
    )


def memory(evidence: Evidence) -> Chapter:
    """Memory and start-up."""
    lines: dict[tuple[str, str], list[Row]] = {}
    for run in evidence.runs:
        for row in run.rows:
            lines.setdefault((row.kernel, place(run)), []).append(row)
    return Chapter(
        "memory",
        "Memory and start-up",
        (
            said("memory"),
            table(
                "Memory and start-up; the least and the most over workloads",
                ("kernel", "where", "memory, MiB", "start-up, ms"),
                (
                    (
                        kernel,
                        where,
                        _span(row.memory_kib / 1024 for row in rows),
                        _span(row.boot_ms for row in rows),
                    )
                    for (kernel, where), rows in lines.items()
                ),
            ),
        ),
    )


def _columns(
    lines: dict[str, list[tuple[float, Interval]]], show: object
) -> Iterator[tuple[str, ...]]:
    places = sorted({place for points in lines.values() for place, _ in points})
    values = [dict(points) for points in lines.values()]
    for where in places:
        shown = show(where) if callable(show) else str(where)
        yield shown, *(_point(column.get(where)) for column in values)


def _point(point: Interval | None) -> str:
    return (
        ""
        if point is None
        else f"{figure(point.value)} [{figure(point.low)}; {figure(point.high)}]"
    )


def _interval(row: Row) -> Interval:
    low, high = row.ci95_us or (row.median_us, row.median_us)
    return Interval(row.median_us, low, high)


def _range(interval: Range | None) -> str:
    return "" if interval is None else f"{figure(interval[0])} to {figure(interval[1])}"


def _span(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{figure(found[0])} to {figure(found[-1])}"


def _size(row: Row) -> float:
    return float(row.options.get("size", 0))


def _short(kernel: str) -> str:
    return {"monolithic": "mono", "microkernel": "micro"}.get(kernel, kernel)
