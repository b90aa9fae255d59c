"""What came of a run, as it is saved: JSON with a schema version."""

from pathlib import Path
from typing import Final

import msgspec

from lab.archive import saved
from lab.schema import Environment

SCHEMA: Final = "twinos/availability/1"
STEP_S: Final = 0.1
"""Seconds over which requests are counted together."""


class Kill(msgspec.Struct, frozen=True):
    """A kill.

    Attributes:
        at: seconds since the beginning.
        service: that was killed.
        down_s: from then until a client was answered again.
    """

    at: float
    service: str
    down_s: float


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel.

    Attributes:
        kernel: which.
        served: requests that were answered, in each step.
        kills: in order.
        errors: requests that failed.
        wrong: answers that were not what the client had been promised.
        lost: files whose last version was acknowledged, not yet synced, and gone.
        broken: files of which what was synced is gone: there must be none.
        boots: how often the system was booted.
    """

    kernel: str
    served: tuple[int, ...]
    kills: tuple[Kill, ...]
    errors: int
    wrong: int
    lost: int
    broken: int
    boots: int

    @property
    def per_second(self) -> list[float]:
        """Requests served in a second, step by step."""
        return [count / STEP_S for count in self.served]

    @property
    def available(self) -> float:
        """The share of time in which nobody waited for the end of an outage."""
        return max(0.0, 1 - self.down_s / (len(self.served) * STEP_S))

    @property
    def down_s(self) -> float:
        """Seconds of outages; those that overlap count once."""
        ends = [(kill.at, kill.at + kill.down_s) for kill in self.kills]
        total, until = 0.0, 0.0
        for start, end in ends:
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total


class Availability(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema", tag=SCHEMA):
    """A run.

    Attributes:
        environment: where, when, and by which command.
        clients: how many asked all the time.
        reboot_s: what a machine was taken to need before its system boots.
        courses: one for each kernel.
    """

    environment: Environment
    clients: int
    reboot_s: float
    courses: tuple[Course, ...]


def load(path: Path) -> Availability:
    """A run that was saved.

    Raises:
        Refusal: it can't be read.
    """
    return saved(path, Availability, "run as `twinos availability --json` prints it")
