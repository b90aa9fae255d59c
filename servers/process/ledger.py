"""The ledger: the process table as bytes, which outlive the manager (see `twinos.journal`)."""

from collections.abc import Callable
from typing import Final, NamedTuple

from servers.process.table import Beginning, Entry, Table
from servers.who import Who
from twinos.codec import decoder, encode


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
    alarm: float


class Book(NamedTuple):
    """All that is written down."""

    last: int
    records: tuple[Record, ...]
    foreground: tuple[int, int]


_read: Final[Callable[[bytes], Book]] = decoder(Book)


def written(table: Table) -> bytes:
    """The last number that was given out, the processes, and who has the terminal."""
    foreground = table.foreground, table.turn
    return encode(Book(table.last, tuple(map(_record, table)), foreground))


def read(data: bytes) -> tuple[int, list[Entry], tuple[int, int]]:
    """What `written` wrote."""
    book = _read(data)
    return book.last, [_entry(record) for record in book.records], book.foreground


def _record(entry: Entry) -> Record:
    values = {name: getattr(entry, name) for name in Record._fields if name != "actions"}
    return Record(**values, actions=tuple(entry.actions.items()))


def _entry(record: Record) -> Entry:
    values = record._asdict()
    values["actions"] = dict(record.actions)
    return Entry(**values)
