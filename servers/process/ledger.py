"""The ledger: the process table as bytes, which outlive the manager (see `twinos.journal`)."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from servers.process.table import Beginning, Entry
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


class Book(NamedTuple):
    """All that is written down."""

    last: int
    records: tuple[Record, ...]


_read: Final[Callable[[bytes], Book]] = decoder(Book)


def written(last: int, entries: Iterable[Entry]) -> bytes:
    """The last number that was given out, and the processes."""
    return encode(Book(last, tuple(map(_record, entries))))


def read(data: bytes) -> tuple[int, list[Entry]]:
    """What `written` wrote."""
    book = _read(data)
    return book.last, [_entry(record) for record in book.records]


def _record(entry: Entry) -> Record:
    values = {name: getattr(entry, name) for name in Record._fields if name != "actions"}
    return Record(**values, actions=tuple(entry.actions.items()))


def _entry(record: Record) -> Entry:
    values = record._asdict()
    values["actions"] = dict(record.actions)
    return Entry(**values)
