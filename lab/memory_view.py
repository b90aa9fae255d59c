"""What memory looks like from outside: its spaces, page by page, and its frames.

All of it is read where an MMU reads it, in the memory manager's regions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Final

from kernels import System
from servers.filesystem import FileSystem
from servers.filesystem.lending import SLOTS
from servers.memory import AddressSpace, Area, MemoryManager
from servers.memory.layout import (
    COPY_ON_WRITE,
    HEADER_FRAMES,
    PAGE_SHIFT,
    PRESENT,
    SHARED,
    SWAPPED,
    frame_of,
)

WIDTH: Final = 64

KEY: Final = """\
pages:  # written  + read only so far, or to be copied on write  = shared  ~ of a file
        s in the swap area  . not touched
frames: a letter for the space whose page it is, * for several, - free"""


class View:
    """Looks at the memory of a system.

    Args:
        system: one with a memory manager.
        names: the address spaces to be shown, by name.
    """

    def __init__(self, system: System, names: Mapping[str, AddressSpace]) -> None:
        self._memory = system[MemoryManager]
        self._names = names
        self._words = memoryview(system.region(MemoryManager, "tables").memory).cast("Q")
        marks = memoryview(system.region(FileSystem, "pages").memory).cast("Q")
        self._own: int = self._words[HEADER_FRAMES]
        self._slots: int = marks[SLOTS]

    def lines(self) -> Iterator[str]:
        """The view."""
        letters = dict(zip(self._names, _LETTERS, strict=False))
        holders: defaultdict[int, set[str]] = defaultdict(set)
        for name, space in self._names.items():
            usage = space.statm()
            yield (
                f"{letters[name]} {name}: {usage.size} pages, {usage.resident} in frames "
                f"({usage.shared} shared), {usage.swapped} swapped, {usage.locked} locked"
            )
            yield f"    faults: {usage.minor} minor, {usage.major} major; {usage.copies} copies"
            for area in space.maps():
                entries = list(self._entries(space, area))
                for entry in entries:
                    if entry & PRESENT:
                        holders[frame_of(entry)].add(letters[name])
                yield f"    {area}"
                yield from (f"    {line}" for line in _rows(map(self._mark, entries)))
        yield from self._frame_map(holders)
        yield from self._totals()

    def _entries(self, space: AddressSpace, area: Area) -> Iterator[int]:
        for page in range(area.start >> PAGE_SHIFT, area.end >> PAGE_SHIFT):
            word = space.entry(page)
            yield self._words[word] if word else 0

    def _mark(self, entry: int) -> str:
        """A page in one character."""
        if not entry & PRESENT:
            return "s" if entry & SWAPPED else "."
        if frame_of(entry) >= self._own:
            return "~"
        if entry & SHARED:
            return "="
        return "+" if entry & COPY_ON_WRITE else "#"

    def _frame_map(self, holders: Mapping[int, set[str]]) -> Iterator[str]:
        def letter(frame: int) -> str:
            who = holders.get(frame, set())
            return "*" if len(who) > 1 else next(iter(who), "-")

        yield f"frames ({self._own})"
        yield from (f"    {line}" for line in _rows(map(letter, range(self._own))))
        borrowed = [frame for frame in sorted(holders) if frame >= self._own]
        if borrowed:
            yield f"pages of files ({len(borrowed)} of at most {self._slots})"
            yield from (f"    {line}" for line in _rows(map(letter, borrowed)))

    def _totals(self) -> Iterator[str]:
        info, events = self._memory.meminfo(), self._memory.vmstat()
        yield (
            f"free: {info.free_frames} of {info.frames} frames, {info.free_swap:,} of "
            f"{info.swap:,} slots; promised: {info.committed:,} of {info.commit_limit:,} pages"
        )
        yield (
            f"so far: {events.minor} minor and {events.major} major faults, {events.copies} "
            f"copies; {events.evictions} evictions, {events.written} written"
        )


_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _rows(marks: Iterator[str]) -> Sequence[str]:
    return wrap("".join(marks), WIDTH)
