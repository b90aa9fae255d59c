"""SQLite's operating system: a virtual file system (VFS) whose files are in `FileSystem`.

After https://sqlite.org/c3ref/vfs.html. There is no shared memory (the xShm methods), so the
journal mode WAL takes `PRAGMA locking_mode = EXCLUSIVE` first; all other modes work as they are.
"""

import errno
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final, Self

import apsw

from servers.filesystem import FileSystem
from workloads.sqlite.locks import Level, LockTable

_numbers: Final = count(1)
"""SQLite knows a VFS by its name, and all names in one table."""

_SECTOR: Final = 4096

_ACCESS_MODES: Final = {
    apsw.SQLITE_ACCESS_EXISTS: os.F_OK,
    apsw.SQLITE_ACCESS_READWRITE: os.R_OK | os.W_OK,
    apsw.SQLITE_ACCESS_READ: os.R_OK,
}


@contextmanager
def _errors_as(code: int) -> Iterator[None]:
    """Errors of the service as SQLite tells them apart: the disk is full, or else `code`."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EFBIG}
        raise apsw.exception_for(apsw.SQLITE_FULL if full else code) from error


class FileSystemVFS(apsw.VFS):
    """The files of one user of `FileSystem`; leave it, and its connections are closed.

    Time, randomness and sleep are the host's.
    """

    def __init__(self, fs: FileSystem, locks: LockTable | None = None) -> None:
        """Register with SQLite.

        Args:
            fs: the user's handle of the service.
            locks: shared by the users in this process that open the same data bases.
        """
        self.name: Final = f"twinos-{next(_numbers)}"
        self._fs: Final = fs
        self._locks: Final = locks or LockTable()
        self._connections: Final[list[apsw.Connection]] = []
        super().__init__(self.name, base="", iVersion=2)

    def connect(self, path: str) -> apsw.Connection:
        """Open a data base, or make one."""
        connection = apsw.Connection(path, vfs=self.name)
        self._connections.append(connection)
        return connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close(force=True)
        self.unregister()

    def xOpen(  # type: ignore[override]  # noqa: N802 (apsw takes any class; SQLite's name)
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "File":
        """Open a file; SQLite leaves temporary ones without a name."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        temporary = path is None
        path = path or f"/.sqlite-{os.getpid()}-{next(_numbers)}"
        with _errors_as(apsw.SQLITE_CANTOPEN):
            fd = self._fs.open(path, _open_flags(flags[0]) | temporary * os.O_EXCL, 0o644)
            try:
                if flags[0] & apsw.SQLITE_OPEN_DELETEONCLOSE:
                    self._fs.unlink(path)
                inode = self._fs.fstat(fd).st_ino
            except OSError:
                self._fs.close(fd)
                raise
        flags[1] = flags[0]
        return File(self._fs, self._locks, fd, inode)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 (SQLite's name)
        """Remove a file, for good if `syncdir`."""
        try:
            with _errors_as(apsw.SQLITE_IOERR_DELETE):
                self._fs.unlink(filename)
                if syncdir:
                    self._fs.sync()  # one message; to open the directory for fsync would take three
        except apsw.IOError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise apsw.exception_for(apsw.SQLITE_IOERR_DELETE_NOENT) from error
            raise

    def xAccess(self, pathname: str, flags: int) -> bool:  # noqa: N802 (SQLite's name)
        """Whether a file is there, or may be read or written."""
        with _errors_as(apsw.SQLITE_IOERR_ACCESS):
            return self._fs.access(pathname, _ACCESS_MODES[flags])

    def xFullPathname(self, name: str) -> str:  # noqa: N802 (SQLite's name)
        """The absolute path of a file: what names its journal."""
        with _errors_as(apsw.SQLITE_CANTOPEN):
            start = "/" if name.startswith("/") else self._fs.getcwd()
        return posixpath.normpath(posixpath.join(start, name))


def _open_flags(flags: int) -> int:
    wanted = os.O_RDWR if flags & apsw.SQLITE_OPEN_READWRITE else os.O_RDONLY
    if flags & apsw.SQLITE_OPEN_CREATE:
        wanted |= os.O_CREAT
    if flags & apsw.SQLITE_OPEN_EXCLUSIVE:
        wanted |= os.O_EXCL
    return wanted


class File:
    """An open file of a connection, in the methods that SQLite calls."""

    def __init__(self, fs: FileSystem, locks: LockTable, fd: int, inode: int) -> None:
        self._fs: Final = fs
        self._locks: Final = locks
        self._fd: Final = fd
        self._inode: Final = inode

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 (SQLite's name)
        """Read; less than `amount` is there only at the end of the file."""
        with _errors_as(apsw.SQLITE_IOERR_READ):
            return self._fs.pread(self._fd, amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 (SQLite's name)
        """Write all of `data`."""
        with _errors_as(apsw.SQLITE_IOERR_WRITE):
            rest = bytes(data)
            while rest:
                written = self._fs.pwrite(self._fd, rest, offset)
                offset += written
                rest = rest[written:]

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 (SQLite's name)
        """Set the size of the file, in bytes."""
        with _errors_as(apsw.SQLITE_IOERR_TRUNCATE):
            self._fs.ftruncate(self._fd, newsize)

    def xSync(self, _flags: int) -> None:  # noqa: N802 (SQLite's name)
        """Have the file, and its name, on the medium."""
        with _errors_as(apsw.SQLITE_IOERR_FSYNC):
            self._fs.fsync(self._fd)

    def xFileSize(self) -> int:  # noqa: N802 (SQLite's name)
        """The size in bytes."""
        with _errors_as(apsw.SQLITE_IOERR_FSTAT):
            return self._fs.fstat(self._fd).st_size

    def xLock(self, level: int) -> None:  # noqa: N802 (SQLite's name)
        """Raise the lock. BusyError if another connection's is in the way."""
        if not self._locks.acquire(self._inode, self, Level(level)):
            raise apsw.BusyError("another connection has the file locked")

    def xUnlock(self, level: int) -> None:  # noqa: N802 (SQLite's name)
        """Lower the lock."""
        self._locks.release(self._inode, self, Level(level))

    def xCheckReservedLock(self) -> bool:  # noqa: N802 (SQLite's name)
        """Whether a connection is about to write."""
        return self._locks.reserved(self._inode)

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802 (SQLite's name)
        """Hints and questions; none is understood."""
        return False

    def xSectorSize(self) -> int:  # noqa: N802 (SQLite's name)
        """Bytes that a power failure may tear together: a page of the service's cache."""
        return _SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 (SQLite's name)
        """Of a write that was not synced nothing is promised: neither order nor wholeness."""
        return 0

    def xClose(self) -> None:  # noqa: N802 (SQLite's name)
        """Close the file and let its lock go."""
        self._locks.release(self._inode, self, Level.NONE)
        with _errors_as(apsw.SQLITE_IOERR_CLOSE):
            self._fs.close(self._fd)
