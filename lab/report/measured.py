"""The chapters that show what was measured."""

from collections.abc import Iterator, Sequence

from lab.drawing import Figure
from lab.figures import Interval, draw_intervals, draw_lines
from lab.report import bootstrap
from lab.report.evidence import Comparison, Evidence, labels, place
from lab.report.model import Block, Box, Chapter, Table, table
from lab.report.prose import said
from lab.schema import Row, Run
from lab.stats import Interval as Range
from lab.table import exact, figure

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


def micro(evidence: Evidence) -> Chapter:
    """Single operations."""
    blocks = (said("micro"), *_by_run(evidence, macro=False), *_baseline(evidence.main))
    return Chapter("micro", "Single operations", blocks)


def _baseline(run: Run) -> Iterator[Block]:
    """The file system of the host, beside ours."""
    if not run.tmpfs_us:
        return
    rows = {(row.kernel, row.workload): row.median_us for row in run.rows}
    kernels = list(dict.fromkeys(row.kernel for row in run.rows))
    times = "times tmpfs, "
    yield said("tmpfs")
    yield table(
        "The same operations on the host's tmpfs, µs",
        ("workload", "tmpfs", *kernels, *(times + kernel for kernel in kernels)),
        (
            [
                name,
                figure(us),
                *(figure(rows[kernel, name]) for kernel in kernels),
                *(figure(rows[kernel, name] / us) for kernel in kernels),
            ]
            for name, us in run.tmpfs_us.items()
        ),
    )


def macro(evidence: Evidence) -> Chapter:
    """Whole programs."""
    blocks: list[Block] = [said("macro")]
    found = [each for run in evidence.plain for each in evidence.of(run, macro=True)]
    if not found:
        blocks.append(Box("Not shown: these runs have no macro workloads."))
    means = [line for run in evidence.plain for line in _means(evidence, run)]
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
    for run in evidence.plain:
        found = evidence.of(run, macro=macro)
        if found:
            what = "whole programs" if macro else "single operations"
            yield ratio_figure(found, f"{what}, {place(run)}")
            yield ratio_table(found, f"{what}, {place(run)}")


def ways(evidence: Evidence) -> Chapter:
    """Other ways to carry messages, and to group services."""
    blocks: list[Block] = [said("ways")]
    for run in sorted(evidence.ways, key=place):
        found = evidence.of(run)
        if found:
            where = f"other ways, {place(run)}"
            blocks += [ratio_figure(found, where), ratio_table(found, where)]
    if len(blocks) == 1:
        blocks.append(Box("Not shown: no run has other transports or groups."))
    return Chapter("ways", "Other ways to carry messages", tuple(blocks))


def ratio_figure(found: Sequence[Comparison], where: str) -> Figure:
    """The ratios of some comparisons and their intervals."""
    over = found[0].ratio.over
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


def ratio_table(found: Sequence[Comparison], where: str) -> Table:
    """All that is known of them."""
    kernels = list(dict.fromkeys(each.row.kernel for each in found))
    several = len(kernels) > 1
    this = "this" if several else kernels[0]
    kernel = ["kernel"] if several else []
    return table(
        f"Cost of an operation, {where}, µs; ratios are over {found[0].ratio.over}",
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


def _size(row: Row) -> float:
    return float(row.options.get("size", 0))
