"""What runs have to say: rows and ratios by workload, kernel and placement."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab import stats
from lab.refusal import Refusal
from lab.schema import Ratio, Row, Run
from lab.station import NULL
from workloads.catalogue import catalogue
from workloads.workload import Workload

ELSEWHERE = ("payload", "aim")
"""Groups of workloads that have chapters of their own."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One workload under one kernel, beside the same under the first kernel of its run.

    Attributes:
        run: that has it.
        base: under the first kernel.
        row: under the other.
        ratio: of the two.
    """

    run: Run
    base: Row
    row: Row
    ratio: Ratio

    @property
    def rounds(self) -> list[float]:
        """The ratio of every round."""
        return stats.ratios(self.row.boots_us, self.base.boots_us)

    @property
    def added_us(self) -> float:
        """What an operation costs more: the difference of the medians."""
        return self.row.median_us - self.base.median_us

    @property
    def per_message_us(self) -> float | None:
        """The same, by messages; None: there are none."""
        more = self.row.messages_per_op - self.base.messages_per_op
        return self.added_us / more if more > 0 else None

    @property
    def verdict(self) -> str:
        """What may be said of it."""
        if self.ratio.ci95 is None:
            return "too few boots to say"
        low, high = self.ratio.ci95
        return "more" if low > 1 else "less" if high < 1 else "no difference shown"


class Evidence:
    """Runs of one host and commit.

    Args:
        runs: which.
        climbed: whether the ladder was climbed beside them.

    Raises:
        Refusal: there is nothing in them.
    """

    def __init__(self, runs: Sequence[Run], *, climbed: bool = False) -> None:
        self.runs = list(runs)
        self.climbed = climbed
        if not any(run.rows for run in runs):
            raise Refusal("there is nothing to report: the runs have no rows.")

    @property
    def main(self) -> Run:
        """The run that most is said of: users inline, all on one processor, if there is one."""
        return min(self.runs, key=_order)

    @cached_property
    def ways(self) -> list[Run]:
        """The runs of other ways than the two kernels; the main run is none of them."""
        return [run for run in self.runs if run is not self.main and _has_ways(run)]

    @cached_property
    def plain(self) -> list[Run]:
        """The other runs, the main run first."""
        return sorted((run for run in self.runs if run not in self.ways), key=_order)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """All comparisons, the main run's first."""
        return [each for run in sorted(self.runs, key=_order) for each in _compared(run)]

    def of(self, run: Run, *, macro: bool | None = None) -> list[Comparison]:
        """The comparisons of one run: of macro workloads, or of others, or of all."""
        return [
            each
            for each in self.comparisons
            if each.run is run
            and (macro is None or is_macro(each.row) == macro)
            and each.row.group not in ELSEWHERE
        ]

    def rows(self, group: str) -> Iterator[tuple[Run, Row]]:
        """All rows of a group of workloads."""
        for run in sorted(self.runs, key=_order):
            for row in run.rows:
                if row.group == group:
                    yield run, row

    def find(self, workload: str, run: Run) -> Comparison | None:
        """The first comparison of a workload in a run."""
        return next((each for each in self.of(run) if each.row.workload == workload), None)

    @property
    def null(self) -> Comparison | None:
        """The null call, in the main run."""
        return self.find(NULL, self.main)


def is_macro(row: Row) -> bool:
    """Whether a row is of a workload that has boots of its own."""
    known = _known().get(row.workload)
    return bool(known and known.macro)


def place(run: Run) -> str:
    """Where a run's processes were, in words."""
    where = "one processor" if run.environment.placement == "one" else "two processors"
    users = {row.users for row in run.rows}
    return where + (", users as processes" if users == {"process"} else "")


def labels(kernels: Iterable[str]) -> dict[str, str]:
    """Kernels' names as figures have them."""
    return {kernel: kernel.replace("hybrid:", "hybrid ") for kernel in kernels}


def _known() -> dict[str, Workload]:
    return catalogue()


def _compared(run: Run) -> Iterator[Comparison]:
    rows = {(row.workload, row.kernel): row for row in run.rows}
    for ratio in run.ratios:
        base, row = rows[ratio.workload, ratio.over], rows[ratio.workload, ratio.kernel]
        yield Comparison(run, base, row, ratio)


def _order(run: Run) -> tuple[bool, ...]:
    users = {row.users for row in run.rows}
    elsewhere = run.environment.placement != "one"
    return users != {"inline"}, _has_ways(run), elsewhere, not run.ratios


def _has_ways(run: Run) -> bool:
    """Whether it has kernels that are told how to carry messages, or how to group services."""
    return any("@" in row.kernel or ":" in row.kernel for row in run.rows)
