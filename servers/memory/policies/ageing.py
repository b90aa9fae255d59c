"""Least recently used, approximated by ageing."""

from typing import Final

from servers.memory.policies.policy import Look, Policy, first_evictable


class Ageing(Policy):
    """Each page has a counter. Now and then all shift right, the reference bit coming in on top.

    The smallest counter goes, and among equals the page that came first (Tanenbaum, *Modern
    Operating Systems*, "Simulating LRU in software"). Pages stand in a queue for each value, of
    which there are few: a victim costs the same however many frames there are.
    """

    name = "ageing"
    BITS: Final = 8
    """Shifts that a counter remembers."""
    SHIFTS: Final = 2
    """Shifts while as many pages are referenced as there are frames: more often, and most pages
    would have no past that tells them apart; less often, and most were referenced in between."""

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._counters: dict[int, int] = {}
        self._queues: dict[int, dict[int, None]] = {}
        self._interval = max(1, frames // self.SHIFTS)
        self._ticks = 0

    def admit(self, page: int) -> None:
        """It starts without a past."""
        self._counters[page] = 0
        self._queues.setdefault(0, {})[page] = None

    def forget(self, page: int) -> None:
        """Nor is one kept."""
        del self._queues[self._counters.pop(page)][page]

    def tick(self, look: Look) -> None:
        """When it is time, all grow older, and who was referenced younger."""
        self._ticks += 1
        if self._ticks % self._interval:
            return
        top = 1 << (self.BITS - 1)
        self._queues.clear()
        for page, counter in self._counters.items():  # in the order in which they came
            aged = counter >> 1 | (top if look.accessed(page) else 0)
            self._counters[page] = aged
            self._queues.setdefault(aged, {})[page] = None

    def victim(self, look: Look) -> int | None:
        """The oldest."""
        queues = (self._queues[counter] for counter in sorted(self._queues))
        found = (first_evictable(queue, look) for queue in queues)
        return next((page for page in found if page is not None), None)
