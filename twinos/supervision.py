"""Supervision: what the microkernel does about a service that dies, or does nothing any more.

    class Parser(Service, supervision=Supervision(hang=2.0)): ...

After the reincarnation server of MINIX 3, which starts a service again at once the first time and
from then on backs off by powers of two.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Supervision(NamedTuple):
    """How a service is kept alive. All times are seconds.

    Attributes:
        at_once: deaths in a row after which it is started again at once; a life of a second ends
            the row.
        rest: the pause before the life after those; each further one is twice as long.
        longest_rest: what it grows to.
        most: deaths within `within` after which it is given up.
        within: see `most`.
        hang: how long one request may keep a service busy, or a process leave the kernel without
            a sign of life, before it is killed as hung. Waiting does not count.
        start: how long its constructor may take.
    """

    at_once: int = 5
    rest: float = 0.1
    longest_rest: float = 30.0
    most: int = 100
    within: float = 60.0
    hang: float = 10.0
    start: float = 60.0

    def pause(self, deaths: int) -> float:
        """What to let pass before the next life, after so many deaths in a row."""
        doublings = deaths - self.at_once - 1
        if doublings < 0:
            return 0.0
        return min(self.rest * 2.0 ** min(doublings, 64), self.longest_rest)


def most_patient(policies: Iterable[Supervision]) -> Supervision:
    """One policy for services that share a process: it lives as long as one of them may."""
    picks = (max, min, min, max, min, max, max)
    fields = zip(*policies, strict=True)
    return Supervision(*(pick(field) for pick, field in zip(picks, fields, strict=True)))
