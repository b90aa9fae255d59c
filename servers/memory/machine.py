"""The memory of the machine: what all address spaces share, and how it lies in its regions."""

import errno
from dataclasses import dataclass
from typing import Final, NamedTuple

from servers.memory.commit import Commit
from servers.memory.files import Files
from servers.memory.frames import Frames
from servers.memory.layout import (
    HEADER_CUTS,
    HEADER_FRAMES,
    HEADER_LENT,
    HEADER_MAGIC,
    HEADER_SPACES,
    HEADER_VERSION,
    MAGIC,
    PAGE_SHIFT,
    SLOT_GENERATION,
    SLOT_ROOT,
    SLOT_WORDS,
    SLOTS,
    VERSION,
    WORD,
    round_up,
    slot_word,
)
from servers.memory.ledger import Ledger
from servers.memory.policies import Policy, policies
from servers.memory.reclaim import Reclaim
from servers.memory.record import PageRecord, record_size
from servers.memory.registry import MemoryObjects
from servers.memory.slots import Slots
from servers.memory.swap import SwapArea
from servers.memory.tables import PageTables
from twinos import Journal, Region

_MOST: Final = 1 << 24
_COUNT_BYTES: Final = 4


class Sizes(NamedTuple):
    """How much there is of everything: settings of the service.

    Attributes:
        pages: page frames.
        page_tables: page tables.
        spaces: address spaces.
    """

    pages: int
    page_tables: int
    spaces: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What all address spaces share.

    Attributes:
        frames: physical memory.
        tables: the page tables.
        swap: where pages go when frames run short.
        reclaim: gives out frames, and takes them away.
        commit: what was promised.
        objects: what shared areas show.
        slots: where spaces live.
        files: where pages of files come from, and go.
        ledger: what has changed that is not in the regions.
    """

    frames: Frames
    tables: PageTables
    swap: SwapArea
    reclaim: Reclaim
    commit: Commit
    objects: MemoryObjects
    slots: Slots
    files: Files
    ledger: Ledger


def build(
    frames: Region,
    tables: Region,
    swap: SwapArea,
    files: Files,
    sizes: Sizes,
    journal: Journal,
    *,
    policy: str,
    seed: int,
    quantum: int,
    overcommit: bool,
) -> Machine:
    """A machine with nothing in its memory; for the arguments see `MemoryManager`.

    What an earlier life of the service left in the regions stays, to be taken over by `recovery`,
    if its journal goes on. Or else it is gone, except for what tells a surviving MMU so:
    generations go on, and no number of a space comes back.

    Raises:
        OSError: EINVAL: a number is out of range, or there is no such policy.
    """
    for name, value in sizes._asdict().items():
        if not 1 <= value <= _MOST:
            raise OSError(errno.EINVAL, f"{name} must be 1 to {_MOST}, not {value}")
    chosen = _policy(policy)(sizes.pages, seed)
    goes_on = journal.reborn and _is_complete(tables, sizes)
    lent = memoryview(tables.memory).cast("Q")[HEADER_LENT] if goes_on else files.begin()
    count = sizes.pages + lent
    counts_start = SLOTS * WORD + round_up(sizes.spaces * SLOT_WORDS * WORD)
    record_start = counts_start + round_up(count * _COUNT_BYTES)
    tables_start = record_start + round_up(record_size(count, swap.size))
    if not goes_on:
        frames.resize(sizes.pages << PAGE_SHIFT)
        _clear(tables, counts_start, tables_start, tables_start + (sizes.page_tables << PAGE_SHIFT))
    counts = memoryview(tables.memory)[counts_start:][: count * _COUNT_BYTES].cast("I")
    table_pool = PageTables(tables.memory, tables_start >> PAGE_SHIFT, sizes.page_tables)
    swap.record = PageRecord(table_pool.words, record_start, count, swap.size)
    if not goes_on:
        _begin(table_pool.words, sizes, lent)
    pool = Frames(frames.memory, counts, sizes.pages, chosen, swap, swap.record)
    slots = Slots(table_pool.words, sizes.spaces)
    commit = Commit(sizes.pages + swap.size - 1, strict=not overcommit)
    ledger = Ledger(journal)
    return Machine(
        pool,
        table_pool,
        swap,
        Reclaim(pool, table_pool, slots, swap, chosen, quantum),
        commit,
        MemoryObjects(pool, swap, commit, files, ledger),
        slots,
        files,
        ledger,
    )


def _policy(name: str) -> type[Policy]:
    known = {key: one for key, one in policies().items() if not one.clairvoyant}
    if name not in known:
        raise OSError(errno.EINVAL, f"no policy is called {name!r}: there are {', '.join(known)}")
    return known[name]


def _is_complete(tables: Region, sizes: Sizes) -> bool:
    """Whether an earlier life has come so far that somebody could live there."""
    if not tables.size:
        return False
    words = memoryview(tables.memory).cast("Q")
    head = words[HEADER_MAGIC], words[HEADER_VERSION], words[HEADER_SPACES], words[HEADER_FRAMES]
    return head == (MAGIC, VERSION, sizes.spaces, sizes.pages)


def _clear(tables: Region, start: int, end: int, size: int) -> None:
    """Have nothing between two places of a region of this size."""
    used = bool(tables.size)
    if used:
        memoryview(tables.memory).cast("Q")[HEADER_MAGIC] = 0
    tables.resize(size)
    if used:
        tables.memory[start:end] = bytes(end - start)


def _begin(words: memoryview, sizes: Sizes, lent: int) -> None:
    """Write the head of the tables region; nothing lives there."""
    for slot in range(sizes.spaces):
        words[slot_word(slot, sizes.spaces) + SLOT_ROOT] = 0
        words[slot_word(slot, sizes.spaces) + SLOT_GENERATION] += 1
    for word in range(HEADER_CUTS, SLOTS):
        words[word] = 0
    words[HEADER_LENT] = lent
    words[HEADER_VERSION] = VERSION
    words[HEADER_SPACES] = sizes.spaces
    words[HEADER_FRAMES] = sizes.pages
    words[HEADER_MAGIC] = MAGIC
