"""The desk: what the gates of a system know of callers, and count, in memory that they share."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from twinos import Region

ROWS: Final = 1 << 16
"""Callers that have a priority of their own at a time."""
GUESTS: Final = 30
"""Requests in one space of which it is told whose they are; of more, how urgent they are."""
_COUNTS: Final = 5
_WORD: Final = 8
_SPACE: Final = _COUNTS + 2 + GUESTS
_MILDEST: Final = 1 << 32


class Passages(NamedTuple):
    """What came of those who wanted to enter an address space. Times are seconds.

    Attributes:
        entered: how many there were: requests, and those that came back from waiting.
        wait: how long they stood before the gate, all together.
        turnaround: the same, and how long they were inside.
        longest: the longest wait of one.
        waiting: how many stand before the gate now.
    """

    entered: int
    wait: float
    turnaround: float
    longest: float
    waiting: int


class Desk:
    """What the gates of a system know of callers, and count, in memory that they share.

    Args:
        region: that memory; made large enough if it is new.
        spaces: how many gates there are.
        residents: the callers that are services, and the space in which each lives.
    """

    def __init__(
        self, region: Region, spaces: int, residents: Mapping[int, int] | None = None
    ) -> None:
        if not region.size:
            region.resize((ROWS + spaces * _SPACE) * _WORD)
        self._words = memoryview(region.memory).cast("q")
        self._residents = residents or {}

    def close(self) -> None:
        """Look there no more."""
        self._words.release()

    def weigh(self, caller: int, priority: int) -> None:
        """A caller has this priority: less is more urgent."""
        self._words[caller % ROWS] = priority

    def priority(self, caller: int) -> int:
        """The priority of a caller; 0, if nobody has said."""
        return self._words[caller % ROWS]

    def urgency(self, caller: int) -> int:
        """The priority of a caller or, of a service at work, of the most urgent who wants it to be.

        So a request inherits the priority of those who wait for it; see `Turnstile.lending`.
        """
        found, due, seen = [], {caller}, set()
        while due:
            one = due.pop()
            space = self._residents.get(one)
            if space in seen:
                continue
            count, rest, *ids = (0, 0) if space is None else self._told(space)
            if not count:
                found.append(self.priority(one))
                continue
            seen.add(space)
            due.update(ids[:count])
            found += [rest] if count > GUESTS else []
        return min(found, default=self.priority(caller))

    def _told(self, space: int) -> list[int]:
        """How many have requests there, how urgent those are that are not named; the others."""
        first = self._guests(space)
        return self._words[first : first + 2 + GUESTS].tolist()

    def welcome(self, space: int, callers: Sequence[int]) -> None:
        """These have requests in a space: it works for one, and the others wait."""
        first = self._guests(space)
        told, others = callers[:GUESTS], callers[GUESTS:]
        for place, caller in enumerate(told, first + 2):
            self._words[place] = caller
        self._words[first + 1] = min(map(self.priority, others), default=_MILDEST)
        self._words[first] = len(callers)

    def _guests(self, space: int) -> int:
        return ROWS + space * _SPACE + _COUNTS

    def count(self, space: int, wait: int, inside: int) -> None:
        """Somebody has entered a space and left, after so many nanoseconds before and within."""
        first = ROWS + space * _SPACE
        self._words[first] += 1
        self._words[first + 1] += wait
        self._words[first + 2] += wait + inside
        self._words[first + 3] = max(self._words[first + 3], wait)

    def line(self, space: int, length: int) -> None:
        """So many stand before the gate of a space now."""
        self._words[ROWS + space * _SPACE + 4] = length

    def passages(self, space: int) -> Passages:
        """What has been counted at the gate of a space."""
        first = ROWS + space * _SPACE
        entered, *times, waiting = self._words[first : first + _COUNTS]
        wait, turnaround, longest = (nanoseconds / 1e9 for nanoseconds in times)
        return Passages(entered, wait, turnaround, longest, waiting)
