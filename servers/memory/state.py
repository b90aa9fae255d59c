"""What all operations share: the machine, the address spaces, and whose they are."""

import errno
from typing import Annotated, Final, NamedTuple

from servers.memory.events import ENDED, KILLS
from servers.memory.files import Files, FilesHandle
from servers.memory.layout import PAGE_MASK, round_up
from servers.memory.limits import PROGRAM
from servers.memory.machine import Sizes, build
from servers.memory.objects import NamedObject
from servers.memory.space import Space
from servers.memory.swap import SwapArea, SwapDisk
from twinos import NO_JOURNAL, Caller, Journal, Region, Service, fail, limit, noted, only, shared

WORD_MASK: Final = 2**64 - 1
_KILLS: Final = 64


Descriptors = dict[int, dict[int, tuple[NamedObject, bool]]]
"""By caller and number: shared memory, and whether it may be written."""


class Kill(NamedTuple):
    """An address space that had to go when memory ran out.

    Attributes:
        space: its number.
        owner: the caller whose it was.
        pages: the pages that it had, in frames and in the swap area.
    """

    space: int
    owner: int
    pages: int


class MemoryState(Service):
    """The common base of the operations' classes. See `MemoryManager` for the parameters."""

    def __init__(
        self,
        frames: Annotated[Region, shared],
        tables: Annotated[Region, shared],
        swap: Annotated[SwapDisk, only("geometry", "read", "write")],
        files: FilesHandle,
        pages: int = 32_768,
        page_tables: int = 4_096,
        spaces: int = 256,
        policy: str = "clock",
        seed: int = 0,
        quantum: int = 1,
        overcommit: bool = False,
        journal: Annotated[Journal, noted] = NO_JOURNAL,
        program: Annotated[int, limit("bytes of a program's address space", "ENOMEM")] = PROGRAM,
    ) -> None:
        if program < 1:
            raise fail(errno.EINVAL)
        self._most_of_a_program = program
        self._sizes = Sizes(pages, page_tables, spaces)
        self._machine = build(
            frames,
            tables,
            SwapArea(swap),
            Files(files),
            self._sizes,
            journal,
            policy=policy,
            seed=seed,
            quantum=quantum,
            overcommit=overcommit,
        )
        self._overcommit = overcommit
        self._spaces: dict[int, Space] = {}
        self._kills: dict[int, Kill] = {}
        self._named: dict[str, NamedObject] = {}
        self._descriptors: Descriptors = {}

    def _space(self, caller: Caller, number: int) -> Space:
        space = self._spaces.get(number)
        if space is None:
            raise self._gone(number)
        if space.owner != caller.id:
            raise fail(errno.EPERM)
        return space

    def _shared(self, caller: Caller, fd: int) -> tuple[NamedObject, bool]:
        """The shared memory that a descriptor is of, and whether it may be written. EBADF."""
        try:
            return self._descriptors[caller.id][fd]
        except KeyError:
            raise fail(errno.EBADF) from None

    def _gone(self, number: int) -> OSError:
        kill = self._kills.get(number)
        if kill is None:
            return fail(errno.ESRCH)
        return OSError(
            errno.ESRCH,
            f"out of memory: address space {kill.space} of user {kill.owner} was killed, "
            f"it had {kill.pages} pages",
        )

    def _enter(self, space: Space) -> int:
        self._spaces[space.number] = space
        return space.number

    def _end(self, space: Space, *, asked: bool = True) -> None:
        self._machine.ledger.note(("ended", space.number))
        if not asked:
            self._machine.ledger.publish()  # its owner does not know, and so would not ask again
        del self._spaces[space.number]
        ended = space.faults.events
        for which, count in enumerate(ended.counts):
            self._machine.reclaim.events.add(ENDED + which, count)
        ended.clear()
        space.destroy()

    def _departed(self, caller: Caller) -> None:
        for space in [space for space in self._spaces.values() if space.owner == caller.id]:
            self._end(space)

    def _kill_one(self) -> None:
        """End the space that has the most pages, to have some again."""
        victim = max(self._spaces.values(), key=Space.weight)
        kill = Kill(victim.number, victim.owner, victim.weight())
        self._machine.ledger.note(("killed", *kill))
        self._end(victim, asked=False)
        keep_kill(self._kills, kill)
        self._machine.reclaim.events.add(KILLS)


def keep_kill(kills: dict[int, Kill], kill: Kill) -> None:
    """Remember it, and not too many."""
    kills[kill.space] = kill
    if len(kills) > _KILLS:
        del kills[next(iter(kills))]


def advised_range(address: int, length: int) -> tuple[int, int]:
    """The pages of a range that need not lie in memory's bounds. EINVAL: no page's address."""
    start = address & WORD_MASK
    end = start + round_up(length & WORD_MASK)
    if start & PAGE_MASK or end > WORD_MASK:
        raise fail(errno.EINVAL)
    return start, end
