"""The ledger: the process table in memory that outlives the manager.

Two slots take turns. An entry into the ledger fills the one that is not valid, and then makes it so
by writing one byte; who dies in between leaves the old one.
"""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from servers.process.table import Beginning, Entry
from servers.who import Who
from twinos import Region
from twinos.codec import decoder, encode

SLOT: Final = 1 << 20
"""Bytes of a slot; pages that are not used cost nothing."""
_HEADER: Final = 4096
_SIZE: Final = struct.Struct("<I")


class Record(NamedTuple):
    """An entry of the table as it is written down; see `Entry`."""

    pid: int
    parent: int
    group: int
    session: int
    who: Who | None
    command: str
    host: int
    state: str
    status: int
    cause: int
    pending: int
    mask: int
    actions: tuple[tuple[int, int], ...]
    news: int
    beginning: Beginning | None
    space: int
    nice: int
    started: float


class Book(NamedTuple):
    """All that is written down."""

    last: int
    records: tuple[Record, ...]


_read: Final = decoder(Book)


class Ledger:
    """Keeps a process table.

    Args:
        memory: where.
    """

    def __init__(self, memory: Region) -> None:
        if not memory.size:
            memory.resize(_HEADER + 2 * SLOT)
        self._memory = memory

    def read(self) -> tuple[int, list[Entry]]:
        """The last number that was given out, and the processes; none, in the first life."""
        which = self._memory.memory[0]
        if not which:
            return 0, []
        start = _HEADER + (which - 1) * SLOT
        (size,) = _SIZE.unpack_from(self._memory.memory, start)
        place = start + _SIZE.size
        book: Book = _read(self._memory.memory[place : place + size])
        return book.last, [_entry(record) for record in book.records]

    def write(self, last: int, entries: Iterable[Entry]) -> None:
        """Write the table down."""
        data = encode(Book(last, tuple(map(_record, entries))))
        if len(data) > SLOT - _SIZE.size:
            return  # many long arguments that nobody has fetched yet: what is there stays
        memory = self._memory.memory
        which = 2 if memory[0] == 1 else 1
        start = _HEADER + (which - 1) * SLOT
        _SIZE.pack_into(memory, start, len(data))
        memory[start + _SIZE.size : start + _SIZE.size + len(data)] = data
        memory[0] = which


def _record(entry: Entry) -> Record:
    values = {name: getattr(entry, name) for name in Record._fields if name != "actions"}
    return Record(**values, actions=tuple(entry.actions.items()))


def _entry(record: Record) -> Entry:
    values = record._asdict()
    values["actions"] = dict(record.actions)
    return Entry(**values)
