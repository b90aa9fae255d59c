"""The chapter on the ladder: what each step from a call to another process adds."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lab.archive import saved
from lab.figures import Interval, draw_intervals
from lab.ladder.measure import Ladder
from lab.refusal import Failure
from lab.report.model import Chapter, table
from lab.report.prose import boxed, said
from lab.table import figure


def climb(*, quick: bool) -> Ladder:
    """Have the ladder climbed by a process of its own.

    Raises:
        Failure: it was not.
    """
    command = [sys.executable, "-P", "-m", "lab", "ladder", "--json", "--bytes", "64"]
    command += ["--quick"] * quick
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    try:
        return msgspec.json.decode(done.stdout, type=Ladder)
    except msgspec.DecodeError:
        raise Failure(f"the ladder was not climbed: status {done.returncode}.") from None


def load(path: Path) -> Ladder:
    """The ladder that `twinos ladder --json` printed into a file.

    Raises:
        Refusal: it can't be read.
    """
    return saved(path, Ladder, "ladder as `twinos ladder --json` prints it")


def chapter(ladder: Ladder | None) -> Chapter:
    """The chapter; None: nobody climbed."""
    if ladder is None:
        return Chapter("ladder", "The ladder", (boxed("ladder"),))
    ours = [step for step in ladder.steps if not step.peer]
    rows = {step.name: {"": Interval(step.us, *step.quartiles)} for step in ours}
    return Chapter(
        "ladder",
        "The ladder",
        (
            said("ladder_climbed"),
            draw_intervals(
                "From a call to another process",
                f"{len(ours)} ways to have one request carried out, from {figure(ours[0].us)} µs "
                "on; the table has every value and what each way adds.",
                rows,
                label="µs for one request there and back, with quartiles (logarithmic)",
            ),
            table(
                f"One request of {ladder.bytes:,} bytes there and back; median of "
                f"{ladder.slices} slices, µs",
                ("way", "µs", "quartiles", "adds", "over", "host", "encoding", "copying", "Python"),
                _rows(ladder),
            ),
        ),
    )


def _rows(ladder: Ladder) -> Iterator[tuple[str, ...]]:
    us = {step.name: step.us for step in ladder.steps}
    for step in ladder.steps:
        low, high = step.quartiles
        yield (
            step.name,
            figure(step.us),
            f"{figure(low)} to {figure(high)}",
            figure(step.us - us[step.over]) if step.over else "",
            step.over,
            figure(step.host),
            figure(step.encoding),
            figure(step.copying),
            figure(step.python),
        )
