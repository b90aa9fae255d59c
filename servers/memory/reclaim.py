"""Reclaiming frames: when none is free, a page that the policy names gives its frame up."""

import errno
from collections.abc import Callable
from typing import Final

from servers.memory.events import BROUGHT, ENDED, EVICTIONS, WRITTEN, Events
from servers.memory.frames import Frames
from servers.memory.homes import Home, Mapper
from servers.memory.layout import (
    ACCESSED,
    ACCESSED_BYTE,
    DIRTY,
    HEADER_EVENTS,
    PAGE_SHIFT,
    SWAPPED,
    WORD,
)
from servers.memory.policies import Policy
from servers.memory.slots import PATIENCE, Slots
from servers.memory.swap import SwapArea
from servers.memory.tables import PageTables
from twinos import fail

Within = Callable[[Mapper], bool]
"""Says which spaces are to give up a page."""


class Reclaim:
    """Gives out frames; also what the policy looks at.

    Args:
        frames: physical memory.
        tables: the page tables.
        slots: where spaces live.
        swap: where pages go.
        policy: says which.
        quantum: page faults between two ticks of the policy's clock; 0: none of them is one.

    Attributes:
        events: what has happened so far; see `events`.
        locked: how many pages must stay in memory.
    """

    def __init__(
        self,
        frames: Frames,
        tables: PageTables,
        slots: Slots,
        swap: SwapArea,
        policy: Policy,
        quantum: int,
    ) -> None:
        self._frames: Final = frames
        self._tables: Final = tables
        self._slots: Final = slots
        self._swap: Final = swap
        self._policy: Final = policy
        self._quantum = quantum
        self._faults = 0
        self._own = True
        self._within: Within | None = None
        self._restless: set[int] = set()
        self.events: Final = Events(tables.words, HEADER_EVENTS, ENDED + 3)
        self.locked = 0

    # Frames.

    def zeros(self, home: Home, page: int) -> int:
        """A frame of zeros, held once, for a page. ENOMEM: none can be had."""
        if not self._frames.free:
            self.make_room()
        self.events.add(BROUGHT)
        return self._frames.allocate(home, page)

    def filled(self, home: Home, page: int, data: bytes) -> int:
        """A frame with these bytes, held once, for a page. ENOMEM: none can be had."""
        self.make_room()
        frame = self._frames.take(home, page)
        self._frames.write(frame, data)
        self.events.add(BROUGHT)
        return frame

    def copy(self, home: Home, page: int, source: int) -> int:
        """A frame with the bytes of another, which goes only if no other can. ENOMEM: none."""
        data = self._frames.read(source)
        if not self._frames.free:
            try:
                self.evict(sparing=source)
            except OSError:
                self.evict()
        frame = self._frames.take(home, page)
        self._frames.write(frame, data)
        return frame

    def make_room(self) -> None:
        """Have one frame free. ENOMEM: no page may go."""
        while not self._frames.free:
            self.evict()

    def evict(
        self, *, own: bool = True, within: Within | None = None, sparing: int | None = None
    ) -> None:
        """Have one page give up its frame. ENOMEM: none may go. EIO: none can be written.

        Args:
            own: whether it is to be a frame of the memory manager's, or one with a page of a file.
            within: which spaces it may be taken from; None: all.
            sparing: a frame that is not to be taken.
        """
        self._own, self._within = own, within
        if sparing is not None:
            self._restless.add(sparing)
        failure = fail(errno.ENOMEM)
        try:
            while (victim := self._policy.victim(self)) is not None:
                try:
                    if self._give_up(victim):
                        return
                except OSError as error:  # it is nobody's fault who needs a frame now
                    failure = error
                self._restless.add(victim)
            raise failure
        finally:
            self._restless.clear()

    def expel(self, frame: int) -> None:
        """Take a frame that is not the memory manager's own away from its page at once."""
        mappers = self._mappers(frame)
        for _, word in mappers:
            self._tables.words[word] = 0
        for number in {space.number for space, _ in mappers}:
            self._slots.invalidate(number)
            self._slots.silence([number])
        for space, _ in mappers:
            space.resident -= 1
        whose = self._frames.homes[frame]
        if whose is not None:
            whose[0].evicted(frame, whose[1], None)
        self._frames.drop([frame] * self._frames.holders(frame))

    def fault(self) -> None:
        """A page fault: for want of better, the time that policies know."""
        self._faults += 1
        if self._quantum and not self._faults % self._quantum:
            self.tick()

    def tick(self) -> None:
        """A tick of the policy's clock."""
        self._own, self._within = True, None
        self._policy.tick(self)

    # What the policy looks at.

    def accessed(self, page: int) -> bool:
        """Whether a page in memory was referenced since this was last asked.

        MMUs set the bit when they look a page up in the tables; so that they look again, what
        they remember of the space becomes invalid.
        """
        found = False
        for space, word in self._mappers(page):
            if self._tables.words[word] & ACCESSED:
                self._tables.set_byte(word * WORD + ACCESSED_BYTE, 0)
                self._slots.invalidate(space.number)
                found = True
        return found

    def dirty(self, page: int) -> bool:
        """Whether a page was written since it came."""
        if self._frames.dirty[page]:
            return True
        return any(self._tables.words[word] & DIRTY for _, word in self._mappers(page))

    def evictable(self, page: int) -> bool:
        """Whether a page may go now."""
        frames = self._frames
        if (page < frames.own) is not self._own or page in self._restless:
            return False
        if frames.dirty[page] and self._own and self._swap.full:
            return False
        if not self.locked and self._within is None:
            return True
        spaces = [(space, word) for space, word in self._mappers(page)]
        if self._within is not None and not any(self._within(space) for space, _ in spaces):
            return False
        return not any(space.locked and self._is_locked(space, page) for space, _ in spaces)

    # Giving up.

    def _mappers(self, frame: int) -> list[tuple[Mapper, int]]:
        whose = self._frames.homes[frame]
        return [] if whose is None else list(whose[0].mappers(self._tables, frame, whose[1]))

    def _is_locked(self, space: Mapper, frame: int) -> bool:
        whose = self._frames.homes[frame]
        if whose is None:
            return False
        home, page = whose
        places = (number for mapper, number in home.places(page) if mapper is space)
        areas = (space.areas.find(number << PAGE_SHIFT) for number in places)
        return any(area is not None and area.locked for area in areas)

    def _give_up(self, frame: int) -> bool:
        """Take a frame away from its page; False: an MMU is in the middle of an access to it."""
        whose = self._frames.homes[frame]
        if whose is None:
            raise RuntimeError(f"frame {frame} is free and was chosen as a victim")
        home, page = whose
        mappers = self._mappers(frame)
        slot = None if home.filed else self._slot(frame)
        words, before = self._tables.words, [self._tables.words[word] for _, word in mappers]
        after = 0 if slot is None or not home.private else slot << PAGE_SHIFT | SWAPPED
        leaves = bool(after and self._frames.dirty[frame])
        if leaves:
            self._frames.record.leaving = frame, slot or 0
        for _, word in mappers:
            words[word] = after
        try:
            done = self._hush(mappers) and self._save(frame, slot)
        except OSError:
            self._restore(frame, slot, mappers, before)
            if slot is not None:
                self._swap.doubt(slot)
            raise
        if not done:
            self._restore(frame, slot, mappers, before)
            return False
        if slot is not None and home.private:
            self._swap.hold([slot], len(mappers))
        for space, _ in mappers:
            space.resident -= 1
        home.evicted(frame, page, slot)
        self._frames.drop([frame] * self._frames.holders(frame))
        if leaves:
            self._frames.record.leaving = None
        self.events.add(EVICTIONS)
        return True

    def _hush(self, mappers: list[tuple[Mapper, int]]) -> bool:
        """Nobody is in the middle of an access any more, or can begin one."""
        numbers = {space.number for space, _ in mappers}
        for number in numbers:
            self._slots.invalidate(number)
        return self._slots.silence(numbers, PATIENCE)

    def _slot(self, frame: int) -> int | None:
        """The slot for a page's bytes; None: they are zeros. ENOMEM: no slot is free."""
        if not self._frames.dirty[frame]:
            return self._swap.slot(frame)
        if not self._swap.free:
            spare = self._swap.spare()
            if spare is not None:
                self._frames.dirty[spare] = 1
                self._swap.part(spare)
        return self._swap.take()

    def _save(self, frame: int, slot: int | None) -> bool:
        if slot is not None and self._frames.dirty[frame]:
            self._swap.write(slot, self._frames.read(frame))
            self.events.add(WRITTEN)
        return True

    def _restore(
        self, frame: int, slot: int | None, mappers: list[tuple[Mapper, int]], before: list[int]
    ) -> None:
        for (space, word), entry in zip(mappers, before, strict=True):
            self._tables.words[word] = entry
            self._slots.invalidate(space.number)
        self._frames.record.leaving = None
        if slot is not None and self._frames.dirty[frame]:
            self._swap.discard(slot)
