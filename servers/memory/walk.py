"""The walk: from an address, by way of the page tables, to where its page is."""

import errno
from mmap import mmap
from typing import Final

from servers.filesystem.lending import HEADER, REVOKED, SLOTS, slots_start
from servers.memory.layout import (
    ACCESSED_BYTE,
    COPIED,
    DIRTY_BYTE,
    HEADER_CUTS,
    HEADER_FRAMES,
    HEADER_MAGIC,
    HEADER_SPACES,
    HEADER_VERSION,
    INDEX_BITS,
    INDEX_MASK,
    LEVELS,
    MAGIC,
    PAGE_SHIFT,
    PRESENT,
    SLOT_ROOT,
    SLOT_SPACE,
    USER,
    VERSION,
    WORD,
    WRITABLE,
    frame_of,
    slot_word,
)
from servers.memory.mman import PROT_WRITE
from twinos import Region

_NO_FILES: Final = memoryview(bytes(8 * HEADER)).cast("Q")


class Walker:
    """Walks the page tables of one space.

    Args:
        frames, tables, files: the regions; see `Mmu`.
        space: the number of the address space.

    Attributes:
        words: the tables region, in words.
        marks: the head of the region of the pages of files, in words.
        slot: the first word of the space's slot.

    Raises:
        ValueError: `tables` does not hold this address space.
    """

    def __init__(self, frames: Region, tables: Region, space: int, files: Region | None) -> None:
        words = memoryview(tables.memory).cast("Q")
        if (words[HEADER_MAGIC], words[HEADER_VERSION]) != (MAGIC, VERSION):
            raise ValueError("these are not the page tables of a MemoryManager of this version")
        if words[slot_word(space, words[HEADER_SPACES]) + SLOT_SPACE] != space:
            raise ValueError(f"there is no address space {space} in these page tables")
        self.words = words
        self.slot = slot_word(space, words[HEADER_SPACES])
        self.marks = memoryview(files.memory).cast("Q") if files else _NO_FILES
        self._space = space
        self._frames = frames.memory
        self._tables = tables.memory
        self._own: int = words[HEADER_FRAMES]
        self._files = files.memory if files else None
        self._files_start = slots_start(self.marks[SLOTS])

    def place(self, page: int, access: int) -> tuple[mmap, int] | None:
        """The memory where a page is, and where there it begins; None: it takes a fault.

        The page is marked as accessed, and as dirty if it is to be written to.
        """
        needed = PRESENT | USER | (WRITABLE if access == PROT_WRITE else 0)
        word = self.find(page)
        entry: int = self.words[word]
        if not word or entry & needed != needed or not self._is_there(entry):
            return None
        self._tables[word * WORD + ACCESSED_BYTE] = 1
        if access == PROT_WRITE:
            self._tables[word * WORD + DIRTY_BYTE] = 1
        return self._start(frame_of(entry))

    def find(self, page: int) -> int:
        """The word of the entry of a page; 0 if there is none."""
        words = self.words
        table: int = words[self.slot + SLOT_ROOT]
        if words[self.slot + SLOT_SPACE] != self._space:
            return 0
        for level in range(LEVELS - 1, 0, -1):
            entry = words[table << INDEX_BITS | page >> INDEX_BITS * level & INDEX_MASK]
            if not (table and entry & PRESENT):
                return 0
            table = frame_of(entry)
        return table << INDEX_BITS | page & INDEX_MASK

    def retire(self) -> None:
        """Find nothing any more."""
        self._space = 0

    def _is_there(self, entry: int) -> bool:
        """Whether a page was not taken away since it was mapped."""
        if self._files is None:
            return True
        if entry & COPIED and self.marks[REVOKED] != self.words[HEADER_CUTS]:
            return False
        slot = frame_of(entry) - self._own
        return slot < 0 or self.marks[HEADER + slot] != 0

    def _start(self, frame: int) -> tuple[mmap, int]:
        slot = frame - self._own
        if slot < 0:
            return self._frames, frame << PAGE_SHIFT
        if self._files is None:
            raise OSError(errno.ENODEV, "this MMU was made without the pages of files")
        return self._files, self._files_start + (slot << PAGE_SHIFT)
