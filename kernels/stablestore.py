"""The stable store: where a journal lies, in a region that outlives its service.

       0  u64 MAGIC
       8  u64 the base: which of two places holds the state, and its number, the epoch; 0: none yet
      16  u64 the epoch of the last base of which the rest has been done
      24  u64 the conversation of the request that is being carried out
      32  u64 the conversation that a life ended in by its own fault, and how often in a row
    4096  entries, one behind the other
    BASE  one state: u64 its length, u64 its checksum, and the bytes
    BASE + ROOM  the other

An entry begins with a word that is written last: the epoch and the length. So it is there as a
whole or not at all, and all entries are void once the base has another epoch. The host makes
visible what a process stored, in its order, whatever becomes of the process.
"""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from twinos import Region

MAGIC: Final = 0x31524E4A_534F5754  # TWOSJNR1
START: Final = 4096
JOURNAL: Final = 48 << 20
"""Bytes for entries. Pages that were never reached take no memory."""
BASE: Final = START + JOURNAL
ROOM: Final = 96 << 20
"""Bytes for a state."""
SOFT: Final = 16 << 20
"""Bytes of entries after which a state is due."""
MOST: Final = 4096
"""Entries after which a state is due: so many requests are carried out again at most."""
CHECKED: Final = 256
"""Bytes of a request, from its start, that its checksum covers: what a page holds nobody checks."""
checksum: Final = zlib.adler32
"""Of an entry: for so few bytes much quicker than the CRC that a state has."""

MADV_POPULATE_WRITE: Final = 23
"""Of <sys/mman.h>; Python has no name for it."""

WORD: Final = 8
WORD_MAGIC, WORD_BASE, WORD_DONE, WORD_AT_WORK, WORD_FAULT, WORD_FAULTS = range(6)

HEAD: Final = struct.Struct("<QIHHQQQdII")
"""Mark, checksum, kind, index, conversation, number, caller, time, size of frame, of contents."""
PADS: Final = tuple(bytes((-size) % 8 + 8) for size in range(8))
"""What follows an entry of so many bytes beyond a multiple of 8: padding, and a mark of nothing."""

REQUEST: Final = 0
REPLY: Final = 1
DEPARTED: Final = 2
CALLER: Final = 3
NOTE: Final = 4
CHANGE: Final = 5


class DamagedError(Exception):
    """What was kept is not what was written."""


class Entry(NamedTuple):
    """Something recorded."""

    kind: int
    place: int
    conversation: int
    number: int
    caller: int
    time: float
    frame: bytes
    contents: bytes


class StableStore:
    """The journal's memory.

    Args:
        region: it is empty in the service's first life.

    Attributes:
        memory, words: the region, by bytes and by words of 8.
        epoch: the number of the base.
        mark: what entries begin with, but for their length.
        tail: where the next entry goes.
        count: entries since the base.
    """

    def __init__(self, region: Region) -> None:
        if not region.size:
            region.resize(BASE + 2 * ROOM)
            memoryview(region.memory)[:8] = MAGIC.to_bytes(8, "little")
            with suppress(OSError, ValueError):  # an older host gives pages one by one, later
                region.memory.madvise(MADV_POPULATE_WRITE, 0, START + SOFT)
        self.memory = region.memory
        self.words = memoryview(region.memory).cast("Q")
        if self.words[WORD_MAGIC] != MAGIC:
            self.void()
            raise DamagedError("the journal's head is overwritten")
        self._begin(self.words[WORD_BASE] >> 1)

    def base(self) -> bytes:
        """The state; empty: none was ever saved.

        Raises:
            DamagedError: it is not what was written.
        """
        word: int = self.words[WORD_BASE]
        if not word:
            return b""
        start = BASE + (word & 1) * ROOM
        size, checksum = self.words[start >> 3], self.words[(start >> 3) + 1]
        if size > ROOM - 16:
            raise DamagedError("the saved state has an impossible length")
        state = self.memory[start + 16 : start + 16 + size]
        if zlib.crc32(state) != checksum:
            raise DamagedError("the saved state fails its checksum")
        return state

    def save(self, state: bytes) -> None:
        """Make this the base; no entry belongs to it. It becomes so by one store."""
        size = len(state)
        if size > ROOM - 16:
            raise OverflowError(f"a state of {size} bytes: there is room for {ROOM - 16}")
        other = not self.words[WORD_BASE] & 1
        start = BASE + other * ROOM
        self.memory[start + 16 : start + 16 + size] = state
        self.words[start >> 3] = size
        self.words[(start >> 3) + 1] = zlib.crc32(state)
        self._begin(self.epoch + 1)
        self.words[WORD_BASE] = self.epoch << 1 | other

    def void(self) -> None:
        """Forget everything."""
        self.words[WORD_MAGIC] = MAGIC
        self.words[START >> 3] = 0
        self.words[WORD_BASE] = 0
        self._begin(0)

    def blame(self, *, fault: bool) -> None:
        """A life begins: if the last one ended by its own fault, the request at work gets it."""
        words = self.words
        culprit = words[WORD_AT_WORK]
        words[WORD_AT_WORK] = 0
        if fault and culprit:
            words[WORD_FAULTS] = words[WORD_FAULTS] + 1 if words[WORD_FAULT] == culprit else 1
            words[WORD_FAULT] = culprit

    def is_fatal(self, conversation: int, enough: int) -> bool:
        """Whether a conversation has ended so many lives in a row; it begins anew then."""
        if self.words[WORD_FAULT] != conversation or self.words[WORD_FAULTS] < enough:
            return False
        self.words[WORD_FAULTS] = 0
        return True

    def _begin(self, epoch: int) -> None:
        self.epoch = epoch
        self.mark = (epoch & 0xFFFF_FFFF) << 32
        self.tail = START
        self.count = 0

    @property
    def crowded(self) -> bool:
        """Whether a state is due."""
        return self.tail > SOFT or self.count >= MOST

    def append(self, head: tuple[int, ...], time: float, frame: bytes, contents: bytes) -> bool:
        """Record something; whether there was room. `head` is kind, index, ..., caller."""
        size = HEAD.size + len(frame) + len(contents)
        at = self.tail
        if at + size + 16 > BASE:
            return False
        checked = checksum(contents[:CHECKED], checksum(frame[:CHECKED], head[3] & 0xFFFF_FFFF))
        packed = HEAD.pack(0, checked, *head, time, len(frame), len(contents))
        here = at + HEAD.size + len(frame)
        self.memory[at:here] = packed + frame
        if contents:
            self.memory[here : at + size] = contents
        self._seal(at, size)
        return True

    def _seal(self, at: int, size: int) -> None:
        pad = PADS[size & 7]
        self.memory[at + size : at + size + len(pad)] = pad
        length = size + len(pad) - 8
        self.words[at >> 3] = self.mark | length
        self.tail = at + length
        self.count += 1

    def entries(self) -> Iterator[Entry]:
        """What was recorded since the base, in its order; the tail is behind it then.

        Raises:
            DamagedError: this one, and with it those that follow, is not what was written.
        """
        while True:
            mark: int = self.words[self.tail >> 3]
            if not mark or mark >> 32 != self.epoch & 0xFFFF_FFFF:
                return
            entry, length = self._read(self.tail, mark & 0xFFFF_FFFF)
            self.tail += length
            self.count += 1
            yield entry

    def _read(self, at: int, length: int) -> tuple[Entry, int]:
        _, checked, *head, time, size, more = HEAD.unpack_from(self.memory, at)
        if HEAD.size + size + more > length or at + length > BASE - 8:
            raise DamagedError(f"an entry of {length} bytes holds {size + more}")
        here = at + HEAD.size + size
        frame = self.memory[at + HEAD.size : here]
        contents = self.memory[here : here + more]
        start = checksum(frame[:CHECKED], head[3] & 0xFFFF_FFFF)
        if checked != checksum(contents[:CHECKED], start):
            raise DamagedError("an entry fails its checksum")
        kind, place, conversation, number, caller = head
        entry = Entry(kind, place, conversation, number, caller, time, frame, contents)
        return entry, length
