"""The memory objects that there are."""

from servers.memory.commit import Commit
from servers.memory.files import Files
from servers.memory.frames import Frames
from servers.memory.homes import Mapper
from servers.memory.objects import FileObject, MemoryObject, NamedObject
from servers.memory.swap import SwapArea
from twinos import Caller


class MemoryObjects:
    """The memory objects of the machine; one lives as long as an area shows some of it."""

    def __init__(self, frames: Frames, swap: SwapArea, commit: Commit, files: Files) -> None:
        self._files = files
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

    def create_named(self, owner: Caller, mode: int) -> NamedObject:
        """A new object that will have a name."""
        one = NamedObject(self.next(), self._frames, self._swap, owner, mode)
        self._enter(one)
        return one

    def next(self) -> int:
        """The number of the next object."""
        self._last += 1
        return self._last

    def _enter(self, shown: MemoryObject) -> MemoryObject:
        self._objects[shown.number] = shown
        return shown

    def of_file(self, file: int) -> MemoryObject:
        """The object of a file that was opened for mapping once more."""
        one = self.find(file)
        if one is not None:
            self._files.close(file)  # once is enough
            return one
        number = self.next()
        return self._enter(FileObject(number, self._frames, self._swap, self._files, file))

    def find(self, file: int) -> MemoryObject | None:
        """The object of a file that is mapped."""
        for one in self._objects.values():
            if isinstance(one, FileObject) and one.file == file:
                return one
        return None

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
            one.end()
            self._commit.charge(-one.charged)
            del self._objects[one.number]
