"""A random page."""

import random

from servers.memory.policies.policy import Look, Policy


class Random(Policy):
    """Any page, all alike: what a policy has to beat to be worth its trouble."""

    name = "random"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._lots = random.Random(seed)
        self._pages: list[int] = []
        self._places: dict[int, int] = {}

    def admit(self, page: int) -> None:
        """One ticket more."""
        self._places[page] = len(self._pages)
        self._pages.append(page)

    def forget(self, page: int) -> None:
        """One less; the last takes its place."""
        place, last = self._places.pop(page), self._pages.pop()
        if last != page:
            self._pages[place] = last
            self._places[last] = place

    def victim(self, look: Look) -> int | None:
        """The one that is drawn."""
        page = self._lots.choice(self._pages) if self._pages else None
        if page is None or look.evictable(page):
            return page
        others = list(filter(look.evictable, self._pages))
        return self._lots.choice(others) if others else None
