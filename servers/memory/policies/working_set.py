"""The working set, by a clock."""

from collections import OrderedDict
from typing import Final

from servers.memory.policies.policy import Look, Policy


class WorkingSet(Policy):
    """A page that was not referenced within the window is in nobody's working set, and goes.

    When all are within it, the one referenced longest ago goes. The time of a reference is known
    only when somebody looks, as in WSClock (Carr and Hennessy, 1981). While all are within it the
    hand goes all the way round at each fault: what that costs grows with the frames, as on paper.
    """

    name = "working-set"
    WINDOW: Final = 16
    """Ticks for each frame that there is."""

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._now = 0
        self._last_use: OrderedDict[int, int] = OrderedDict()  # as the hand will come to them

    def admit(self, page: int) -> None:
        """Used now."""
        self._last_use[page] = self._now

    def forget(self, page: int) -> None:
        """It is in memory no more."""
        del self._last_use[page]

    def tick(self, look: Look) -> None:  # noqa: ARG002 (only time passes)
        """Virtual time goes on."""
        self._now += 1

    def victim(self, look: Look) -> int | None:
        """The first found outside the window, or else the one with the oldest last use."""
        for _ in range(len(self._last_use)):
            page = next(iter(self._last_use))
            self._last_use.move_to_end(page)  # the hand has passed it
            if not look.evictable(page):
                continue
            if look.accessed(page):
                self._last_use[page] = self._now
            elif self._now - self._last_use[page] > self.WINDOW * self.frames:
                return page
        pages = filter(look.evictable, self._last_use)
        return min(pages, key=self._last_use.__getitem__, default=None)
