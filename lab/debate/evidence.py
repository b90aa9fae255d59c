"""What an experiment found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.placement import Cpus
from lab.stats import Interval


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure.

    Attributes:
        name: what it is of.
        value: the figure.
        interval: its 95 % interval; None: it has none, for lack of boots, or because it is exact.
        exact: whether it was counted, not sampled.
        unit: of the figure.
    """

    name: str
    value: float
    interval: Interval | None = None
    exact: bool = False
    unit: str = ""

    @property
    def known(self) -> bool:
        """Whether it is known well enough to judge by."""
        return self.exact or self.interval is not None

    @property
    def ends(self) -> Interval:
        """The ends of its interval; the value twice if it is exact."""
        return self.interval or (self.value, self.value)


@dataclass(frozen=True, slots=True)
class Picture:
    """Measures as lines, for a page; the page draws it.

    Attributes:
        title: of the figure.
        about: for those who can't see it.
        lines: by name, points: a place across, and the measure that is there.
        across, up: what the scales are of.
        logarithmic: whether they are logarithms.
    """

    title: str
    about: str
    lines: Mapping[str, Sequence[tuple[float, Measure]]]
    across: str
    up: str
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What an experiment found.

    Attributes:
        measures: figures, in order.
        lacks: what it would have taken, but is not there; empty: it had everything.
        notes: what else is to be told.
        pictures: of the measures, and of what follows from them.
    """

    measures: Sequence[Measure] = ()
    lacks: str = ""
    notes: Sequence[str] = field(default=())
    pictures: Sequence[Picture] = field(default=())


@dataclass(frozen=True, slots=True)
class Setting:
    """How experiments are to be made.

    Attributes:
        quick: with small workloads and short slices.
        boots: of each kernel.
        seed: of everything.
        cpus: where, unless an experiment says otherwise.
        unsteady: see `bench.Plan`.
    """

    quick: bool
    boots: int
    seed: int
    cpus: Cpus
    unsteady: bool


class Experiment(Protocol):
    """Something that can be measured."""

    def __call__(self, setting: Setting, parameters: Mapping[str, Any]) -> Finding:
        """Measure it.

        Raises:
            Refusal: a parameter makes no sense.
            Failure: something went wrong.
        """
