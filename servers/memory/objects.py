"""Memory objects: what shared areas show, in one address space or several.

An anonymous shared mapping is an object without a file: its pages appear when they are first
touched, by whomever, and all who map it see the same.
"""

from collections.abc import Iterable, Iterator

from servers.memory.commit import Commit
from servers.memory.frames import Frames
from servers.memory.homes import Home, Mapper
from servers.memory.layout import PAGE_SHIFT
from servers.memory.reclaim import Reclaim
from servers.memory.swap import SwapArea


class MemoryObject(Home):
    """Pages that areas show.

    Args:
        number: what it is called.
        frames: physical memory.
        swap: where its pages go.
        charged: pages that were promised for it.

    Attributes:
        frames: the frame of each page that is in memory, by its place in the object. The object
            holds it.
        slots: the slot of each page that is in the swap area. The object names it.
        shown: how many pages of areas show this object, those that do not exist yet included; by
            space.
        keepers: how many others keep it alive.
    """

    def __init__(self, number: int, frames: Frames, swap: SwapArea, charged: int) -> None:
        self.number = number
        self.charged = charged
        self.frames: dict[int, int] = {}
        self.slots: dict[int, int] = {}
        self.shown: dict[Mapper, int] = {}
        self.keepers = 0
        self._frames = frames
        self._swap = swap

    def places(self, page: int) -> Iterator[tuple[Mapper, int]]:
        """Wherever an area shows it."""
        for space in self.shown:
            for area in space.areas:
                first = area.offset >> PAGE_SHIFT
                if area.backing == self.number and first <= page < first + area.pages:
                    yield space, (area.start >> PAGE_SHIFT) + page - first

    def evicted(self, frame: int, page: int, slot: int | None) -> None:
        """It knows where its page is now."""
        del frame
        del self.frames[page]
        if slot is not None:
            self._swap.hold([slot])
            self.slots[page] = slot

    def frame(self, page: int, reclaim: Reclaim) -> tuple[int, bool]:
        """The frame of a page, and whether it was read from the disk. ENOMEM: none can be had."""
        frame = self.frames.get(page)
        if frame is not None:
            return frame, False
        slot = self.slots.get(page)
        if slot is None:
            frame = self.frames[page] = reclaim.zeros(self, page)
            return frame, False
        frame = self.frames[page] = reclaim.filled(self, page, self._swap.read(slot))
        self._swap.join(frame, slot)
        self._swap.drop([self.slots.pop(page)])
        return frame, True

    def pages(self) -> Iterable[int]:
        """The pages that are in memory."""
        return self.frames.keys()

    def forget(self, first: int = 0) -> None:
        """Let go of the pages from `first` on."""
        frames = [page for page in self.frames if page >= first]
        slots = [page for page in self.slots if page >= first]
        self._frames.drop([self.frames.pop(page) for page in frames])
        self._swap.drop([self.slots.pop(page) for page in slots])


class MemoryObjects:
    """The memory objects of the machine; one lives as long as an area shows some of it."""

    def __init__(self, frames: Frames, swap: SwapArea, commit: Commit) -> None:
        self._frames = frames
        self._swap = swap
        self._commit = commit
        self._objects: dict[int, MemoryObject] = {}
        self._last = 0

    def __getitem__(self, number: int) -> MemoryObject:
        return self._objects[number]

    def create(self, charged: int) -> MemoryObject:
        """A new object, for which so many pages were promised: it takes the promise back."""
        return self._enter(MemoryObject(self.next(), self._frames, self._swap, charged))

    def next(self) -> int:
        """The number of the next object."""
        self._last += 1
        return self._last

    def _enter(self, shown: MemoryObject) -> MemoryObject:
        self._objects[shown.number] = shown
        return shown

    def map(self, number: int, pages: int, space: Mapper) -> None:
        """An area of a space shows `pages` pages more of an object."""
        shown = self._objects[number].shown
        shown[space] = shown.get(space, 0) + pages

    def unmap(self, number: int, pages: int, space: Mapper) -> None:
        """An area shows `pages` pages less of an object; the last to go takes the object along."""
        one = self._objects[number]
        one.shown[space] -= pages
        if not one.shown[space]:
            del one.shown[space]
            self.let_go(one)

    def let_go(self, one: MemoryObject) -> None:
        """End an object that nobody needs any more."""
        if not one.shown and not one.keepers:
            one.forget()
            self._commit.charge(-one.charged)
            del self._objects[one.number]
