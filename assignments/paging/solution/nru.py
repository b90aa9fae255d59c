"""Not recently used."""

from servers.memory.policies.policy import Look, Policy


class NotRecentlyUsed(Policy):
    """The page of the lowest class goes, and of these the one that came first.

    The class of a page is 2 if it was referenced since the last clock interrupt, and 1 more if it
    is dirty. The clock interrupts after every `frames` references (Tanenbaum, *Modern Operating
    Systems*, "The Not Recently Used Page Replacement Algorithm").
    """

    name = "nru"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        # >>> what must be remembered of the pages, and of time?
        self._pages: dict[int, None] = {}
        self._referenced: set[int] = set()
        self._ticks = 0
        # <<<

    def admit(self, page: int) -> None:
        """The page was given a frame."""
        # >>> it is the last that came
        self._pages[page] = None
        # <<< raise NotImplementedError

    def forget(self, page: int) -> None:
        """The page has given up its frame: as the victim, or because its process has ended."""
        # >>> nothing of it may be left
        del self._pages[page]
        self._referenced.discard(page)
        # <<< raise NotImplementedError

    def victim(self, look: Look) -> int | None:
        """Which of the pages in memory gives up its frame; None: none of them may."""
        # >>> `look.accessed` clears the bit that it reads: remember what it said
        self._referenced.update(filter(look.accessed, self._pages))
        able = filter(look.evictable, self._pages)
        return min(able, key=lambda p: 2 * (p in self._referenced) + look.dirty(p), default=None)
        # <<< raise NotImplementedError

    def tick(self, look: Look) -> None:
        """A moment of virtual time has passed: one reference, where each is seen."""
        # >>> after every `frames` of them, no page counts as referenced
        self._ticks += 1
        if self._ticks % self.frames == 0:
            self._referenced.clear()
            for page in self._pages:
                look.accessed(page)
        # <<< raise NotImplementedError
