"""The reincarnation server: it is told what happens, and has services started and killed.

Time is told, not asked: all times are milliseconds since boot, and never go back. So whatever
happened can happen again.
"""

from typing import Annotated, Literal, NamedTuple

from lab.grading.held import held
from twinos import Service, only, op


class Policy(NamedTuple):
    """How a service is kept alive. Times are milliseconds.

    Attributes:
        at_once: so many deaths in a row are answered by a new life at once.
        rest: the pause after the next death; after each further one it is twice as long.
        longest: what the pause grows to.
        long_life: a life of this length, or longer, ends the row: the death at its end is the first
            of a new one.
        most: so many deaths within `within`, and it is given up: the pause of the last is for ever.
        within: how long a death counts for `most`: one that is just so old counts no more.
        period: how often it gives a sign of life; when it has been silent for more than two
            periods, since its start or its last sign, it hangs, and is killed.
    """

    at_once: int = 1
    rest: int = 100
    longest: int = 30_000
    long_life: int = 10_000
    most: int = 10
    within: int = 60_000
    period: int = 1000


State = Literal["running", "resting", "given up", "stopped"]


class Act(NamedTuple):
    """Something that was done to a service.

    Attributes:
        what: start or kill.
        name: to whom.
    """

    what: str
    name: str


class Wards(Service):
    """The services in the reincarnation server's care. Ours: it remembers all that is done."""

    def __init__(self) -> None:
        self._acts: list[Act] = []

    @op
    def start(self, name: str) -> None:
        """Start a service, which takes no time."""
        self._acts.append(Act("start", name))

    @op
    def kill(self, name: str) -> None:
        """Kill a service. That it is dead is told later, by `died`."""
        self._acts.append(Act("kill", name))

    @op
    def acts(self) -> tuple[Act, ...]:
        """What has been done since this was last asked. For the tests."""
        done, self._acts = tuple(self._acts), []
        return done


class Reincarnation(Service):
    """Keeps services alive.

    Args:
        wards: what has them started and killed.
    """

    def __init__(self, wards: Annotated[Wards, only("start", "kill")]) -> None:
        self._wards = wards

    @op
    def watch(self, now: int, name: str, policy: Policy) -> None:
        """Start a service, and keep it alive. EEXIST: it is in our care, unless it was stopped."""
        raise NotImplementedError

    @op
    def died(self, now: int, name: str) -> None:
        """A service has died: start it again now, or later, or never.

        ENOENT: it was never in our care. That one dies which is not running is late news of no
        interest.
        """
        raise NotImplementedError

    @op
    def beat(self, now: int, name: str) -> None:
        """A service gives a sign of life. ENOENT as above; of one that is not running, no news."""
        raise NotImplementedError

    @op
    def tick(self, now: int) -> None:
        """Time has passed: start those whose pause is over, kill those that hang (each once)."""
        raise NotImplementedError

    @op
    def stop(self, now: int, name: str) -> None:
        """Kill a service if it runs, and keep it alive no more. ENOENT as above."""
        raise NotImplementedError

    @op
    def state(self, name: str) -> str:
        """How a service is: one of `State`. ENOENT as above."""
        raise NotImplementedError


Subject = held(Reincarnation)
