"""Figures as SVG, drawn by matplotlib (extra `report`).

Lines and letters take the page's colours where a figure is set into one, so the same figure is
light on a light page and dark on a dark one. Colours of series are those of Okabe and Ito, which
people see apart however they see colours; series differ in marker and dash, too.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final

from lab import replay
from lab.machines import Machine
from lab.refusal import Refusal
from lab.replay import Counts

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import FuncFormatter, NullFormatter
except ModuleNotFoundError as _error:
    raise Refusal(
        f"figures take the package {_error.name}: pip install 'twinos[report]'."
    ) from None

INK: Final = "#1b1f24"
FAINT: Final = "#c9ced6"
SERIES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7a7a7a")
"""After Okabe and Ito; their yellow is too light for lines, so an ochre stands in for it."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final = ("-", "--", "-.", ":")

_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twinos",
    "font.family": ["sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure.

    Attributes:
        title: what it shows, in a few words.
        about: what is to be seen, for those who can't see it.
        svg: the drawing.
    """

    title: str
    about: str
    svg: str

    @property
    def standalone(self) -> str:
        """The drawing as a file of its own, on white."""
        start = self.svg.index(">", self.svg.index("<svg")) + 1
        paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return f"{self.svg[:start]}{paper}{self.svg[start:]}"

    def inline(self, number: int) -> str:
        """The drawing, to be set into a page as its figure of this number."""
        drawing = self.svg[self.svg.index("<svg") :]
        drawing = re.sub(r'\bid="', f'id="f{number}-', drawing)
        drawing = re.sub(r'href="#', f'href="#f{number}-', drawing)
        drawing = re.sub(r"url\(#", f"url(#f{number}-", drawing)
        for colour, variable in _VARIABLES.items():
            drawing = re.sub(
                f"{colour}", f"var({variable}, {colour})", drawing, flags=re.IGNORECASE
            )
        drawing = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", drawing)
        names = f'role="img" aria-labelledby="f{number}-t f{number}-d"'
        told = (
            f'<title id="f{number}-t">{_escaped(self.title)}</title>'
            f'<desc id="f{number}-d">{_escaped(self.about)}</desc>'
        )
        start = drawing.index(">") + 1
        head = re.sub(r' (width|height)="[^"]*"', "", drawing[: start - 1])
        return f"{head} {names}>{told}{drawing[start:]}"


_VARIABLES: Final = {
    INK: "--ink",
    FAINT: "--line",
    **{colour: f"--s{number}" for number, colour in enumerate(SERIES, 1)},
}


@contextmanager
def _drawing(width: float, height: float) -> Iterator[tuple[Canvas, Any]]:
    with mpl.rc_context(_STYLE):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        yield canvas, canvas.subplots()


def _svg(canvas: Canvas) -> str:
    text = io.StringIO()
    with mpl.rc_context(_STYLE):
        canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": "TwinOS"})
    return text.getvalue()


def _plain(axis: Any) -> None:
    """Numbers on an axis as people write them, not as powers of ten."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


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
    with _drawing(7.2, 0.9 + 0.24 * len(rows)) as (canvas, axes):
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
        _plain(axes.xaxis)
        if len(series) > 1:
            canvas.legend(loc="outside upper left", ncols=3)
    return Figure(title, about, _svg(canvas))


def draw_parts(
    title: str, about: str, rows: Mapping[str, Mapping[str, float]], *, label: str
) -> Figure:
    """A bar for each row, made of its parts as shares of their sum."""
    parts = list(dict.fromkeys(name for row in rows.values() for name in row))
    hatches = ("", "///", "...", "", "\\\\\\", "xxx", "")
    with _drawing(7.2, 1.1 + 0.3 * len(rows)) as (canvas, axes):
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
    return Figure(title, about, _svg(canvas))


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
    with _drawing(7.2, 3.6) as (canvas, axes):
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
            _plain(axes.xaxis)
        else:
            axes.set_xticks(sorted({place for points in lines.values() for place, _ in points}))
            axes.set_ylim(bottom=0)
        _plain(axes.yaxis)
        axes.tick_params(length=0)
        canvas.legend(loc="outside upper left", ncols=3)
    return Figure(title, about, _svg(canvas))


def draw_sweep(
    counted: Sequence[Counts], machines: Sequence[Machine], work: float = replay.WORK
) -> Figure:
    """The overhead of each workload over the price of a message in null calls."""
    prices = [0.25 * 1.1**step for step in range(54)]
    lines = _distinct(list(replay.sweep(counted, prices, work)))
    with _drawing(7.2, 4.4) as (canvas, axes):
        looks = cycle(zip(SERIES, cycle(DASHES), strict=False))
        for (name, line), (colour, dash) in zip(lines.items(), looks, strict=False):
            percents = [100 * each for each in line.overheads]
            axes.plot(line.prices, percents, dash, color=colour, linewidth=1.8, label=name)
        axes.axhline(100 * replay.TOLERATED, color=INK, linewidth=1)
        axes.annotate(
            "5 %", (prices[0], 100 * replay.TOLERATED), (2, 3), textcoords="offset points"
        )
        for machine in machines:
            if machine.message and machine.null_call:
                price = machine.message.middle / machine.null_call.middle
                axes.axvline(price, color=FAINT, linewidth=1.2)
                axes.text(price, 900, f" {machine.id}", rotation=90, va="top", ha="right", size=8)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(1, 1000)
        axes.set_xlim(prices[0], prices[-1])
        axes.set_xlabel("price of a message, in null calls of the machine")
        axes.set_ylabel("overhead, %")
        axes.tick_params(length=0)
        _plain(axes.xaxis)
        _plain(axes.yaxis)
        canvas.legend(loc="outside upper left", ncols=2)
    about = (
        f"{len(lines)} lines rise with the price of a message; a horizontal line marks 5 %, and "
        "vertical lines the published prices of machines. The table below has the values."
    )
    return Figure("Overhead over the price of a message", about, _svg(canvas))


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


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
