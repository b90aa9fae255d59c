"""A real application: SQLite, whose files are in `FileSystem`; takes the package apsw.

locks   SQLite's locks on files
vfs     what SQLite takes for an operating system

Only `vfs` imports apsw, and only a workload that runs imports `vfs`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from servers.filesystem import FileSystem
from workloads.workload import Operation, Program, equals, workload

if TYPE_CHECKING:
    from apsw import Connection

ROWS: Final = 100
"""Rows of a transaction."""
STOCK: Final = 2000
"""Rows in the table that is read and changed: more pages than SQLite is allowed to keep."""

_JOURNALS: Final = {"": {"journal": "delete"}, "-wal": {"journal": "wal"}}
_sqlite: Final = partial(workload, "sqlite", extra=True, needs="apsw")


@_sqlite({f"sql-insert{end}": options for end, options in _JOURNALS.items()})
def insert(fs: FileSystem, journal: str) -> Program:
    """Insert a row into an SQLite data base, 100 in one transaction; journal mode {journal}."""
    rows = _rows(ROWS)
    with _data_base(fs, journal) as base:

        def transaction() -> None:
            with base:
                base.executemany("INSERT INTO stock VALUES (?, ?, ?)", rows)

        def empty() -> None:
            equals(rows)(base.execute("SELECT * FROM stock ORDER BY id").fetchall())
            base.execute("DELETE FROM stock")

        yield Operation(transaction, ops=ROWS, reset=empty)


@_sqlite({f"sql-update{end}": options for end, options in _JOURNALS.items()})
def update(fs: FileSystem, journal: str) -> Program:
    """Change a row of 2,000, by its key, 100 in one transaction; journal mode {journal}."""
    keys = [(key,) for key in random.Random(ROWS).sample(range(STOCK), ROWS)]
    with _data_base(fs, journal) as base:
        _fill(base)
        calls = 0

        def transaction() -> None:
            nonlocal calls
            with base:
                base.executemany("UPDATE stock SET number = number + 1 WHERE id = ?", keys)
            calls += 1

        yield Operation(transaction, ops=ROWS)
        before = sum(number for _, number, _ in _rows(STOCK))
        after = base.execute("SELECT sum(number) FROM stock").fetchall()
        equals([(before + calls * ROWS,)])(after)


@_sqlite({"sql-select": {}})
def select(fs: FileSystem) -> Program:
    """Select a row of 2,000, by its key; 100, by a connection that keeps 8 pages."""
    rows = _rows(STOCK)
    keys = random.Random(ROWS).sample(range(STOCK), ROWS)
    with _data_base(fs, "delete") as base:
        _fill(base)

        def by_key() -> list[object]:
            one = "SELECT * FROM stock WHERE id = ?"
            return [base.execute(one, (key,)).fetchall()[0] for key in keys]

        yield Operation(by_key, check=equals([rows[key] for key in keys]), ops=ROWS)


@contextmanager
def _data_base(fs: FileSystem, journal: str) -> Iterator[Connection]:
    """A data base with one empty table; in the end its integrity is checked, and it goes."""
    from workloads.sqlite.vfs import FileSystemVFS  # noqa: PLC0415 (apsw is an extra)

    fs.mkdir("/sqlite")
    with FileSystemVFS(fs) as vfs:
        base = vfs.connect("/sqlite/stock.db")
        base.execute("PRAGMA locking_mode = EXCLUSIVE")  # WAL without shared memory
        equals([(journal,)])(base.execute(f"PRAGMA journal_mode = {journal}").fetchall())
        base.execute("PRAGMA cache_size = 8")
        base.execute("CREATE TABLE stock (id INTEGER PRIMARY KEY, number INTEGER, name TEXT)")
        yield base
        equals([("ok",)])(base.execute("PRAGMA integrity_check").fetchall())
    for name in fs.listdir("/sqlite"):
        fs.unlink(f"/sqlite/{name}")
    fs.rmdir("/sqlite")


def _rows(count: int) -> list[tuple[int, int, str]]:
    """Rows of which no two are alike; the same ones each time."""
    rng = random.Random(count)
    return [(key, rng.randrange(1000), rng.randbytes(50).hex()) for key in range(count)]


def _fill(base: Connection) -> None:
    with base:
        base.executemany("INSERT INTO stock VALUES (?, ?, ?)", _rows(STOCK))
