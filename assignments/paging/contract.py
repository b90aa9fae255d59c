"""A page replacement policy in a process of its own, and the page tables that it may look at.

What you write derives from `servers.memory.policies.Policy`, as every policy of TwinOS does.
"""

from typing import Annotated

from lab.grading.held import student_class
from servers.memory.policies.policy import Look, Policy
from twinos import Service, only, op


class Tables(Service):
    """The page tables: what is in memory, and the bits of it. Ours."""

    def __init__(self) -> None:
        self._pages: dict[int, None] = {}
        self._accessed: set[int] = set()
        self._dirty: set[int] = set()
        self._locked: set[int] = set()
        self._asked = 0

    # What a policy may ask: see `servers.memory.policies.policy.Look`.

    @op
    def accessed(self, page: int) -> bool:
        """Whether a page was referenced since this was last asked: reads and clears the bit."""
        self._asked += 1
        was = page in self._accessed
        self._accessed.discard(page)
        return was

    @op
    def dirty(self, page: int) -> bool:
        """Whether a page was written since it came."""
        return page in self._dirty

    @op
    def evictable(self, page: int) -> bool:
        """Whether a page is in memory and may go."""
        return page in self._pages and page not in self._locked

    # What the machine does.

    @op
    def refer(self, page: int, write: bool) -> bool:
        """A reference to a page; False: it is not in memory."""
        if page not in self._pages:
            return False
        self._accessed.add(page)
        if write:
            self._dirty.add(page)
        return True

    @op
    def bring(self, page: int) -> None:
        """A page comes into memory."""
        self._pages[page] = None

    @op
    def drop(self, page: int) -> bool:
        """A page leaves memory; False: it may not, or is not there."""
        if page not in self._pages or page in self._locked:
            return False
        del self._pages[page]
        for bits in (self._accessed, self._dirty):
            bits.discard(page)
        return True

    @op
    def lock(self, page: int, on: bool) -> None:
        """Keep a page in memory, or let it go again."""
        (self._locked.add if on else self._locked.discard)(page)

    @op
    def asked(self) -> int:
        """How often `accessed` was asked."""
        return self._asked


class Subject(Service):
    """Your policy, as a service.

    Args:
        tables: what it may look at.
        source: your file.
        file: its name.
    """

    def __init__(
        self,
        tables: Annotated[Tables, only("accessed", "dirty", "evictable")],
        source: str,
        file: str,
    ) -> None:
        self._look: Look = tables
        self._class = student_class(Policy, source, file)
        self._policy = self._class(1)

    @op
    def begin(self, frames: int) -> None:
        """Be a policy for so many frames, all free."""
        self._policy = self._class(frames)

    @op
    def admit(self, page: int) -> None:
        """A page was given a frame."""
        self._policy.admit(page)

    @op
    def forget(self, page: int) -> None:
        """A page has given up its frame."""
        self._policy.forget(page)

    @op
    def victim(self) -> int | None:
        """Which page is to go."""
        return self._policy.victim(self._look)

    @op
    def tick(self) -> None:
        """A reference is over."""
        self._policy.tick(self._look)
