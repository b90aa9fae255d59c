"""What of pages outlives the service, beside their bytes and the page tables that lead to them.

It lies in the tables region, between the reference counts and the page tables:

    frames   two words for each frame: the number of the memory object whose page is in it, and
             which; 0: no object's. Whose a private page is, page tables tell.
    slots    the same for each slot of the swap area
    joins    four bytes for each frame: the slot that has the same bytes, plus 1; 0: none has
    dirty    a byte for each frame: whether its bytes are nowhere else

The service may die between any two stores. So their order matters: first the bytes of a page, then
whose it is, then the entry that leads to it; first `dirty`, then the end of a join that is true no
more. What is contradictory all the same is put right by `recovery`.
"""

from collections.abc import Iterator
from typing import Final

from servers.memory.layout import HEADER_LEAVING, WORD

_PAIR: Final = 2 * WORD
_JOIN: Final = 4


def record_size(frames: int, slots: int) -> int:
    """Bytes for so many frames, and slots of the swap area."""
    return (frames + slots) * _PAIR + frames * (_JOIN + 1)


class PageRecord:
    """The record of the pages of a machine.

    Args:
        words: the tables region, in words.
        start: where the record begins, in bytes.
        frames, slots: of how many.

    Attributes:
        joins, dirty: by frame; see above.
    """

    __slots__ = ("_end", "_frames", "_slots", "_words", "dirty", "joins")

    def __init__(self, words: memoryview, start: int, frames: int, slots: int) -> None:
        self._words = words
        self._frames = start // WORD
        self._slots = self._frames + 2 * frames
        self._end = self._slots + 2 * slots
        here = start + (frames + slots) * _PAIR
        memory = words.cast("B")
        self.joins = memory[here : here + frames * _JOIN].cast("I")
        self.dirty = memory[here + frames * _JOIN :][:frames]

    def keep(self, frame: int, number: int, page: int) -> None:
        """A page of a memory object is in a frame, all of it."""
        word = self._frames + 2 * frame
        self._words[word + 1] = page
        self._words[word] = number

    def forget(self, frame: int) -> None:
        """No object's page is there any more."""
        self._words[self._frames + 2 * frame] = 0

    def keep_slot(self, slot: int, number: int, page: int) -> None:
        """A page of a memory object is in a slot of the swap area."""
        word = self._slots + 2 * slot
        self._words[word + 1] = page
        self._words[word] = number

    def forget_slot(self, slot: int) -> None:
        """No object's page is there any more."""
        self._words[self._slots + 2 * slot] = 0

    def frames(self) -> Iterator[tuple[int, int, int]]:
        """The frames with pages of objects: frame, number of the object, page."""
        return self._pairs(self._frames, self._slots)

    def slots(self) -> Iterator[tuple[int, int, int]]:
        """The same of the slots."""
        return self._pairs(self._slots, self._end)

    def _pairs(self, first: int, last: int) -> Iterator[tuple[int, int, int]]:
        words = self._words
        for place, number in enumerate(words[first:last:2].tolist()):
            if number:
                yield place, number, words[first + 2 * place + 1]

    @property
    def leaving(self) -> tuple[int, int] | None:
        """The frame whose private page is on its way to a slot, and that slot."""
        frame, slot = self._words[HEADER_LEAVING], self._words[HEADER_LEAVING + 1]
        return (frame - 1, slot - 1) if frame else None

    @leaving.setter
    def leaving(self, pair: tuple[int, int] | None) -> None:
        frame, slot = (pair[0] + 1, pair[1] + 1) if pair else (0, 0)
        self._words[HEADER_LEAVING] = 0
        self._words[HEADER_LEAVING + 1] = slot
        self._words[HEADER_LEAVING] = frame
