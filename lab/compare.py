"""What changed between two sets of runs, beyond noise.

Boots of two runs are no pairs: a host may have been faster on one day. So every workload is
compared twice: its µs, which tell of both the system and the host, and its ratio over the first
kernel of its own run, from which the host's speed is gone. Intervals are by bootstrap (extra
`report`).
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from lab import stats
from lab.refusal import Refusal
from lab.report import bootstrap
from lab.schema import Row, Run
from lab.stats import Interval

LEAST: Final = 0.02
"""A change by less is none, however sure it is."""

Word = Literal["slower", "faster", "no change shown", "too few boots"]


class Change(NamedTuple):
    """What became of one workload under one kernel.

    Attributes:
        row: of the new run.
        before: of the old one.
        ratio: new over old µs.
        interval: its 95 % interval.
        effect: Cliff's delta of the boots: -1, all new ones are below all old ones, to 1.
        over: new over old of the ratio over the first kernel; None: it is the first kernel.
        over_interval: its 95 % interval.
    """

    row: Row
    before: Row
    ratio: float
    interval: Interval | None
    effect: float
    over: float | None
    over_interval: Interval | None

    @property
    def verdict(self) -> Word:
        """What may be said of the µs."""
        return _verdict(self.ratio, self.interval)

    @property
    def over_verdict(self) -> Word | None:
        """What may be said of the ratio over the first kernel."""
        return None if self.over is None else _verdict(self.over, self.over_interval)

    @property
    def counts_changed(self) -> bool:
        """Whether an operation now causes other numbers of messages or requests."""
        now, then = self.row, self.before
        return (now.messages_per_op, now.requests_per_op) != (
            then.messages_per_op,
            then.requests_per_op,
        )


def changes(old: Run, new: Run) -> list[Change]:
    """What became of everything that both runs measured in the same way.

    Raises:
        Refusal: there is nothing of that kind.
    """
    before = {_key(row): row for row in old.rows}
    found = [_change(old, new, before[_key(row)], row) for row in new.rows if _key(row) in before]
    if not found:
        raise Refusal("the runs have no workload in common: same size, kernel, placement, users.")
    return found


def speed(old: Run, new: Run) -> float:
    """How much slower the host itself was in the new run: a bare method call, new over old."""
    return new.floors.method_call_us / old.floors.method_call_us


def only_in(one: Run, other: Run) -> Iterator[str]:
    """What one run measured and the other did not."""
    known = {_key(row) for row in other.rows}
    for row in one.rows:
        if _key(row) not in known:
            yield f"{row.workload}, {row.kernel}"


def _key(row: Row) -> tuple[object, ...]:
    options = tuple(sorted(row.options.items()))
    return row.workload, options, row.kernel, row.transport, row.placement, row.users


def _change(old: Run, new: Run, before: Row, row: Row) -> Change:
    ratio, interval = bootstrap.ratio_of_medians(row.boots_us, before.boots_us)
    now, then = _rounds(new, row), _rounds(old, before)
    over, over_interval = bootstrap.ratio_of_medians(now, then) if now and then else (None, None)
    effect = bootstrap.cliffs_delta(row.boots_us, before.boots_us)
    return Change(row, before, ratio, interval, effect, over, over_interval)


def _rounds(run: Run, row: Row) -> Sequence[float]:
    """The ratio of each round over the first kernel; empty: this is the first."""
    for ratio in run.ratios:
        if (ratio.workload, ratio.kernel) == (row.workload, row.kernel):
            (base,) = (
                other
                for other in run.rows
                if (other.workload, other.kernel) == (row.workload, ratio.over)
            )
            return stats.ratios(row.boots_us, base.boots_us)
    return ()


def _verdict(ratio: float, interval: Interval | None) -> Word:
    if interval is None:
        return "too few boots"
    low, high = interval
    if low <= 1 <= high or abs(ratio - 1) < LEAST:
        return "no change shown"
    return "slower" if ratio > 1 else "faster"
