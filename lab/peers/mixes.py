"""The operations of the mix, in the words of each kind of file system.

A mix has a directory of its own, in which `list` finds 100 names. What is opened once (a `handle`)
is for the reads and writes of 4 KiB; the rest names a file each time, as programs do. Every peer is
used as its documentation says, and none through a layer that another one does without.
"""

import os
from collections.abc import Callable
from typing import Any, Final, Protocol

from servers.filesystem import FileSystem

PAGE: Final = 4096
LARGE: Final = 1 << 20
PART: Final = 64 << 10
"""Bytes at a time, of the sequential megabyte."""
LISTED: Final = 100
DATA: Final = bytes(range(256)) * (PAGE // 256)
PARTS: Final = tuple(bytes([number]) * PART for number in range(LARGE // PART))

_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_OVER: Final = os.O_CREAT | os.O_TRUNC | os.O_WRONLY


class Mix(Protocol):
    """A peer; names are those of files in its directory."""

    def create(self, name: str) -> None:
        """Make an empty file that is not there."""

    def handle(self, name: str) -> Any:
        """Open a file to read and write pages."""

    def put(self, handle: Any, offset: int) -> Any:
        """Write `DATA` there."""

    def get(self, handle: Any, offset: int) -> bytes:
        """Read a page from there."""

    def let_go(self, handle: Any) -> None:
        """Close a handle."""

    def size(self, name: str) -> int:
        """The file's size, out of all that is known of it."""

    def open_close(self, name: str) -> None:
        """Open a file for reading, and close it."""

    def names(self) -> Any:
        """What is in the directory."""

    def rename(self, name: str, other: str) -> None:
        """Move a file to a name that is free."""

    def unlink(self, name: str) -> None:
        """Remove a file."""

    def write_large(self, name: str) -> None:
        """Write a megabyte, part by part, over what the file was."""

    def read_large(self, name: str) -> int:
        """Read it, part by part; how much it was."""


class Descriptors:
    """A file system with the operations of `os`: the host's, or ours.

    Args:
        api: the module `os`, or a stub of FileSystem.
        directory: where.
    """

    def __init__(self, api: Any, directory: str) -> None:
        self._api = api
        self._directory = directory
        self._prefix = f"{directory}/"
        self.put: Callable[[Any, int], Any] = lambda handle, offset: api.pwrite(
            handle, DATA, offset
        )
        self.get: Callable[[Any, int], bytes] = lambda handle, offset: api.pread(
            handle, PAGE, offset
        )

    def create(self, name: str) -> None:
        """See `Mix`."""
        self._api.close(self._api.open(self._prefix + name, _NEW, 0o666))

    def handle(self, name: str) -> Any:
        """See `Mix`."""
        return self._api.open(self._prefix + name, os.O_RDWR)

    def let_go(self, handle: Any) -> None:
        """See `Mix`."""
        self._api.close(handle)

    def size(self, name: str) -> int:
        """See `Mix`."""
        size: int = self._api.stat(self._prefix + name).st_size
        return size

    def open_close(self, name: str) -> None:
        """See `Mix`."""
        self._api.close(self._api.open(self._prefix + name, os.O_RDONLY))

    def names(self) -> Any:
        """See `Mix`."""
        return self._api.listdir(self._directory)

    def rename(self, name: str, other: str) -> None:
        """See `Mix`."""
        self._api.rename(self._prefix + name, self._prefix + other)

    def unlink(self, name: str) -> None:
        """See `Mix`."""
        self._api.unlink(self._prefix + name)

    def write_large(self, name: str) -> None:
        """See `Mix`."""
        api = self._api
        descriptor = api.open(self._prefix + name, _OVER, 0o666)
        for part in PARTS:
            api.write(descriptor, part)
        api.close(descriptor)

    def read_large(self, name: str) -> int:
        """See `Mix`."""
        api = self._api
        descriptor = api.open(self._prefix + name, os.O_RDONLY)
        total = 0
        while part := api.read(descriptor, PART):
            total += len(part)
        api.close(descriptor)
        return total


class OfTwinOS(Descriptors):
    """Ours.

    Args:
        files: a stub.
    """

    def __init__(self, files: FileSystem) -> None:
        files.mkdir("/mix")
        super().__init__(files, "/mix")


class OfFsspec:
    """fsspec's file system in memory.

    Args:
        files: an instance with a store of its own.
    """

    def __init__(self, files: Any) -> None:
        self._files = files
        files.mkdir("/mix")

    def create(self, name: str) -> None:
        """See `Mix`."""
        self._files.open(f"/mix/{name}", "xb").close()

    def handle(self, name: str) -> Any:
        """See `Mix`."""
        return self._files.open(f"/mix/{name}", "r+b")

    def put(self, handle: Any, offset: int) -> Any:
        """See `Mix`."""
        handle.seek(offset)
        return handle.write(DATA)

    def get(self, handle: Any, offset: int) -> bytes:
        """See `Mix`."""
        handle.seek(offset)
        data: bytes = handle.read(PAGE)
        return data

    def let_go(self, handle: Any) -> None:
        """See `Mix`."""
        handle.close()

    def size(self, name: str) -> int:
        """See `Mix`."""
        size: int = self._files.info(f"/mix/{name}")["size"]
        return size

    def open_close(self, name: str) -> None:
        """See `Mix`."""
        self._files.open(f"/mix/{name}", "rb").close()

    def names(self) -> Any:
        """See `Mix`."""
        return self._files.ls("/mix", detail=False)

    def rename(self, name: str, other: str) -> None:
        """See `Mix`."""
        self._files.mv(f"/mix/{name}", f"/mix/{other}")

    def unlink(self, name: str) -> None:
        """See `Mix`."""
        self._files.rm_file(f"/mix/{name}")

    def write_large(self, name: str) -> None:
        """See `Mix`."""
        with self._files.open(f"/mix/{name}", "wb") as file:
            for part in PARTS:
                file.write(part)

    def read_large(self, name: str) -> int:
        """See `Mix`."""
        with self._files.open(f"/mix/{name}", "rb") as file:
            return _read_all(file)


class OfPyFilesystem(OfFsspec):
    """PyFilesystem's MemoryFS, where it has other words.

    Args:
        files: an instance.
    """

    def __init__(self, files: Any) -> None:
        self._files = files
        files.makedir("/mix")

    def create(self, name: str) -> None:
        """See `Mix`."""
        self._files.openbin(f"/mix/{name}", "x").close()

    def handle(self, name: str) -> Any:
        """See `Mix`."""
        return self._files.openbin(f"/mix/{name}", "r+")

    def size(self, name: str) -> int:
        """See `Mix`."""
        size: int = self._files.getinfo(f"/mix/{name}", ["details"]).size
        return size

    def open_close(self, name: str) -> None:
        """See `Mix`."""
        self._files.openbin(f"/mix/{name}", "r").close()

    def names(self) -> Any:
        """See `Mix`."""
        return self._files.listdir("/mix")

    def rename(self, name: str, other: str) -> None:
        """See `Mix`."""
        self._files.move(f"/mix/{name}", f"/mix/{other}")

    def unlink(self, name: str) -> None:
        """See `Mix`."""
        self._files.remove(f"/mix/{name}")

    def write_large(self, name: str) -> None:
        """See `Mix`."""
        with self._files.openbin(f"/mix/{name}", "w") as file:
            for part in PARTS:
                file.write(part)

    def read_large(self, name: str) -> int:
        """See `Mix`."""
        with self._files.openbin(f"/mix/{name}", "r") as file:
            return _read_all(file)


def _read_all(file: Any) -> int:
    total = 0
    while part := file.read(PART):
        total += len(part)
    return total
