"""SQLite on the file system: it can't tell the difference, not even by a power failure."""

import importlib
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels import System, boot
from lab import cli, selection
from servers.disk import Disk
from servers.filesystem import FileSystem
from workloads.catalogue import catalogue

apsw = pytest.importorskip("apsw")
locks = importlib.import_module("workloads.sqlite.locks")
vfs = importlib.import_module("workloads.sqlite.vfs")

KERNELS = ("monolithic", "microkernel")
JOURNALS = ("delete", "truncate", "persist", "memory", "off", "wal")
OK = [("ok",)]


@pytest.fixture(params=KERNELS)
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    with boot(request.param, FileSystem) as booted:
        yield booted


def script(seed: int) -> list[str]:
    """Statements that make a data base grow, shrink, spill and roll back."""
    rng = random.Random(seed)
    lines = ["CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)", "CREATE INDEX i ON t (b)"]
    for _ in range(40):
        key = rng.randrange(300)
        text = rng.randbytes(rng.randrange(400)).hex()
        rows = ", ".join(f"({key + n}, '{text}{n}')" for n in range(rng.choice([1, 30])))
        body = [
            f"INSERT OR REPLACE INTO t VALUES {rows}",
            f"DELETE FROM t WHERE a % {rng.randrange(2, 9)} = 0",
            f"UPDATE t SET b = b || 'x' WHERE a > {key}",
        ]
        lines += ["BEGIN", *body, rng.choice(["COMMIT", "COMMIT", "ROLLBACK"])]
    return [*lines, "VACUUM"]


def dump(fs: FileSystem, path: str) -> list[str]:
    """What the host's SQLite finds in a data base."""
    fd = fs.open(path, os.O_RDONLY)
    image = fs.read(fd, fs.fstat(fd).st_size)
    fs.close(fd)
    # An image in memory has no log of its own: bytes 18 and 19 say that it needs none.
    image = image[:18] + b"\1\1" + image[20:]
    base = sqlite3.connect(":memory:")
    base.deserialize(image)
    assert base.execute("PRAGMA integrity_check").fetchall() == OK
    lines = list(base.iterdump())
    base.close()
    return lines


@pytest.mark.parametrize("journal", JOURNALS)
def test_the_same_script_gives_what_it_gives_on_the_host(system: System, journal: str) -> None:
    host = sqlite3.connect(":memory:", isolation_level=None)
    statements = script(JOURNALS.index(journal))
    if journal == "off":  # which can't roll back
        statements = ["COMMIT" if line == "ROLLBACK" else line for line in statements]
    with vfs.FileSystemVFS(system[FileSystem]) as files:
        base = files.connect("/base.db")
        base.execute("PRAGMA cache_size = 4")
        if journal == "wal":
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
        assert base.execute(f"PRAGMA journal_mode = {journal}").fetchall() == [(journal,)]
        for line in statements:
            host.execute(line)
            base.execute(line)
        assert base.execute("PRAGMA integrity_check").fetchall() == OK
        base.close()
    assert dump(system[FileSystem], "/base.db") == list(host.iterdump())
    host.close()


def test_wal_takes_the_exclusive_mode(system: System) -> None:
    with vfs.FileSystemVFS(system[FileSystem]) as files:
        base = files.connect("/base.db")
        assert base.execute("PRAGMA journal_mode = wal").fetchall() == [("delete",)]
        base.close()


def test_connections_of_two_users_exclude_each_other(system: System) -> None:
    table = locks.LockTable()
    with (
        system.user() as other,
        vfs.FileSystemVFS(system[FileSystem], table) as mine,
        vfs.FileSystemVFS(other[FileSystem], table) as theirs,
    ):
        one, two = mine.connect("/base.db"), theirs.connect("base.db")
        one.execute("CREATE TABLE t (a)")
        one.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        assert two.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
        with pytest.raises(apsw.BusyError):
            two.execute("BEGIN IMMEDIATE")
        two.execute("BEGIN; SELECT * FROM t").fetchall()
        with pytest.raises(apsw.BusyError):
            one.execute("COMMIT")
        two.execute("COMMIT")
        one.execute("COMMIT")
        assert two.execute("SELECT count(*) FROM t").fetchall() == [(1,)]
        one.close()
        two.close()


def survivors(system: System, image: Path) -> None:
    """Keep what is on the medium now: what a power failure would leave."""
    disk = system[Disk]
    image.write_bytes(b"".join(disk.read(number) for number in range(disk.geometry().blocks)))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_after_a_power_failure_a_transaction_is_whole_or_absent(
    kernel: str, journal: str, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    with (
        boot(kernel, FileSystem, Disk, config={Disk: {"blocks": 4096}}) as system,
        vfs.FileSystemVFS(system[FileSystem]) as files,
    ):
        base = files.connect("/base.db")
        base.execute("PRAGMA cache_size = 4; PRAGMA locking_mode = EXCLUSIVE")
        base.execute(f"PRAGMA journal_mode = {journal}").fetchall()
        base.execute("PRAGMA synchronous = FULL; CREATE TABLE t (a INTEGER PRIMARY KEY, b, c)")
        with base:
            base.executemany(
                "INSERT INTO t VALUES (?, 'old', zeroblob(200))", [(n,) for n in range(2000)]
            )
        base.execute("BEGIN; UPDATE t SET b = 'newer'")
        system[FileSystem].sync()  # another program's: half a transaction is on the medium
        survivors(system, image)
        base.execute("ROLLBACK")
        base.close()
    with (
        boot(kernel, FileSystem, config={Disk: {"image": str(image)}}) as system,
        vfs.FileSystemVFS(system[FileSystem]) as files,
    ):
        fs = system[FileSystem]
        if journal != "wal":
            fd = fs.open("/base.db", os.O_RDONLY)
            assert b"newer" in fs.read(fd, fs.fstat(fd).st_size), "nothing to be rolled back"
            fs.close(fd)
        base = files.connect("/base.db")
        base.execute("PRAGMA locking_mode = EXCLUSIVE")
        assert base.execute("SELECT b, count(*) FROM t GROUP BY b").fetchall() == [("old", 2000)]
        assert base.execute("PRAGMA integrity_check").fetchall() == OK
        base.close()


def test_a_full_disk_is_told_and_rolls_back() -> None:
    with (
        boot("monolithic", FileSystem, config={Disk: {"blocks": 256}}) as system,
        vfs.FileSystemVFS(system[FileSystem]) as files,
    ):
        base = files.connect("/base.db")
        base.execute("CREATE TABLE t (a)")
        with pytest.raises(apsw.FullError), base:
            base.executemany("INSERT INTO t VALUES (?)", [(bytes(5000),)] * 100)
        assert base.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
        assert base.execute("PRAGMA integrity_check").fetchall() == OK
        base.close()


def test_what_is_not_there(system: System) -> None:
    with vfs.FileSystemVFS(system[FileSystem]) as files:
        with pytest.raises(apsw.CantOpenError):
            files.connect("/missing/base.db")
        with pytest.raises(apsw.IOError) as caught:
            files.xDelete("/missing", True)
        assert caught.value.extendedresult == apsw.SQLITE_IOERR_DELETE_NOENT
        assert not files.xAccess("/missing", apsw.SQLITE_ACCESS_EXISTS)
        assert files.xFullPathname("a/../b") == "/b"


def test_without_apsw(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(selection, "find_spec", lambda _: None)
    said = "sql-select needs the package apsw: pip install 'twinos[sqlite]'."
    for command in ("run", "bench"):
        assert cli.main([command, "sql-select"]) == cli.REFUSED
        assert said in capsys.readouterr().err
    known = catalogue()
    left = selection.runnable([known["null"], known["sql-select"]], named=False)
    assert left == [known["null"]]
    assert said in capsys.readouterr().err
