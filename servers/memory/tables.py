"""Page tables: trees of tables with 512 entries, in the memory that the MMU walks.

Whole tables are changed at once: a table read as one large number is 512 lanes of 64 bits, and an
operation on that number is one on every entry.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import compress
from mmap import mmap
from typing import Final, NamedTuple

from servers.memory.layout import (
    COPY_ON_WRITE,
    ENTRIES,
    INDEX_BITS,
    INDEX_MASK,
    LEVELS,
    PAGE_SHIFT,
    PAGE_SIZE,
    PAGES,
    PRESENT,
    SHARED,
    SWAPPED,
    USER,
    WORD,
    WRITABLE,
    frame_of,
)
from servers.memory.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from twinos import fail

_EMPTY: Final = bytes(PAGE_SIZE)
_POINTER = PRESENT | WRITABLE | USER
_SHARED_SHIFT = SHARED.bit_length() - 1
_COPY_SHIFT = COPY_ON_WRITE.bit_length() - 1
_WRITABLE_SHIFT = WRITABLE.bit_length() - 1
_USER_SHIFT = USER.bit_length() - 1

Change = Callable[[int, int], int]
"""Changes entries, given as one number, and one with a 1 in each of their lanes."""


def permissions(prot: int) -> int:
    """The bits of an entry for `prot`; as on x86, whatever is allowed at all, reading is."""
    if not prot & (PROT_READ | PROT_WRITE | PROT_EXEC):
        return 0
    return USER | WRITABLE if prot & PROT_WRITE else USER


def protecting(prot: int) -> Change:
    """The change after which entries permit `prot`, but no write to a page that others share."""
    bits = permissions(prot)

    def change(entries: int, lanes: int) -> int:
        present = entries & lanes
        entries &= ~(lanes * (USER | WRITABLE))
        if bits & USER:
            entries |= present << _USER_SHIFT
        if bits & WRITABLE:
            entries |= (present & ~(entries >> _COPY_SHIFT)) << _WRITABLE_SHIFT
        return entries

    return change


def copying(entries: int, lanes: int) -> int:
    """The change of entries whose pages get a second holder: private ones are copied on write."""
    private = entries & lanes & ~(entries >> _SHARED_SHIFT)
    return entries & ~(private << _WRITABLE_SHIFT) | private << _COPY_SHIFT


class Held(NamedTuple):
    """What entries of page tables name.

    Attributes:
        frames: frames, once for each entry that is present.
        slots: slots of the swap area, once for each entry that is swapped.
    """

    frames: list[int]
    slots: list[int]


class PageTables:
    """All page tables of the machine. A table is named by its page in the region.

    Args:
        memory: the tables region.
        first: its first page that is a page table.
        count: how many there are.
    """

    __slots__ = ("_all", "_free", "_memory", "words")

    def __init__(self, memory: mmap, first: int, count: int) -> None:
        self._memory = memory
        self.words = memoryview(memory).cast("Q")
        self._all = range(first, first + count)
        self._free = list(reversed(self._all))

    @property
    def free(self) -> int:
        """How many tables are free."""
        return len(self._free)

    def new(self) -> int:
        """An empty table. ENOMEM: there is none."""
        if not self._free:
            raise fail(errno.ENOMEM)
        table = self._free.pop()
        self._memory[table << PAGE_SHIFT : (table + 1) << PAGE_SHIFT] = _EMPTY
        return table

    def entry(self, root: int, page: int) -> int:
        """The word that maps `page`; the tables on the way are made. ENOMEM: too few are free."""
        words = self.words
        table = root
        for level in range(LEVELS - 1, 0, -1):
            word = table << INDEX_BITS | page >> INDEX_BITS * level & INDEX_MASK
            if not words[word] & PRESENT:
                words[word] = self.new() << PAGE_SHIFT | _POINTER
            table = frame_of(words[word])
        return table << INDEX_BITS | page & INDEX_MASK

    def find(self, root: int, page: int) -> int:
        """The word that maps `page`; 0: a table on the way is missing."""
        words = self.words
        table = root
        for level in range(LEVELS - 1, 0, -1):
            entry = words[table << INDEX_BITS | page >> INDEX_BITS * level & INDEX_MASK]
            if not entry & PRESENT:
                return 0
            table = frame_of(entry)
        return table << INDEX_BITS | page & INDEX_MASK

    def held(self, root: int, first: int = 0, last: int = PAGES) -> Held:
        """What the entries of a range of pages name."""
        found = Held([], [])
        for start, end in self._leaves(root, LEVELS - 1, first, last):
            self._collect(start, end, found)
        return found

    def entries(self, root: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The pages from `first` to before `last` that have an entry, and the entries."""
        for here, start, end in self._runs(root, LEVELS - 1, first, last, 0):
            for page, entry in enumerate(self.words[start:end].tolist(), here):
                if entry & (PRESENT | SWAPPED):
                    yield page, entry

    def set_byte(self, place: int, value: int) -> None:
        """Change one byte of an entry, and none of the others: the MMU may."""
        self._memory[place] = value

    def change(self, root: int, first: int, last: int, change: Change) -> None:
        """Change the entries of the pages from `first` to before `last`, where there are any."""
        for start, end in self._leaves(root, LEVELS - 1, first, last):
            self._write(start, change(self._read(start, end), _lanes(end - start)), end - start)

    def clear(self, root: int, first: int, last: int) -> Held:
        """Take away the entries of the pages from `first` to before `last`, and empty tables.

        Returns:
            What they named.
        """
        gone = Held([], [])
        self._clear(root, LEVELS - 1, first, last, gone)
        return gone

    def clone(self, root: int) -> int:
        """A copy of a space's tables, both to copy private pages on write.

        What its entries name gets no holder here. ENOMEM: too few tables are free; then nothing has
        changed.
        """
        if self.size(root) > len(self._free):
            raise fail(errno.ENOMEM)
        return self._clone(root, LEVELS - 1)

    def take_over(self, roots: Iterable[int]) -> None:
        """Begin with the trees that an earlier life has made. ValueError: they are none."""
        used: set[int] = set()
        for root in roots:
            self._use(root, LEVELS - 1, used)
        self._free = [table for table in reversed(self._all) if table not in used]

    def _use(self, table: int, level: int, used: set[int]) -> None:
        if table in used or table not in self._all:
            raise ValueError(f"page table {table} is in two places, or nowhere")
        used.add(table)
        if level:
            for _, child in self._children(table):
                self._use(child, level - 1, used)

    def size(self, root: int) -> int:
        """How many tables a tree has."""
        return self._size(root, LEVELS - 1)

    def release(self, root: int) -> None:
        """Free a tree of which no page is needed any more."""
        self._release(root, LEVELS - 1)

    def _size(self, table: int, level: int) -> int:
        if not level:
            return 1
        return 1 + sum(self._size(child, level - 1) for _, child in self._children(table))

    def _clone(self, table: int, level: int) -> int:
        twin = self.new()
        if level:
            for word, child in self._children(table):
                pointer = self._clone(child, level - 1) << PAGE_SHIFT | _POINTER
                self.words[twin << INDEX_BITS | word & INDEX_MASK] = pointer
        else:
            start = table << INDEX_BITS
            entries = copying(self._read(start, start + ENTRIES), _lanes(ENTRIES))
            self._write(start, entries, ENTRIES)
            self._write(twin << INDEX_BITS, entries, ENTRIES)
        return twin

    def _release(self, table: int, level: int) -> None:
        if level:
            for _, child in self._children(table):
                self._release(child, level - 1)
        self._free.append(table)

    def _clear(self, table: int, level: int, first: int, last: int, gone: Held) -> None:
        if not level:
            start, end = table << INDEX_BITS | first, (table << INDEX_BITS) + last
            self._collect(start, end, gone)
            self._memory[start * WORD : end * WORD] = bytes((end - start) * WORD)
            return
        for word, child, start, end in self._below(table, level, first, last):
            self._clear(child, level - 1, start, end, gone)
            if self._memory[child << PAGE_SHIFT : (child + 1) << PAGE_SHIFT] == _EMPTY:
                self.words[word] = 0
                self._free.append(child)

    def _leaves(self, table: int, level: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The words, from and to before, of the existing entries of a range of pages."""
        for _, start, end in self._runs(table, level, first, last, 0):
            yield start, end

    def _runs(
        self, table: int, level: int, first: int, last: int, base: int
    ) -> Iterator[tuple[int, int, int]]:
        """The same, each with the page of the first; `base` is the first page of `table`."""
        if not level:
            yield base + first, table << INDEX_BITS | first, (table << INDEX_BITS) + last
            return
        for word, child, start, end in self._below(table, level, first, last):
            here = base + ((word & INDEX_MASK) << INDEX_BITS * level)
            yield from self._runs(child, level - 1, start, end, here)

    def _below(
        self, table: int, level: int, first: int, last: int
    ) -> Iterator[tuple[int, int, int, int]]:
        """The tables under one that hold entries of a range of pages.

        Pages are counted from the first that `table` maps. Yields the word of the entry, the table
        that it names, and the part of the range within that, counted from its own first page.
        """
        shift = INDEX_BITS * level
        span = 1 << shift
        for word, child in self._children(table, first >> shift, ((last - 1) >> shift) + 1):
            base = (word & INDEX_MASK) << shift
            yield word, child, max(first - base, 0), min(last - base, span)

    def _children(
        self, table: int, first: int = 0, last: int = ENTRIES
    ) -> Iterator[tuple[int, int]]:
        """The words of the entries that are present, of a range, and the tables they name."""
        start = table << INDEX_BITS
        words = range(start + first, start + last)
        # Few of them are there, and what is absent in an upper table is 0, or nearly: see `layout`.
        for word in compress(words, self.words[words.start : words.stop].tolist()):
            entry = self.words[word]
            if entry & PRESENT:
                yield word, frame_of(entry)

    def _collect(self, start: int, end: int, found: Held) -> None:
        entries = [entry for entry in self.words[start:end].tolist() if entry]
        found.frames.extend([frame_of(entry) for entry in entries if entry & PRESENT])
        found.slots.extend([frame_of(e) for e in entries if e & (PRESENT | SWAPPED) == SWAPPED])

    def _read(self, start: int, end: int) -> int:
        return int.from_bytes(self._memory[start * WORD : end * WORD], "little")

    def _write(self, start: int, entries: int, count: int) -> None:
        self._memory[start * WORD : (start + count) * WORD] = entries.to_bytes(
            count * WORD, "little"
        )


@cache
def _lanes(count: int) -> int:
    """A number with a 1 in each of `count` lanes of 64 bits."""
    return ((1 << 64 * count) - 1) // ((1 << 64) - 1)
