"""A model of one client's files: what each request has to return if every one is done once.

It is a dictionary and knows nothing of the system. A history is checked after the fact: each line
is a request and what the client was told.
"""

import errno
import os
from collections.abc import Iterable
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A line of a history.

    Attributes:
        name: of the operation.
        arguments: to it.
        told: its result, or the number of its error as a negative `Failed`.
    """

    name: str
    arguments: tuple[Any, ...]
    told: Any


class Failed(NamedTuple):
    """An error, by its number and class."""

    errno: int
    kind: str


class File:
    """What a name leads to."""

    def __init__(self) -> None:
        self.data = b""


class Opened:
    """An open file."""

    def __init__(self, file: File, *, append: bool) -> None:
        self.file = file
        self.append = append
        self.position = 0


class Model:
    """One client's directory and open files; descriptors are what the system called them."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self.opened: dict[int, Opened] = {}

    def wrong(self, history: Iterable[Line]) -> list[str]:
        """The lines that can't be, as sentences."""
        found = []
        for number, line in enumerate(history):
            said = getattr(self, line.name)(line.told, *line.arguments)
            if said is not None:
                shown = f"{line.name}({', '.join(map(_short, line.arguments))})"
                found.append(f"request {number}, {shown}: {said}, not {_short(line.told)}")
        return found

    def open(self, told: Any, path: str, flags: int) -> str | None:
        """`open`: the lowest free descriptor."""
        if path not in self.names and not flags & os.O_CREAT:
            return _expect(told, Failed(errno.ENOENT, "FileNotFoundError"))
        free = next(number for number in range(3, 10_000) if number not in self.opened)
        file = self.names.setdefault(path, File())
        if flags & os.O_TRUNC:
            file.data = b""
        self.opened[free] = Opened(file, append=bool(flags & os.O_APPEND))
        return _expect(told, free)

    def close(self, told: Any, descriptor: int) -> str | None:
        """`close`."""
        del self.opened[descriptor]
        return _expect(told, None)

    def write(self, told: Any, descriptor: int, data: bytes) -> str | None:
        """`write`, at the position or at the end."""
        opened = self.opened[descriptor]
        start = len(opened.file.data) if opened.append else opened.position
        if data:  # nothing, written, changes nothing
            self._put(opened.file, start, data)
            opened.position = start + len(data)
        return _expect(told, len(data))

    def pwrite(self, told: Any, descriptor: int, data: bytes, offset: int) -> str | None:
        """`pwrite`."""
        if data:
            self._put(self.opened[descriptor].file, offset, data)
        return _expect(told, len(data))

    def read(self, told: Any, descriptor: int, length: int) -> str | None:
        """`read`, which moves the position."""
        opened = self.opened[descriptor]
        data = opened.file.data[opened.position : opened.position + length]
        opened.position += len(data)
        return _expect(told, data)

    def pread(self, told: Any, descriptor: int, length: int, offset: int) -> str | None:
        """`pread`."""
        return _expect(told, self.opened[descriptor].file.data[offset : offset + length])

    def lseek(self, told: Any, descriptor: int, position: int, _whence: int) -> str | None:
        """`lseek` to an absolute position."""
        self.opened[descriptor].position = position
        return _expect(told, position)

    def ftruncate(self, told: Any, descriptor: int, length: int) -> str | None:
        """`ftruncate`."""
        file = self.opened[descriptor].file
        file.data = file.data[:length].ljust(length, b"\0")
        return _expect(told, None)

    def unlink(self, told: Any, path: str) -> str | None:
        """`unlink`."""
        if self.names.pop(path, None) is None:
            return _expect(told, Failed(errno.ENOENT, "FileNotFoundError"))
        return _expect(told, None)

    def rename(self, told: Any, source: str, target: str) -> str | None:
        """`rename`."""
        if source not in self.names:
            return _expect(told, Failed(errno.ENOENT, "FileNotFoundError"))
        self.names[target] = self.names.pop(source)
        return _expect(told, None)

    def listdir(self, told: Any) -> str | None:
        """The names in the client's directory, sorted."""
        return _expect(told, tuple(sorted(self.names)))

    def sync(self, told: Any) -> str | None:
        """`sync`."""
        return _expect(told, None)

    def getcwd(self, told: Any, home: str) -> str | None:
        """`getcwd`: where the client went at its beginning."""
        return _expect(told, home)

    @staticmethod
    def _put(file: File, start: int, data: bytes) -> None:
        before = file.data[:start].ljust(start, b"\0")
        file.data = before + data + file.data[start + len(data) :]


def _expect(told: Any, expected: Any) -> str | None:
    return None if told == expected else f"expected {_short(expected)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}... ({len(value)})"
