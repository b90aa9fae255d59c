"""Memory objects: what shared areas show, in one address space or several.

An anonymous shared mapping is an object without a file: its pages appear when they are first
touched, by whomever, and all who map it see the same.
"""

from collections.abc import Iterable, Iterator

from servers.memory.commit import Commit
from servers.memory.events import BROUGHT
from servers.memory.files import Files
from servers.memory.frames import Frames
from servers.memory.homes import Home, Mapper
from servers.memory.layout import PAGE_SHIFT, PAGE_SIZE, round_up
from servers.memory.ledger import Change, Ledger
from servers.memory.mman import MAP_PRIVATE
from servers.memory.reclaim import Reclaim
from servers.memory.swap import SwapArea
from servers.memory.violations import LOST


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

    def cut(self, pages: int) -> None:
        """It has become so short: private copies of what was beyond go, too."""
        for space in list(self.shown):
            for area in [area for area in space.areas if area.backing == self.number]:
                beyond = area.start + max(0, (pages << PAGE_SHIFT) - area.offset)
                if area.flags & MAP_PRIVATE and beyond < area.end:
                    space.discard(area.clip(beyond, area.end))

    def evicted(self, frame: int, page: int, slot: int | None) -> None:
        """It knows where its page is now."""
        del frame
        del self.frames[page]
        if slot is not None:
            self._swap.hold([slot])
            self.slots[page] = slot
            self._frames.record.keep_slot(slot, self.number, page)

    def check(self, page: int, reclaim: Reclaim) -> None:
        """See whether a page that is in a frame is still this object's. EIO: there is none now."""

    def write(self, page: int, frame: int, reclaim: Reclaim) -> None:
        """The page in this frame is about to be written to. EIO: it can't be."""
        del page, reclaim
        self._frames.dirty[frame] = 1
        self._swap.part(frame)

    def frame(self, page: int, reclaim: Reclaim) -> tuple[int, bool]:
        """The frame of a page, and whether it was read from the disk. ENOMEM: none can be had."""
        frame = self.frames.get(page)
        if frame is not None:
            return frame, False
        slot = self.slots.get(page)
        if slot is None:
            frame = self.frames[page] = reclaim.zeros(self, page)
            self._frames.record.keep(frame, self.number, page)
            return frame, False
        frame = self.frames[page] = reclaim.filled(self, page, self._swap.read(slot))
        self._swap.join(frame, slot)
        self._frames.record.keep(frame, self.number, page)
        self._drop_slots([page])
        return frame, True

    def forget(self, first: int = 0) -> None:
        """Let go of the pages from `first` on."""
        frames = [page for page in self.frames if page >= first]
        slots = [page for page in self.slots if page >= first]
        self._frames.drop([self.frames.pop(page) for page in frames])
        self._drop_slots(slots)

    def _drop_slots(self, pages: Iterable[int]) -> None:
        slots = [self.slots.pop(page) for page in pages]
        for slot in slots:
            self._frames.record.forget_slot(slot)
        self._swap.drop(slots)

    def end(self) -> None:
        """Nobody needs it any more."""
        self.forget()

    def told(self) -> Change:
        """All of it that is not in the regions, for the ledger."""
        return "object", self.number, self.charged

    def sync(self) -> None:
        """Have what was stored where it outlives the system, if there is such a place."""


class FileObject(MemoryObject):
    """A file: its pages are FileSystem's, borrowed.

    They lie in frames beyond the memory manager's own. FileSystem takes them away from a file that
    is cut; so whoever comes to a page asks for it again.

    Args:
        number: what the object is called.
        frames: physical memory.
        swap: where pages do not go.
        files: where they go.
        file: the file, opened for mapping.
    """

    filed = True

    def __init__(
        self, number: int, frames: Frames, swap: SwapArea, files: Files, file: int
    ) -> None:
        super().__init__(number, frames, swap, 0)
        self.file = file
        self._files = files

    def check(self, page: int, reclaim: Reclaim) -> None:
        """Ask FileSystem whether the page is still where it was."""
        self._borrow(page, reclaim, write=False)

    def write(self, page: int, frame: int, reclaim: Reclaim) -> None:
        """Borrow the page to write to it, too."""
        self._borrow(page, reclaim, write=True)
        if self.frames.get(page) == frame:
            self._frames.dirty[frame] = 1

    def frame(self, page: int, reclaim: Reclaim) -> tuple[int, bool]:
        """The frame of a page, and whether it was borrowed just now."""
        known = page in self.frames
        self._borrow(page, reclaim, write=False)
        return self.frames[page], not known

    def evicted(self, frame: int, page: int, slot: int | None) -> None:
        """FileSystem has its page back."""
        del slot
        if self.frames.get(page) == frame:
            del self.frames[page]

    def returned(self, frame: int, page: int) -> None:
        """Nobody maps the frame any more."""
        del page
        self._files.give_back(frame - self._frames.own)

    def fetch(self, frame: int) -> bytes:
        """The bytes of a page."""
        return self._files.copy(frame - self._frames.own)

    def end(self) -> None:
        """It is not mapped any more."""
        self.forget()
        self._files.close(self.file)

    def told(self) -> Change:
        """All of it, for the ledger."""
        return "file", self.number, self.file

    def sync(self) -> None:
        """Have what was stored in the file. EIO, ENOSPC."""
        self._files.sync(self.file)

    def _borrow(self, page: int, reclaim: Reclaim, *, write: bool) -> None:
        """Have a page's frame, the right one. EIO: the file has no such page, or no room for it."""
        try:
            slot = self._files.borrow(self.file, page, reclaim, write=write)
        except OSError:
            self._lose(page, reclaim)
            raise
        frame = self._frames.own + slot
        if self.frames.get(page) == frame:
            return
        self._lose(page, reclaim)
        if self._frames.homes[frame] is not None:  # of a life of FileSystem that was forgotten
            reclaim.expel(frame)
            self._borrow(page, reclaim, write=write)  # now it has been given back
            return
        self._frames.adopt(frame, self, page)
        self.frames[page] = frame
        self._frames.record.keep(frame, self.number, page)
        reclaim.events.add(BROUGHT)

    def _lose(self, page: int, reclaim: Reclaim) -> None:
        """The page is where it was no more: nobody maps it."""
        frame = self.frames.get(page)
        if frame is not None:
            reclaim.expel(frame)


class NamedObject(MemoryObject):
    """Memory that is shared by name.

    Args:
        number: what the object is called here.
        frames: physical memory.
        swap: where its pages go.
        uid, gid: who made it.
        mode: who may open it, as the permissions of a file.

    Attributes:
        size: bytes.
        uid, gid: whose it is.
    """

    def __init__(
        self, number: int, frames: Frames, swap: SwapArea, uid: int, gid: int, mode: int
    ) -> None:
        super().__init__(number, frames, swap, 0)
        self.size = 0
        self.uid, self.gid = uid, gid
        self.mode = mode & 0o777
        self.keepers = 1  # its name

    def told(self) -> Change:
        """All of it, for the ledger."""
        return "memory", self.number, self.uid, self.gid, self.mode, self.size

    def restore(self, size: int) -> None:
        """It has had this size."""
        self.size, self.charged = size, round_up(size) >> PAGE_SHIFT

    def frame(self, page: int, reclaim: Reclaim) -> tuple[int, bool]:
        """As for all objects; but EIO beyond its end."""
        if page << PAGE_SHIFT >= self.size:
            raise OSError(LOST, "the shared memory ends before this page")
        return super().frame(page, reclaim)

    def resize(self, size: int, commit: Commit, reclaim: Reclaim, ledger: Ledger) -> None:
        """Give it this size. ENOMEM: so much can't be promised."""
        pages = round_up(size) >> PAGE_SHIFT
        commit.charge(pages - self.charged)
        self.charged, shorter, self.size = pages, size < self.size, size
        ledger.note(("sized", self.number, size))
        if shorter:  # others may have it mapped, who do not ask again
            ledger.publish()
            self.shorten(reclaim)

    def shorten(self, reclaim: Reclaim) -> None:
        """Let go of what is beyond its end."""
        pages = round_up(self.size) >> PAGE_SHIFT
        for page in [page for page in self.frames if page >= pages]:
            reclaim.expel(self.frames[page])
        self.forget(pages)
        self.cut(pages)
        page, rest = divmod(self.size, PAGE_SIZE)
        if rest and (page in self.frames or page in self.slots):
            frame, _ = super().frame(page, reclaim)
            self.write(page, frame, reclaim)
            self._frames.write(frame, self._frames.read(frame)[:rest].ljust(PAGE_SIZE, b"\0"))
