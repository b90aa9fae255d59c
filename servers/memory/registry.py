"""The memory objects that there are."""

from collections.abc import Iterator

from servers.memory.commit import Commit
from servers.memory.files import Files
from servers.memory.frames import Frames
from servers.memory.homes import Mapper
from servers.memory.ledger import Ledger
from servers.memory.objects import FileObject, MemoryObject, NamedObject
from servers.memory.swap import SwapArea
from twinos import Caller


class MemoryObjects:
    """The memory objects of the machine; one lives as long as an area shows some of it.

    Attributes:
        last: the last number that was given.
    """

    def __init__(
        self, frames: Frames, swap: SwapArea, commit: Commit, files: Files, ledger: Ledger
    ) -> None:
        self._files = files
        self._ledger = ledger
        self._frames = frames
        self._swap = swap
        self._commit = commit
        self._objects: dict[int, MemoryObject] = {}
        self.last = 0

    def __getitem__(self, number: int) -> MemoryObject:
        return self._objects[number]

    def create(self, charged: int) -> MemoryObject:
        """A new object, for which so many pages were promised: it takes the promise back."""
        number = self.next()
        self._ledger.note(("object", number, charged))
        return self.made(number, charged)

    def create_named(self, owner: Caller, mode: int) -> NamedObject:
        """A new object that will have a name."""
        one = NamedObject(self.next(), self._frames, self._swap, owner.uid, owner.gid, mode)
        self._ledger.note(one.told())
        self._enter(one)
        return one

    def next(self) -> int:
        """The number of the next object, or family."""
        self.last += 1
        return self.last

    def _enter(self, shown: MemoryObject) -> MemoryObject:
        self._objects[shown.number] = shown
        return shown

    def __iter__(self) -> Iterator[MemoryObject]:
        return iter(self._objects.values())

    def get(self, number: int) -> MemoryObject | None:
        """An object, if there is one of this number."""
        return self._objects.get(number)

    def drop(self, number: int) -> None:
        """Know an object no more that has nothing."""
        del self._objects[number]

    def made(self, number: int, charged: int) -> MemoryObject:
        """One of zeros that has this number; an earlier life may have made it."""
        return self._enter(MemoryObject(number, self._frames, self._swap, charged))

    def made_of_file(self, number: int, file: int) -> MemoryObject:
        """The same, of a file."""
        return self._enter(FileObject(number, self._frames, self._swap, self._files, file))

    def made_named(self, number: int, uid: int, gid: int, mode: int, size: int) -> MemoryObject:
        """The same, of one that may have a name."""
        one = NamedObject(number, self._frames, self._swap, uid, gid, mode)
        one.restore(size)
        one.keepers = 0
        return self._enter(one)

    def of_file(self, file: int) -> MemoryObject:
        """The object of a file that was opened for mapping once more."""
        one = self.find(file)
        if one is not None:
            self._files.close(file)  # once is enough
            return one
        number = self.next()
        self._ledger.note(("file", number, file))
        return self.made_of_file(number, file)

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
