"""Exact counts of messages and bytes, kept by every process in one shared region."""

import threading
from typing import Final

from kernels.bulk import Bulk, Frame
from kernels.line import Exchange
from kernels.status import Counts
from twinos import Region

ROWS: Final = 1 << 16
_FIELDS: Final = len(Counts._fields)
_WORD: Final = 8


class Counters:
    """A table of 64-bit words: a row for each process, so that no two write to one.

    Args:
        region: the table; made large enough if it is new.
        row: which row this process adds to.
    """

    def __init__(self, region: Region, row: int) -> None:
        if not region.size:
            region.resize(ROWS * _FIELDS * _WORD)
        self.region = region
        self._cells = memoryview(region.memory).cast("Q")
        self._lock = threading.Lock()
        self.move(row)

    def move(self, row: int) -> None:
        """Add to another row from now on: this is another process."""
        self._first = row % ROWS * _FIELDS

    def add(self, messages: int, size: int) -> None:
        """Count messages of `size` bytes in all."""
        with self._lock:
            self._cells[self._first] += messages
            self._cells[self._first + 1] += size

    def counting(self, exchange: Exchange) -> Exchange:
        """`exchange`, with what it carries counted."""

        def counted(request: bytes | Bulk, room: int) -> Frame:
            reply = exchange(request, room)
            self.add(messages=2, size=len(request) + len(reply))
            return reply

        return counted

    def total(self) -> Counts:
        """The sums over all processes."""
        return Counts(*(sum(self._cells[field::_FIELDS]) for field in range(_FIELDS)))
