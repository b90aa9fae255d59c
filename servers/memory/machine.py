"""The memory of the machine: what all address spaces share, and how it lies in its regions."""

import errno
from dataclasses import dataclass
from typing import Final

from servers.memory.frames import Frames
from servers.memory.layout import (
    HEADER_MAGIC,
    HEADER_SPACES,
    HEADER_VERSION,
    MAGIC,
    PAGE_SHIFT,
    SLOT_GENERATION,
    SLOT_ROOT,
    SLOT_SPACE,
    SLOT_WORDS,
    SLOTS,
    VERSION,
    WORD,
    round_up,
    slot_word,
)
from servers.memory.objects import MemoryObjects
from servers.memory.tables import PageTables
from twinos import Region, fail

_MOST: Final = 1 << 24
_COUNT_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """What all address spaces share.

    Attributes:
        frames: physical memory.
        tables: the page tables.
        objects: what shared areas show.
        slots: where spaces live.
    """

    frames: Frames
    tables: PageTables
    objects: MemoryObjects
    slots: "Slots"


class Slots:
    """The places of address spaces in the tables region, where an MMU finds them.

    Args:
        words: the tables region, in words.
        count: how many there are.
    """

    __slots__ = ("_count", "_free", "_words")

    def __init__(self, words: memoryview, count: int) -> None:
        self._words = words
        self._count = count
        self._free = list(reversed(range(count)))

    def next(self) -> int:
        """The number of the space that is entered next. EAGAIN: there are too many."""
        if not self._free:
            raise fail(errno.EAGAIN)
        slot = self._free[-1]
        last: int = self._words[slot_word(slot, self._count) + SLOT_SPACE]
        return (last or slot) + self._count

    def enter(self, space: int, root: int) -> None:
        """The space called `next()` has its tables at `root`."""
        self._free.pop()
        word = slot_word(space, self._count)
        self._words[word + SLOT_SPACE] = space
        self._words[word + SLOT_ROOT] = root

    def invalidate(self, space: int) -> None:
        """Tell the MMUs that translations of a space that they keep may be wrong."""
        self._words[slot_word(space, self._count) + SLOT_GENERATION] += 1

    def leave(self, space: int) -> None:
        """A space ends. Its number stays in its slot, so that it is not given again."""
        self._words[slot_word(space, self._count) + SLOT_ROOT] = 0
        self.invalidate(space)
        self._free.append(space % self._count)


def build(frames: Region, tables: Region, pages: int, page_tables: int, spaces: int) -> Machine:
    """A machine with nothing in its memory.

    What an earlier life of the service left in the regions is gone, except for what tells a
    surviving MMU so: generations go on, and no number of a space comes back.

    Raises:
        OSError: EINVAL: a number is out of range.
    """
    for name, value in (("pages", pages), ("page_tables", page_tables), ("spaces", spaces)):
        if not 1 <= value <= _MOST:
            raise OSError(errno.EINVAL, f"{name} must be 1 to {_MOST}, not {value}")
    counts_start = SLOTS * WORD + round_up(spaces * SLOT_WORDS * WORD)
    tables_start = counts_start + round_up(pages * _COUNT_BYTES)
    frames.resize(pages << PAGE_SHIFT)
    tables.resize(tables_start + (page_tables << PAGE_SHIFT))
    tables.memory[counts_start:tables_start] = bytes(tables_start - counts_start)
    counts = memoryview(tables.memory)[counts_start:][: pages * _COUNT_BYTES].cast("I")
    pool = Frames(frames.memory, counts)
    table_pool = PageTables(tables.memory, tables_start >> PAGE_SHIFT, page_tables)
    _begin(table_pool.words, spaces)
    return Machine(pool, table_pool, MemoryObjects(pool), Slots(table_pool.words, spaces))


def _begin(words: memoryview, spaces: int) -> None:
    """Write the head of the tables region; nothing lives there."""
    words[HEADER_MAGIC] = MAGIC
    words[HEADER_VERSION] = VERSION
    words[HEADER_SPACES] = spaces
    for slot in range(spaces):
        words[slot_word(slot, spaces) + SLOT_ROOT] = 0
        words[slot_word(slot, spaces) + SLOT_GENERATION] += 1
