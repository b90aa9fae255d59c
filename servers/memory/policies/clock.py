"""The clock."""

from servers.memory.policies.policy import Look, Policy


class Clock(Policy):
    """Second chance without moving pages: a hand goes round the pages (Corbató, 1969)."""

    name = "clock"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._after: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self._hand = 0  # a page, if there is any

    def admit(self, page: int) -> None:
        """Behind the hand, which so comes to it last."""
        if not self._after:
            self._hand = self._before[page] = page
        before = self._before[self._hand]
        self._after[before], self._after[page] = page, self._hand
        self._before[page], self._before[self._hand] = before, page

    def forget(self, page: int) -> None:
        """Its neighbours close up."""
        before, after = self._before.pop(page), self._after.pop(page)
        if after != page:
            self._after[before], self._before[after] = after, before
        if self._hand == page:
            self._hand = after

    def victim(self, look: Look) -> int | None:
        """The first page, from the hand on, that was not referenced since the hand passed."""
        for turn in range(3 * len(self._after)):
            page = self._hand
            # In the third round everybody has had a second chance.
            late = turn >= 2 * len(self._after)
            if look.evictable(page) and (late or not look.accessed(page)):
                return page
            self._hand = self._after[page]
        return None
