"""`twinos compare`: what changed between two runs beyond noise."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from lab import archive
from lab.refusal import Refusal
from lab.schema import Run
from lab.table import figure, plain_table

if TYPE_CHECKING:
    from lab.compare import Change

EPILOG: Final = """\
Both runs are of one host. µs compares times: the system's and the host's speed are both in them.
ratio compares the ratios over the first kernel of each run, in which the host's speed is gone.
The effect is Cliff's delta: -1, all boots of B are faster than all of A, to 1, all are slower.

examples:
  twinos compare results/runs/A.json results/runs/B.json
  twinos compare A.json B.json --changed
"""

HEADERS: Final = (
    *("workload", "kernel", "A\nµs", "B\nµs", "B / A", "95 % interval", "effect", "µs"),
    *("B / A\nof ratios", "95 % interval", "ratio", "counts"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("old", metavar="A", help="a saved run")
    parser.add_argument("new", metavar="B", help="another one")
    parser.add_argument("--changed", action="store_true", help="only what changed")


def execute(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    from lab import compare  # noqa: PLC0415 (takes the extra `report`)

    if arguments.old == arguments.new:
        raise Refusal("A and B are one and the same run.")
    old, new = archive.load_together([arguments.old, arguments.new], one_commit=False)
    found = compare.changes(old, new)
    shown = [each for each in found if not arguments.changed or _changed(each)]
    if shown:
        print(f"{plain_table([_line(each) for each in shown], HEADERS)}\n")
    print("\n".join(_summary(old, new, found)))
    left = [*compare.only_in(old, new), *compare.only_in(new, old)]
    if left:
        print(f"In one of the runs only, or done differently: {'; '.join(left)}.")
    speed = compare.speed(old, new)
    print(f"The host itself: a bare method call took {figure(speed)} times as long in B as in A.")
    return 0


def _changed(each: "Change") -> bool:
    return bool({each.verdict, each.over_verdict} & {"slower", "faster"}) or each.counts_changed


def _line(each: "Change") -> list[str]:
    return [
        each.row.workload,
        each.row.kernel,
        figure(each.before.median_us),
        figure(each.row.median_us),
        figure(each.ratio),
        _range(each.interval),
        f"{each.effect:+.2f}",
        each.verdict,
        "" if each.over is None else figure(each.over),
        _range(each.over_interval),
        each.over_verdict or "",
        "changed" if each.counts_changed else "same",
    ]


def _summary(old: Run, new: Run, found: Sequence["Change"]) -> Iterator[str]:
    for name, run in (("A", old), ("B", new)):
        env = run.environment
        commit = f"{(env.commit or 'none')[:7]}{' with changes' if env.dirty else ''}"
        yield f"{name}: {env.date}, commit {commit}, {env.boots} boots"
    yield f"µs: {_tally(each.verdict for each in found)}."
    ratios = [each.over_verdict for each in found if each.over_verdict]
    if ratios:
        yield f"Ratios: {_tally(ratios)}."


def _tally(words: Any) -> str:
    return ", ".join(f"{number} {word}" for word, number in Counter(words).most_common())


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{figure(interval[0])} to {figure(interval[1])}"
