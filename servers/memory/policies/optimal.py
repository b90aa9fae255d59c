"""Belady's optimum."""

from collections import defaultdict, deque
from collections.abc import Sequence
from math import inf

from servers.memory.policies.policy import Look, Policy


class Optimal(Policy):
    """The page that is needed again last goes: no policy has fewer faults (Belady, 1966).

    It must foresee the references, so it runs on a recorded trace only; each tick is one of them.
    """

    name = "optimal"
    clairvoyant = True

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._now = 0
        self._uses: defaultdict[int, deque[int]] = defaultdict(deque)
        self._pages: dict[int, None] = {}

    def foresee(self, references: Sequence[int]) -> None:
        """Note when each page will be used."""
        for time, page in enumerate(references):
            self._uses[page].append(time)

    def admit(self, page: int) -> None:
        """It is in memory."""
        self._pages[page] = None

    def forget(self, page: int) -> None:
        """It is there no more."""
        del self._pages[page]

    def tick(self, look: Look) -> None:  # noqa: ARG002 (it knows already)
        """One reference less is to come."""
        self._now += 1

    def victim(self, look: Look) -> int | None:
        """The page whose next use is farthest away, or that has none."""
        return max(filter(look.evictable, self._pages), key=self._next_use, default=None)

    def _next_use(self, page: int) -> float:
        uses = self._uses[page]
        while uses and uses[0] < self._now:
            uses.popleft()
        return uses[0] if uses else inf
