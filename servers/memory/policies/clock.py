"""The clock."""

from servers.memory.policies.policy import Look, Policy


class Clock(Policy):
    """Second chance without moving pages: a hand goes round the frames (Corbató, 1969)."""

    name = "clock"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._ring: list[int | None] = [None] * frames
        self._hand = 0

    def admit(self, page: int) -> None:
        """Into the free frame that the hand meets first."""
        while self._ring[self._hand] is not None:
            self._advance()
        self._ring[self._hand] = page
        self._advance()

    def forget(self, page: int) -> None:
        """Its frame is free."""
        self._ring[self._ring.index(page)] = None

    def victim(self, look: Look) -> int:
        """The first page, from the hand on, that was not referenced since the hand passed."""
        while True:
            page = self._ring[self._hand]
            if page is not None and not look.accessed(page):
                return page
            self._advance()

    def _advance(self) -> None:
        self._hand = (self._hand + 1) % self.frames
