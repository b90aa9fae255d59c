"""A key-value store: a dictionary in memory, and a log in a file that it can be made of again.

A log-structured store after Bitcask (Sheehy and Smith, 2010): a change is a record at the end of
the file, and has happened when the record is on the disk. Whoever starts reads the log; a record
that a crash cut short does not count.
"""

import errno
import os
import struct
from collections.abc import Iterator
from typing import Annotated, Final
from zlib import crc32

from servers.filesystem import FileSystem
from twinos import Service, fail, only, op

_HEADER: Final = struct.Struct("<III")
"""A record: checksum of the rest, bytes of the key, bytes of the value or `_GONE`; key, value."""
_GONE: Final = 0xFFFF_FFFF
_CHUNK: Final = 1 << 20
_GARBAGE: Final = 1 << 20
"""Bytes of overwritten records from which on the log is written anew, if most of it is such."""

MAX_KEY: Final = 1024
MAX_VALUE: Final = 16 << 20

Files = Annotated[
    FileSystem,
    only("open", "close", "pread", "pwrite", "fstat", "ftruncate", "fsync", "rename", "sync"),
]


class KeyValue(Service):
    """Values by key. What was put is on the disk when `put` returns.

    Args:
        files: where the log is.
        path: its name.
        durable: wait for the disk with every change; without it a power failure may take the last.

    Raises:
        OSError: the log can't be opened or read.
    """

    def __init__(self, files: Files, path: str = "/keyvalue.log", durable: bool = True) -> None:
        self._files = files
        self._path = path
        self._durable = durable
        self._values: dict[str, bytes] = {}
        self._fd = -1
        self._end = 0  # of the log, in bytes
        self._live = 0  # those that still matter
        self._load()

    @op(idempotent=True)
    def put(self, key: str, value: bytes) -> None:
        """Set a key. EINVAL: an empty key or one over 1 KiB; EFBIG: over 16 MiB; ENOSPC, EIO."""
        self._append(_record(_checked(key), value))
        self._set(key, value)
        self._tidy()

    @op(idempotent=True)
    def get(self, key: str) -> bytes:
        """The value of a key. ENOENT."""
        try:
            return self._values[key]
        except KeyError:
            raise fail(errno.ENOENT, key) from None

    @op(idempotent=True)
    def delete(self, key: str) -> None:
        """Forget a key, if there is such a one. EINVAL, ENOSPC, EIO."""
        encoded = _checked(key)
        if key in self._values:
            self._append(_record(encoded, None))
            self._set(key, None)
            self._tidy()

    @op(idempotent=True)
    def keys(self, prefix: str = "") -> tuple[str, ...]:
        """All keys that begin with `prefix`, sorted."""
        return tuple(sorted(key for key in self._values if key.startswith(prefix)))

    @op(idempotent=True)
    def compact(self) -> None:
        """Write the log anew, without what was overwritten. ENOSPC, EIO."""
        fresh = f"{self._path}.new"
        fd = self._files.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            end = 0
            for key, value in self._values.items():
                end += self._write(fd, _record(_checked(key), value), end)
            self._files.fsync(fd)
            self._files.rename(fresh, self._path)
        except OSError:
            self._files.close(fd)
            raise
        old, self._fd, self._end, self._live = self._fd, fd, end, end
        self._files.close(old)
        self._files.sync()  # if it fails, the new log is the log all the same

    def _load(self) -> None:
        """Read the log, and cut off a record at its end that is not whole."""
        self._fd = self._files.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._values.clear()
        self._live = self._end = 0
        for key, value, size in _records(self._read_all()):
            self._set(key, value)
            self._end += size
        self._files.ftruncate(self._fd, self._end)

    def _read_all(self) -> bytes:
        size = self._files.fstat(self._fd).st_size
        return b"".join(
            self._files.pread(self._fd, _CHUNK, offset) for offset in range(0, size, _CHUNK)
        )

    def _append(self, record: bytes) -> None:
        """Add a record; after an error the log is as it was, or is read again."""
        try:
            self._write(self._fd, record, self._end)
            if self._durable:
                self._files.fsync(self._fd)
        except OSError:
            self._start_over()
            raise
        self._end += len(record)

    def _start_over(self) -> None:
        """What the log holds is unsure, or the file system was restarted: look again."""
        try:
            self._files.ftruncate(self._fd, self._end)
        except OSError:
            self._load()

    def _write(self, fd: int, data: bytes, offset: int) -> int:
        if self._files.pwrite(fd, data, offset) != len(data):
            raise fail(errno.ENOSPC, self._path)
        return len(data)

    def _set(self, key: str, value: bytes | None) -> None:
        old = self._values.pop(key, None)
        if old is not None:
            self._live -= _size(key, old)
        if value is not None:
            self._values[key] = value
            self._live += _size(key, value)

    def _tidy(self) -> None:
        garbage = self._end - self._live
        if garbage > max(self._live, _GARBAGE):
            self.compact()

    def _stopping(self) -> None:
        self._files.close(self._fd)


def _checked(key: str) -> bytes:
    encoded = key.encode("utf-8", "surrogatepass")
    if not 0 < len(encoded) <= MAX_KEY:
        raise fail(errno.EINVAL, key)
    return encoded


def _record(key: bytes, value: bytes | None) -> bytes:
    if value is not None and len(value) > MAX_VALUE:
        raise fail(errno.EFBIG)
    length = _GONE if value is None else len(value)
    body = struct.pack("<II", len(key), length) + key + (value or b"")
    return struct.pack("<I", crc32(body)) + body


def _size(key: str, value: bytes) -> int:
    return _HEADER.size + len(key.encode("utf-8", "surrogatepass")) + len(value)


def _records(log: bytes) -> Iterator[tuple[str, bytes | None, int]]:
    """Key, value (None: deleted) and size of every record, up to the first that is not whole."""
    view, at = memoryview(log), 0
    while at + _HEADER.size <= len(log):
        checksum, key_size, length = _HEADER.unpack_from(log, at)
        start = at + _HEADER.size
        middle = start + key_size
        end = middle + (0 if length == _GONE else length)
        if end > len(log) or crc32(view[at + 4 : end]) != checksum:
            return
        key = log[start:middle].decode("utf-8", "surrogatepass")
        yield key, None if length == _GONE else log[middle:end], end - at
        at = end
