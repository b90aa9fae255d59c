"""Memory objects: what shared areas show, in one address space or several.

An anonymous shared mapping is an object without a file: its pages appear when they are first
touched, by whomever, and all who map it see the same.
"""

from collections.abc import Iterable

from servers.memory.frames import Frames


class MemoryObject:
    """Pages that areas show.

    Attributes:
        frames: the frame of each page that exists, by its place in the object. The object holds it.
        mapped: how many pages of areas show this object, those that do not exist yet included.
    """

    __slots__ = ("frames", "mapped")

    def __init__(self) -> None:
        self.frames: dict[int, int] = {}
        self.mapped = 0


class MemoryObjects:
    """The memory objects of the machine; one lives as long as an area shows some of it."""

    __slots__ = ("_frames", "_last", "_objects")

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._objects: dict[int, MemoryObject] = {}
        self._last = 0

    def create(self) -> int:
        """A new object, by number."""
        self._last += 1
        self._objects[self._last] = MemoryObject()
        return self._last

    def map(self, number: int, pages: int) -> None:
        """An area shows `pages` pages more of an object."""
        self._objects[number].mapped += pages

    def unmap(self, number: int, pages: int) -> None:
        """An area shows `pages` pages less of an object; the last to go takes the object along."""
        shown = self._objects[number]
        shown.mapped -= pages
        if not shown.mapped:
            self._frames.drop(shown.frames.values())
            del self._objects[number]

    def frame(self, number: int, page: int) -> int:
        """The frame of an object's page, of zeros if it is new. ENOMEM: none is free."""
        frames = self._objects[number].frames
        if page not in frames:
            frames[page] = self._frames.allocate()
        return frames[page]

    def pages(self, number: int) -> Iterable[int]:
        """The pages of an object that exist."""
        return self._objects[number].frames.keys()
