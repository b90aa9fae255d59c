"""Lending: pages of files that programs have mapped into their memory.

A page that is mapped lies in a region that the users' memory management units reach. It is the
page of the file: `read` and `write` find it there, so a store is seen by the next `read` and a
`write` by the next load, and nobody has to be asked. The memory manager decides which pages these
are: it borrows them, and gives them back.

A file that is cut takes pages back at once, although page tables still lead to them. So each slot
of the region has a word that says whether it is anybody's, and there is a count of how often
something was taken back, which MMUs compare at each access. Private copies of pages that were cut
are the memory manager's to take away: it asks what was cut.
"""

import errno
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Final, NamedTuple

from servers.filesystem.content import Content
from servers.filesystem.inode import Inode
from servers.filesystem.lent import Lent
from servers.filesystem.writing import PAGE
from twinos import Journal, Region, fail

REVOKED: Final = 0
SLOTS: Final = 1
LIFE: Final = 2
HEADER: Final = 8
"""Words of the region: how often something was taken back; how many slots there are; by which life
of the service files are called; and, from `HEADER` on, one for each slot, which is 0 while it shows
nobody's page."""


def slots_start(slots: int) -> int:
    """Where the pages begin in a region of so many slots, in bytes."""
    return -(-(HEADER + slots) * 8 // PAGE) * PAGE


class LentFile(NamedTuple):
    """A file that is mapped: how often, and its slots: page, slot, whether it may be written."""

    inode: int
    mappings: int
    slots: tuple[tuple[int, int, bool], ...]
    cut: int


class LentState(NamedTuple):
    """What of lending survives.

    Attributes:
        life: by which files are called.
        files: those that are mapped.
        revoked: slots that were taken away, and not given back.
    """

    life: int
    files: tuple[LentFile, ...]
    revoked: tuple[int, ...]


class Lending:
    """The region of the pages that are lent.

    Args:
        region: the region; None: no page can be lent.
        slots: how many it has room for.
        content: where the pages of files are that are not lent.
        changed: is told of a file that has been stored to. ENOSPC: it does not fit on the disk.
        journal: of the service.
    """

    def __init__(
        self,
        region: Region | None,
        slots: int,
        content: Content,
        changed: Callable[[Inode, int], None],
        journal: Journal,
    ) -> None:
        self._journal = journal
        self.slots: Final = slots if region is not None else 0
        self._content = content
        self._changed = changed
        self._start = slots_start(slots)
        self._free = list(range(self.slots))
        self._files: dict[int, Inode] = {}
        self._owners: dict[int, tuple[Inode, int]] = {}
        self._cuts: dict[int, int] = {}
        self._revoked: set[int] = set()
        self._life = 0
        if region is not None:
            self._begin(region)

    def _begin(self, region: Region) -> None:
        """Whatever an earlier life had lent is nobody's."""
        if region.size != self._start + self.slots * PAGE:
            region.resize(self._start + self.slots * PAGE)
        self._memory = region.memory
        self._words = memoryview(region.memory)[: self._start].cast("Q")
        self._words[SLOTS] = self.slots
        if self._journal.reborn:
            self._life = self._words[LIFE]
            return
        for slot in range(self.slots):
            self._words[HEADER + slot] = 0
        self._words[REVOKED] += 1
        self._life = self._words[LIFE] = self._words[REVOKED] << 32

    def end(self) -> None:
        """Let go of the region: a system that is shut down keeps no memory, whoever keeps it."""
        if self.slots:
            self._words.release()
            del self._memory

    def open(self, inode: Inode) -> int:
        """A file is mapped once more; what it is called: in another life, otherwise."""
        if not self.slots:
            raise fail(errno.ENODEV)
        if inode.lent is None:
            inode.lent = Lent(inode, self, inode.pages)
            inode.pages = inode.lent
        inode.lent.mappings += 1
        inode.opens += 1
        number = self._life | inode.number
        self._files[number] = inode
        return number

    def file(self, number: int) -> tuple[Inode, Lent]:
        """A file that is mapped. EBADF."""
        inode = self._files.get(number)
        if inode is None or inode.lent is None:
            raise fail(errno.EBADF)
        return inode, inode.lent

    def close(self, number: int) -> Inode:
        """A file is mapped once less; with the last time all its pages are back."""
        inode, lent = self.file(number)
        lent.mappings -= 1
        if not lent.mappings:
            for slot in list(lent.slots.values()):
                self.take_back(slot)
            inode.pages, inode.lent = dict(lent), None
            del self._files[number]
            self._cuts.pop(number, None)
        return inode

    def reset(self) -> list[Inode]:
        """Close everything, as often as it was opened: whoever had mapped it is no more."""
        times = [number for number in self._files for _ in range(self.file(number)[1].mappings)]
        closed = [self.close(number) for number in times]
        self._free = list(range(self.slots))
        self._owners.clear()
        self._revoked.clear()
        return closed

    def keep(self, files: Iterable[int], slots: Iterable[int]) -> list[Inode]:
        """Close all files but these, which are mapped once; have all pages back but these slots."""
        kept, borrowed = set(files), set(slots)
        for slot in [slot for slot in self._owners if slot not in borrowed]:
            self.take_back(slot)
        for slot in self._revoked - borrowed:
            self.take_back(slot)
        times = [
            number
            for number in self._files
            for _ in range(self.file(number)[1].mappings - (number in kept))
        ]
        return [self.close(number) for number in times]

    def mapped(self) -> list[tuple[int, Inode]]:
        """The files that are mapped."""
        return list(self._files.items())

    def lend(self, inode: Inode, lent: Lent, index: int) -> int:
        """Lend a page of the file; the slot. ENOMEM: none is free. EIO, ENOSPC."""
        if not self._free:
            raise fail(errno.ENOMEM)
        page = self._content.take(inode, index)
        slot = heappop(self._free)  # the lowest: done again, it is the same
        if not self._journal.replaying:  # or else it is there, and has perhaps been stored to
            self.write(slot, 0, page.ljust(PAGE, b"\0"))
        self._owners[slot] = inode, index
        lent.slots[index] = slot
        self._words[HEADER + slot] = 1
        return slot

    def described(self) -> LentState:
        """What is to survive."""
        files = tuple(
            LentFile(
                inode.number,
                inode.lent.mappings,
                inode.lent.described(),
                self._cuts.get(number, -1),
            )
            for number, inode in self._files.items()
            if inode.lent is not None
        )
        return LentState(self._life, files, tuple(self._revoked))

    def restore(
        self, state: LentState, find: Callable[[int], Inode], mark: Callable[[Inode], None]
    ) -> None:
        """Be what `described` told of; the pages are in their slots."""
        self._life = state.life
        for slot in state.revoked:
            self._free.remove(slot)
            self._revoked.add(slot)
        for told in state.files:
            inode = find(told.inode)
            for _ in range(told.mappings):
                number = self.open(inode)
            if told.cut >= 0:
                self._cuts[number] = told.cut
            _, lent = self.file(number)
            for index, slot, written in told.slots:
                self._free.remove(slot)
                self._owners[slot] = inode, index
                lent.slots[index] = slot
                if written:  # and who knows whether it was stored to since the commit
                    lent.written[index] = lent[index]
                    inode.changed.add(index)
                    self._content.expect(inode, index)
                    mark(inode)

    def take_back(self, slot: int) -> None:
        """A page is given back, or one that was taken away: its slot is free. ENOSPC."""
        if slot not in self._owners and slot not in self._revoked:
            return
        heappush(self._free, slot)
        if slot in self._revoked:
            self._revoked.remove(slot)
            return
        inode, index = self._owners.pop(slot)
        lent = inode.lent
        self._words[HEADER + slot] = 0
        if lent is None:
            return
        try:
            self._gather(inode, lent, [index])
        finally:
            page = lent[index]
            lent.written.pop(index, None)
            del lent.slots[index]
            self._content.put(inode, index, page)

    def gather(self) -> None:
        """Look at the pages that may be written to, and mark those that were as changed."""
        for inode in self._files.values():
            if inode.lent is not None:
                self._gather(inode, inode.lent, list(inode.lent.written))

    def expect(self) -> None:
        """After a commit: pages that may be written to may be in the next one again."""
        for inode in self._files.values():
            if inode.lent is not None:
                for index in inode.lent.written:
                    self._content.expect(inode, index)

    def _gather(self, inode: Inode, lent: Lent, indexes: Iterable[int]) -> None:
        for index in indexes:
            before = lent.written.get(index)
            if before is not None and lent[index] != before:
                self._changed(inode, index)
                lent.written[index] = lent[index]

    def revoke(self, slot: int) -> None:
        """Take a page away from whoever maps it; its slot is free when that one gives it back."""
        self._words[HEADER + slot] = 0
        self._words[REVOKED] += 1
        del self._owners[slot]
        self._revoked.add(slot)

    def cut(self, inode: Inode) -> None:
        """A file that is mapped has been cut to its size."""
        number = self._life | inode.number
        self._cuts[number] = min(inode.size, self._cuts.get(number, inode.size))
        self._words[REVOKED] += 1

    def cuts(self) -> tuple[int, tuple[int, ...], dict[int, int]]:
        """How often something was taken back, what; the least size of files cut since asked."""
        cuts, self._cuts = self._cuts, {}
        times = self._words[REVOKED] if self.slots else 0
        return times, tuple(self._revoked), cuts

    def read(self, slot: int) -> bytes:
        """The bytes of a slot. EINVAL: there is no such slot."""
        if not 0 <= slot < self.slots:
            raise fail(errno.EINVAL)
        start = self._start + slot * PAGE
        return self._memory[start : start + PAGE]

    def write(self, slot: int, offset: int, data: bytes) -> None:
        """Change bytes of a slot."""
        start = self._start + slot * PAGE + offset
        self._memory[start : start + len(data)] = data
