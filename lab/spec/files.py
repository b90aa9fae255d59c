"""An open file of a booted file system, as Python's `io` has files."""

import io
import os
from typing import Any, Final

from servers.filesystem import FileSystem

_STEP: Final = 16 << 20
"""Bytes that one request reads when a whole file is wanted."""
_BUFFER: Final = 64 << 10
_FLAGS: Final = {
    "r": 0,
    "w": os.O_CREAT | os.O_TRUNC,
    "x": os.O_CREAT | os.O_EXCL,
    "a": os.O_CREAT | os.O_APPEND,
}


class RawFile(io.RawIOBase):
    """A descriptor of a file system.

    Args:
        files: the file system.
        path: the file.
        mode: as `open` takes it, without `b` or `t`.

    Raises:
        OSError: as `FileSystem.open`.
        ValueError: there is no such mode.
    """

    def __init__(self, files: FileSystem, path: str, mode: str) -> None:
        super().__init__()
        self._descriptor = -1
        self.name, self.mode = path, f"{mode}b"
        kind, plus = mode[:1], mode[1:]
        if kind not in _FLAGS or plus not in {"", "+"}:
            raise ValueError(f"there is no mode {mode!r}")
        self._files = files
        self._reads = kind == "r" or bool(plus)
        self._writes = kind != "r" or bool(plus)
        access = os.O_RDWR if plus else os.O_RDONLY if kind == "r" else os.O_WRONLY
        self._descriptor = files.open(path, access | _FLAGS[kind], 0o666)
        if kind == "a":
            files.lseek(self._descriptor, 0, os.SEEK_END)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._files.fstat(self._descriptor).st_size

    def readable(self) -> bool:
        """Whether it was opened to be read."""
        return self._reads

    def writable(self) -> bool:
        """Whether it was opened to be written."""
        return self._writes

    def seekable(self) -> bool:
        """Every file is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as `buffer` takes; how many there were."""
        view = memoryview(buffer).cast("B")
        data = self._files.read(self._open(), len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """All that is left."""
        return b"".join(iter(lambda: self._files.read(self._open(), _STEP), b""))

    def write(self, data: Any) -> int:
        """Write bytes; how many there was room for."""
        return self._files.write(self._open(), bytes(data))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; the new one."""
        return self._files.lseek(self._open(), offset, whence)

    def truncate(self, size: int | None = None) -> int:
        """Give the file this size, or cut it at the position."""
        size = self.tell() if size is None else size
        self._files.ftruncate(self._open(), size)
        return size

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            super().close()
            if self._descriptor >= 0:
                self._files.close(self._descriptor)

    def _open(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self._descriptor


class _Opened:
    """What fsspec expects of an open file beside `io`'s methods.

    Attributes:
        path: its name.
        size: bytes in it when it was opened.
        home: for one that is written in a transaction: where it will be.
    """

    files: FileSystem
    path: str
    size: int
    home: str | None = None

    def commit(self) -> None:
        """The transaction is done: let the file have its name."""
        if self.home is None:
            raise RuntimeError("this file is in no transaction")
        self.files.rename(self.path, self.home)

    def discard(self) -> None:
        """The transaction failed: forget the file."""
        self.files.unlink(self.path)


class _Reader(_Opened, io.BufferedReader): ...


class _Writer(_Opened, io.BufferedWriter): ...


class _Both(_Opened, io.BufferedRandom): ...


def open_file(
    files: FileSystem, path: str, mode: str, buffer: int | None, home: str | None = None
) -> Any:
    """An open file with a buffer.

    Args:
        files: the file system.
        path: the file.
        mode: as `open` takes it, without `b` or `t`.
        buffer: bytes that are read or written at a time.
        home: where `commit` moves it to.
    """
    raw = RawFile(files, path, mode)
    kind = _Both if "+" in mode else _Reader if mode == "r" else _Writer
    opened = kind(raw, buffer or _BUFFER)
    opened.files, opened.path, opened.home = files, path, home
    opened.size = raw.size
    return opened
