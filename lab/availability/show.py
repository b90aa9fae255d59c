"""A run for people: sums by name, and lines for a terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from tabulate import tabulate

from lab.availability.course import STEP_S, Availability, Course
from lab.stats import quantile
from lab.table import figure, percent

BARS: Final = " ▁▂▃▄▅▆▇█"
WIDTH: Final = 72


def _outage(course: Course, share: float) -> str:
    return figure(1000 * quantile([kill.down_s for kill in course.kills] or [0.0], share))


SUMS: Final[Mapping[str, Callable[[Course], str]]] = {
    "requests served": lambda course: f"{sum(course.served):,}",
    "requests that failed": lambda course: str(course.errors),
    "kills": lambda course: str(len(course.kills)),
    "boots": lambda course: str(course.boots),
    "files lost since the last sync": lambda course: str(course.lost),
    "files lost although synced": lambda course: str(course.broken),
    "wrong answers": lambda course: str(course.wrong),
    "from a kill to the next answer, median, ms": lambda course: _outage(course, 0.5),
    "the same, 99th percentile, ms": lambda course: _outage(course, 0.99),
    "share of time without an outage": lambda course: percent(course.available),
}
"""By name, how a sum over a course is shown."""


def told(made: Availability) -> Iterator[str]:
    """The run for people at a terminal."""
    most = max(max(_joined(course.served)) for course in made.courses) or 1
    for course in made.courses:
        yield f"{course.kernel}, requests served over time; v: a service was killed"
        yield _marks(course)
        yield "".join(BARS[-(-8 * each // most)] for each in _joined(course.served))
        yield ""
    yield tabulate(
        [[name, *map(show, made.courses)] for name, show in SUMS.items()],
        ["", *(course.kernel for course in made.courses)],
        disable_numparse=True,
        colalign=("left", *("right" for _ in made.courses)),
    )


def _joined(served: Sequence[int]) -> list[int]:
    """So many steps together that a line holds them."""
    few = -(-len(served) // WIDTH)
    return [sum(served[at : at + few]) for at in range(0, len(served), few)]


def _marks(course: Course) -> str:
    few = -(-len(course.served) // WIDTH)
    places = {int(round(kill.at / STEP_S, 6)) // few for kill in course.kills}
    return "".join("v" if at in places else " " for at in range(max(places, default=-1) + 1))
