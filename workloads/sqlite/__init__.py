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
"""Rows of a transaction, unless an option says otherwise."""
STOCK: Final = 2000
"""Rows in the table that is read and changed: more pages than SQLite is allowed to keep."""
SEED: Final = 2000
"""Of what is in the rows, and of which are chosen."""

_JOURNALS: Final = {"": {"journal": "delete"}, "-wal": {"journal": "wal"}}
_sqlite: Final = partial(workload, "sqlite", extra=True, needs="apsw")


@_sqlite({f"sql-insert{end}": options for end, options in _JOURNALS.items()})
def insert(fs: FileSystem, journal: str, rows: int = ROWS, seed: int = SEED) -> Program:
    """Insert a row into an SQLite data base, {rows} in one transaction; journal mode {journal}.

    Seed of the rows: {seed}. Then all rows are compared, and SQLite checks its data base.
    """
    made = _rows(rows, seed)
    with _data_base(fs, journal) as base:

        def transaction() -> None:
            with base:
                base.executemany("INSERT INTO stock VALUES (?, ?, ?)", made)

        def empty() -> None:
            equals(made)(base.execute("SELECT * FROM stock ORDER BY id").fetchall())
            base.execute("DELETE FROM stock")

        yield Operation(transaction, ops=rows, reset=empty)


@_sqlite({f"sql-update{end}": options for end, options in _JOURNALS.items()})
def update(
    fs: FileSystem, journal: str, rows: int = ROWS, stock: int = STOCK, seed: int = SEED
) -> Program:
    """Change a row of {stock:,}, by its key, {rows} in one transaction; journal mode {journal}.

    Seed of the rows and of which are changed: {seed}. Then their sum is compared, and SQLite checks
    its data base.
    """
    keys = [(key,) for key in _chosen(rows, stock, seed)]
    with _data_base(fs, journal) as base:
        _fill(base, stock, seed)
        calls = 0

        def transaction() -> None:
            nonlocal calls
            with base:
                base.executemany("UPDATE stock SET number = number + 1 WHERE id = ?", keys)
            calls += 1

        yield Operation(transaction, ops=len(keys))
        before = sum(number for _, number, _ in _rows(stock, seed))
        after = base.execute("SELECT sum(number) FROM stock").fetchall()
        equals([(before + calls * len(keys),)])(after)


@_sqlite({"sql-select": {}})
def select(fs: FileSystem, rows: int = ROWS, stock: int = STOCK, seed: int = SEED) -> Program:
    """Select a row of {stock:,}, by its key; {rows} of them, by a connection that keeps 8 pages.

    Seed of the rows and of which are selected: {seed}. Each row is compared.
    """
    made, keys = _rows(stock, seed), _chosen(rows, stock, seed)
    with _data_base(fs, "delete") as base:
        _fill(base, stock, seed)

        def by_key() -> list[object]:
            one = "SELECT * FROM stock WHERE id = ?"
            return [base.execute(one, (key,)).fetchall()[0] for key in keys]

        yield Operation(by_key, check=equals([made[key] for key in keys]), ops=len(keys))


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


def _chosen(rows: int, stock: int, seed: int) -> list[int]:
    """Keys of so many rows, or of all that there are."""
    return random.Random(seed).sample(range(stock), min(rows, stock))


def _rows(count: int, seed: int) -> list[tuple[int, int, str]]:
    """Rows of which no two are alike; the same ones each time."""
    rng = random.Random(seed)
    return [(key, rng.randrange(1000), rng.randbytes(50).hex()) for key in range(count)]


def _fill(base: Connection, stock: int, seed: int) -> None:
    with base:
        base.executemany("INSERT INTO stock VALUES (?, ?, ?)", _rows(stock, seed))
