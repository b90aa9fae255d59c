"""The swap area: a disk of its own, and which page is in which slot of it."""

import errno
from collections.abc import Container, Iterable
from typing import Final

from servers.disk import Disk
from servers.memory.layout import PAGE_SIZE
from servers.memory.record import PageRecord
from twinos import Region, fail

PAGES: Final = 1 << 19
"""Slots of a swap area when nobody says how many: 2 GiB, of which the host gives what is used."""


class SwapDisk(Disk, privileged=True):
    """The disk that pages of memory go to when frames run short.

    It is a `Disk` in everything but its name: so it has a process, a medium and settings of its
    own. What it holds means nothing after the system has ended.

    Args:
        store: as for `Disk`.
        image: as for `Disk`.
        blocks: how many; by default 2 GiB of them, or all of the image.
        block_size: bytes in a block.
        erase: as for `Disk`.
    """

    def __init__(
        self,
        store: Region,
        image: str | None = None,
        blocks: int | None = None,
        block_size: int = PAGE_SIZE,
        erase: bool = False,
    ) -> None:
        if image is None and blocks is None:
            blocks = PAGES * PAGE_SIZE // max(block_size, 1)
        super().__init__(store, image, blocks, block_size, erase)


class SwapArea:
    """The slots of the swap area, a page each.

    A slot is named by entries of page tables, and by memory objects. Besides, a frame may have the
    same bytes as a slot: then it can be given away without writing, and who comes to the slot is
    given the frame. A slot is free when nobody names it and no frame has its bytes.

    Args:
        disk: where it lies.

    Attributes:
        record: what of it outlives the service; to be set before it is used.
        size: how many slots there are.

    Raises:
        OSError: EINVAL: no whole number of its blocks makes a page.
    """

    __slots__ = (
        "_blocks",
        "_disk",
        "_doubted",
        "_frames",
        "_free",
        "_names",
        "_slots",
        "_unused",
        "record",
        "size",
    )

    record: PageRecord

    def __init__(self, disk: Disk) -> None:
        block_size, blocks = disk.geometry()
        if PAGE_SIZE % block_size:
            raise OSError(
                errno.EINVAL, f"a swap disk's blocks make pages of {PAGE_SIZE}, not {block_size}"
            )
        self._disk = disk
        self._blocks = PAGE_SIZE // block_size
        self.size = blocks // self._blocks
        self._unused = 0  # from here on no slot was ever used
        self._free: list[int] = []
        self._doubted: list[int] = []
        self._names: dict[int, int] = {}
        self._frames: dict[int, int] = {}
        self._slots: dict[int, int] = {}

    @property
    def free(self) -> int:
        """How many slots are free."""
        return self.size - len(self._names)

    @property
    def full(self) -> bool:
        """Whether no slot is free, and none could be by parting it from a frame."""
        return not self.free and self.spare() is None

    def spare(self) -> int | None:
        """A frame whose slot nobody names: it can be parted from it, and is the only copy then."""
        return next((f for f, slot in self._slots.items() if not self._names[slot]), None)

    def take(self) -> int:
        """A free slot, which nobody names yet. ENOMEM: there is none."""
        if self._free:
            slot = self._free.pop()
        elif self._unused < self.size:
            slot = self._unused
            self._unused += 1
        elif self._doubted:
            slot = self._doubted.pop(0)
        else:
            raise fail(errno.ENOMEM)
        self._names[slot] = 0
        return slot

    def named(self, slot: int) -> int:
        """How many name a slot."""
        return self._names[slot]

    def hold(self, slots: Iterable[int], times: int = 1) -> None:
        """Each of these slots is named so often more."""
        for slot in slots:
            self._names[slot] += times

    def drop(self, slots: Iterable[int]) -> None:
        """Each of these slots is named once less."""
        for slot in slots:
            self._names[slot] -= 1
            self._tidy(slot)

    def slot(self, frame: int) -> int | None:
        """The slot that has the same bytes as a frame."""
        return self._slots.get(frame)

    def frame(self, slot: int) -> int | None:
        """The frame that has the same bytes as a slot."""
        return self._frames.get(slot)

    def join(self, frame: int, slot: int) -> None:
        """The two have the same bytes."""
        self._slots[frame] = slot
        self._frames[slot] = frame
        self.record.joins[frame] = slot + 1

    def part(self, frame: int) -> None:
        """A frame is about to have other bytes than its slot, if it has one."""
        slot = self._slots.pop(frame, None)
        if slot is not None:
            self.record.joins[frame] = 0
            del self._frames[slot]
            self._tidy(slot)

    def take_over(self, names: dict[int, int], frames: Container[int]) -> None:
        """Begin with the slots that an earlier life has used.

        Args:
            names: how many name each slot that somebody names.
            frames: those that are not free.
        """
        self._names = names
        joins, dirty = self.record.joins, self.record.dirty
        for frame, join in enumerate(joins.tolist()):
            if join and frame in frames and not dirty[frame] and join - 1 not in self._frames:
                self._names.setdefault(join - 1, 0)
                self.join(frame, join - 1)
            elif join:
                joins[frame] = 0
        self._unused = max(names, default=-1) + 1
        self._free = [slot for slot in reversed(range(self._unused)) if slot not in names]

    def discard(self, slot: int) -> None:
        """A slot that was taken is not needed after all."""
        self._tidy(slot)

    def doubt(self, slot: int) -> None:
        """A free slot could not be written to: it is taken again when there is no other."""
        self._free.remove(slot)
        self._doubted.append(slot)

    def read(self, slot: int) -> bytes:
        """The page in a slot. EIO, or what else the disk says."""
        return self._disk.read(slot * self._blocks, self._blocks)

    def write(self, slot: int, page: bytes) -> None:
        """Put a page into a slot. EIO, or what else the disk says."""
        self._disk.write(slot * self._blocks, page)

    def _tidy(self, slot: int) -> None:
        if not self._names[slot] and slot not in self._frames:
            del self._names[slot]
            self._free.append(slot)
