"""The gates of a system at which a scheduler decides."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from kernels.desk import Desk, Passages
from kernels.scheduling import policies
from kernels.turnstile import Turnstile
from twinos import Caller, Region, Service
from twinos.wiring import Services

QUANTUM: Final = 0.001
"""Seconds by which a policy reckons, when it ages what waits."""


class Queues:
    """The gates of a system at which a scheduler decides, if there is one.

    Args:
        scheduler: the policy's name; None: the host's order will do.
        spaces: the services of each address space.
        identity: the callers that they are.

    Attributes:
        region: what the gates share; None: nothing.
    """

    def __init__(
        self,
        scheduler: str | None,
        spaces: Sequence[Services],
        identity: Mapping[type[Service], Caller],
    ) -> None:
        self.region = Region.create("ready") if scheduler else None
        self._desk = None if self.region is None else Desk(self.region, len(spaces))
        self._scheduler = scheduler
        self._spaces = ["+".join(one.__name__ for one in space) for space in spaces]
        self._residents = tuple(
            (identity[one].id, number) for number, space in enumerate(spaces) for one in space
        )

    def close(self) -> None:
        """Let go of what is shared."""
        if self._desk is not None and self.region is not None:
            self._desk.close()
            self.region.close()

    def seat(self, space: int) -> "Seat":
        """What the gate of a space needs to know."""
        return Seat(self._scheduler, self.region, space, len(self._spaces), self._residents)

    def weigh(self, caller: int, priority: int) -> None:
        """A caller has another priority: less is more urgent."""
        if self._desk is not None:
            self._desk.weigh(caller, priority)

    def passages(self) -> tuple[tuple[str, Passages], ...]:
        """What came of those who wanted to enter, by address space."""
        desk, names = self._desk, enumerate(self._spaces)
        return () if desk is None else tuple((name, desk.passages(at)) for at, name in names)


class Seat(NamedTuple):
    """What a gate needs of `Queues`, in the process where it is."""

    scheduler: str | None
    region: Region | None
    space: int
    spaces: int
    residents: tuple[tuple[int, int], ...]

    def lock(self) -> Turnstile | None:
        """Its lock, if a scheduler decides there."""
        if self.scheduler is None or self.region is None:
            return None
        desk = Desk(self.region, self.spaces, dict(self.residents))
        return Turnstile(policies()[self.scheduler](QUANTUM), desk, self.space)
