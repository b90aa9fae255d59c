"""A ladder for people: a table, and a drawing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tabulate import tabulate

from lab.ladder.measure import Ladder, Step
from lab.refusal import Failure, Refusal

_SHARES: Final = ("host", "encoding", "copying", "python")

ABOUT: Final = """\
µs: for one request there and back; the median of {slices} slices of each way, which took turns in
one run; in brackets the quartiles. Adds: over the way named behind it. Shares of the µs: host, a
raw pipe's round trip of 64 bytes, both ends in Python, on as many CPUs (two for routed): wake-ups,
switches, system calls. Encoding: MessagePack, checks and the handler, without any switch. Copying:
of the payload, two copies each way, priced as copies in one process. Python: the rest; for the
thread its wake-ups, too. {bytes:,} bytes each way, {where}.
Load of the host: {before:.1f} before, {after:.1f} after.
"""


def render(ladder: Ladder) -> str:
    """The table."""
    rows = list(_rows([step for step in ladder.steps if not step.peer]))
    heads = ["way", "µs", "quartiles", "adds", "over", "host", "encoding", "copying", "Python"]
    text = tabulate(rows, heads, disable_numparse=True, stralign="right", colalign=("left",))
    others = [step for step in ladder.steps if step.peer]
    if others:
        least = next(step for step in ladder.steps if step.host)
        peers = [
            (step.name, _us(step.us), _quartiles(step), f"{step.us / least.us:.1f}")
            for step in others
        ]
        heads = ["others, one CPU", "µs", "quartiles", f"of {least.name}"]
        text += "\n\n" + tabulate(
            peers, heads, disable_numparse=True, stralign="right", colalign=("left",)
        )
    for name, why in ladder.missing.items():
        text += f"\nnot here: {name} ({why})"
    other = "" if ladder.server_cpu is None else f", or servers on CPU {ladder.server_cpu}"
    where = f"all on CPU {ladder.user_cpu}{other}"
    before, after = ladder.load
    about = ABOUT.format(
        slices=ladder.slices, bytes=ladder.bytes, where=where, before=before, after=after
    )
    return f"{text}\n\n{about}"


def _rows(steps: list[Step]) -> Iterator[tuple[str, ...]]:
    us = {step.name: step.us for step in steps}
    for step in steps:
        adds = f"{step.us - us[step.over]:+.3g}" if step.over else ""
        shares = [f"{getattr(step, share) / step.us:.0%}" for share in _SHARES]
        yield step.name, _us(step.us), _quartiles(step), adds, step.over, *shares


def _us(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _quartiles(step: Step) -> str:
    low, high = step.quartiles
    return f"[{_us(low)}; {_us(high)}]"


def draw(ladders: Sequence[Ladder], path: str) -> None:
    """Draw them into a file, one below the other: .svg or .png.

    Raises:
        Refusal: another name, or matplotlib is missing.
        Failure: the file can't be written.
    """
    if Path(path).suffix.lower() not in {".svg", ".png"}:
        raise Refusal(f"a plot goes into a file that ends in .svg or .png, not {path!r}.")
    from lab.drawing import SERIES, drawing, plain  # noqa: PLC0415 (takes an extra)

    steps = [step for ladder in reversed(ladders) for step in reversed(ladder.steps)]
    sizes = [f"{ladder.bytes:,}" for ladder in ladders]
    names = [
        step.name if len(ladders) == 1 else f"{step.name}: {ladder.bytes:,}"
        for ladder in reversed(ladders)
        for step in reversed(ladder.steps)
    ]
    with drawing(8, 0.8 + 0.36 * len(steps)) as (canvas, axes):
        colours = [SERIES[1] if step.peer else SERIES[0] for step in steps]
        axes.barh(names, [step.us for step in steps], color=colours)
        for place, step in enumerate(steps):
            axes.annotate(
                f"{_us(step.us)} µs",
                (step.us, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_xscale("log")
        axes.set_xlabel(f"µs for a request with {' or '.join(sizes)} bytes each way")
        axes.margins(x=0.15)
        plain(axes.xaxis)
        axes.grid(visible=False, axis="y")
        try:
            canvas.savefig(path, facecolor="white")
        except OSError as error:
            raise Failure(f"{path} can't be written: {error.strerror}.") from None
