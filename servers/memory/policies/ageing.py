"""Least recently used, approximated by ageing."""

from typing import Final

from servers.memory.policies.policy import Look, Policy


class Ageing(Policy):
    """Each page has a counter. Now and then all shift right, the reference bit coming in on top.

    The smallest counter goes, and among equals the page that came first (Tanenbaum, *Modern
    Operating Systems*, "Simulating LRU in software").
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
        self._interval = max(1, frames // self.SHIFTS)
        self._ticks = 0

    def admit(self, page: int) -> None:
        """It starts without a past."""
        self._counters[page] = 0

    def forget(self, page: int) -> None:
        """Nor is one kept."""
        del self._counters[page]

    def tick(self, look: Look) -> None:
        """When it is time, all grow older, and who was referenced younger."""
        self._ticks += 1
        if self._ticks % self._interval:
            return
        top = 1 << (self.BITS - 1)
        for page, counter in self._counters.items():
            self._counters[page] = counter >> 1 | (top if look.accessed(page) else 0)

    def victim(self, look: Look) -> int | None:
        """The oldest."""
        pages = filter(look.evictable, self._counters)
        return min(pages, key=self._counters.__getitem__, default=None)
