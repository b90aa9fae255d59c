"""The figures of a report, as SVG (extra `report`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from lab import replay
from lab.drawing import DASHES, FAINT, INK, MARKERS, SERIES, Figure, drawing, plain, to_svg
from lab.machines import Machine
from lab.replay import Counts


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with what may be its range."""

    value: float
    low: float
    high: float


def draw_intervals(
    title: str,
    about: str,
    rows: Mapping[str, Mapping[str, Interval]],
    *,
    label: str,
    one: bool = False,
) -> Figure:
    """A line for each row, a point with its interval for each series, on a logarithmic scale.

    Args:
        title: of the figure.
        about: for those who can't see it.
        rows: by name, values by series.
        label: of the scale.
        one: whether the scale includes 1, which is marked.
    """
    series = list(dict.fromkeys(name for row in rows.values() for name in row))
    with drawing(7.2, 0.9 + 0.24 * len(rows)) as (canvas, axes):
        for number, name in enumerate(series):
            shift = 0.32 * ((number + 0.5) / len(series) - 0.5)
            found = [(place, row[name]) for place, row in enumerate(rows.values()) if name in row]
            axes.errorbar(
                [each.value for _, each in found],
                [place + shift for place, _ in found],
                xerr=[
                    [max(each.value - each.low, 0) for _, each in found],
                    [max(each.high - each.value, 0) for _, each in found],
                ],
                fmt=MARKERS[number % len(MARKERS)],
                color=SERIES[number % len(SERIES)],
                markersize=5,
                linewidth=1.6,
                label=name,
            )
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.tick_params(length=0)
        if one:
            axes.axvline(1, color=INK, linewidth=1)
            low, high = axes.get_xlim()
            axes.set_xlim(min(low, 0.9), max(high, 1.1))
        plain(axes.xaxis)
        if len(series) > 1:
            canvas.legend(loc="outside upper left", ncols=3)
    return Figure(title, about, to_svg(canvas))


def draw_parts(
    title: str, about: str, rows: Mapping[str, Mapping[str, float]], *, label: str
) -> Figure:
    """A bar for each row, made of its parts as shares of their sum."""
    parts = list(dict.fromkeys(name for row in rows.values() for name in row))
    hatches = ("", "///", "...", "", "\\\\\\", "xxx", "")
    with drawing(7.2, 1.1 + 0.3 * len(rows)) as (canvas, axes):
        starts = [0.0] * len(rows)
        for number, part in enumerate(parts):
            shares = [max(row.get(part, 0.0), 0.0) / _positive(row) * 100 for row in rows.values()]
            axes.barh(
                range(len(rows)),
                shares,
                left=starts,
                height=0.7,
                color=SERIES[number % len(SERIES)],
                hatch=hatches[number % len(hatches)],
                edgecolor="#ffffff",
                linewidth=0.5,
                label=part,
            )
            starts = [start + share for start, share in zip(starts, shares, strict=True)]
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, 100)
        axes.set_xlabel(label)
        axes.tick_params(length=0)
        axes.grid(visible=False, axis="y")
        canvas.legend(loc="outside upper left", ncols=4)
    return Figure(title, about, to_svg(canvas))


def draw_lines(
    title: str,
    about: str,
    lines: Mapping[str, Sequence[tuple[float, Interval]]],
    *,
    across: str,
    up: str,
    logarithmic: bool = False,
) -> Figure:
    """A line for each series, its points with intervals; scales start at 0, or are logarithms."""
    with drawing(7.2, 3.6) as (canvas, axes):
        for number, (name, points) in enumerate(lines.items()):
            axes.errorbar(
                [place for place, _ in points],
                [each.value for _, each in points],
                yerr=[
                    [max(each.value - each.low, 0) for _, each in points],
                    [max(each.high - each.value, 0) for _, each in points],
                ],
                fmt=MARKERS[number % len(MARKERS)] + DASHES[number % len(DASHES)],
                color=SERIES[number % len(SERIES)],
                markersize=5,
                linewidth=1.6,
                label=name,
            )
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        if logarithmic:
            axes.set_xscale("log")
            axes.set_yscale("log")
            plain(axes.xaxis)
        else:
            axes.set_xticks(sorted({place for points in lines.values() for place, _ in points}))
            axes.set_ylim(bottom=0)
        plain(axes.yaxis)
        axes.tick_params(length=0)
        canvas.legend(loc="outside upper left", ncols=2)
    return Figure(title, about, to_svg(canvas))


def draw_over_time(
    title: str,
    about: str,
    lines: Mapping[str, Sequence[float]],
    *,
    step: float,
    marks: Mapping[str, Sequence[float]],
    up: str,
) -> Figure:
    """A panel for each series, one value each `step` seconds; arrows mark instants."""
    with drawing(7.2, 1.9 * len(lines) + 0.4) as (canvas, whole):
        whole.remove()
        panels = canvas.subplots(len(lines), 1, sharex=True, sharey=True, squeeze=False)
        for number, ((name, values), (axes,)) in enumerate(zip(lines.items(), panels, strict=True)):
            times = [step * place for place in range(len(values) + 1)]
            colour = SERIES[number % len(SERIES)]
            axes.stairs(values, times, color=colour, linewidth=1.6, baseline=0)
            axes.set_title(name, loc="left", size=10, color=INK)
            top = max(max(each) for each in lines.values()) or 1
            within = [mark for mark in marks.get(name, ()) if mark <= times[-1]]
            (drawn,) = axes.plot(
                within, [1.06 * top] * len(within), "v", color=INK, markersize=5, clip_on=False
            )
            drawn.set_in_layout(False)  # it stands above the panel
            axes.set_ylabel(up)
            axes.set_ylim(0, 1.1 * top)
            axes.set_xlim(0, times[-1])
            axes.tick_params(length=0)
            plain(axes.yaxis)
        panels[-1][0].set_xlabel("seconds")
    return Figure(title, about, to_svg(canvas))


def draw_sweep(
    counted: Sequence[Counts], machines: Sequence[Machine], work: float = replay.WORK
) -> Figure:
    """The overhead of each workload over the price of a message in null calls."""
    prices = [0.25 * 1.1**step for step in range(54)]
    lines = _distinct(list(replay.sweep(counted, prices, work)))
    with drawing(7.2, 4.4) as (canvas, axes):
        looks = cycle(zip(SERIES, cycle(DASHES), strict=False))
        for (name, line), (colour, dash) in zip(lines.items(), looks, strict=False):
            percents = [100 * each for each in line.overheads]
            axes.plot(line.prices, percents, dash, color=colour, linewidth=1.8, label=name)
        axes.axhline(100 * replay.TOLERATED, color=INK, linewidth=1)
        axes.annotate(
            "5 %", (prices[0], 100 * replay.TOLERATED), (2, 3), textcoords="offset points"
        )
        for number, machine in enumerate(sorted(machines, key=_price)):
            axes.axvline(_price(machine), color=FAINT, linewidth=1.2)
            height = (900, 90)[number % 2]  # neighbours at different heights
            text = f" {machine.id}"
            axes.text(_price(machine), height, text, rotation=90, va="top", ha="right", size=8)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(1, 1000)
        axes.set_xlim(prices[0], prices[-1])
        axes.set_xlabel("price of a message, in null calls of the machine")
        axes.set_ylabel("overhead, %")
        axes.tick_params(length=0)
        plain(axes.xaxis)
        plain(axes.yaxis)
        canvas.legend(loc="outside upper left", ncols=2)
    about = (
        f"{len(lines)} lines rise with the price of a message; a horizontal line marks 5 %, and "
        "vertical lines the published prices of machines. The table below has the values."
    )
    return Figure("Overhead over the price of a message", about, to_svg(canvas))


def _price(machine: Machine) -> float:
    """A message of the machine, in its null calls; 0: it has no such price."""
    if machine.message is None or machine.null_call is None:
        return 0.0
    return machine.message.middle / machine.null_call.middle


def _distinct(lines: Sequence[replay.Line]) -> dict[str, replay.Line]:
    """Lines by name; workloads with one and the same line share it."""
    names: dict[tuple[float, ...], list[str]] = {}
    by_overheads = {}
    for line in lines:
        key = tuple(round(each, 3) for each in line.overheads)
        names.setdefault(key, []).append(line.counts.workload)
        by_overheads[key] = line
    return {_listed(names[key]): by_overheads[key] for key in sorted(names, reverse=True)[:14]}


def _listed(names: Sequence[str], most: int = 2) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - most} more" if len(unique) > most else ""
    return ", ".join(unique[:most]) + more


def _positive(row: Mapping[str, float]) -> float:
    return sum(max(value, 0.0) for value in row.values()) or 1.0
