"""Standard streams: descriptors of a process as Python's files."""

import io
from collections.abc import Callable
from typing import Any, Final, Protocol

BUFFER: Final = 16 << 10
"""Bytes that a stream collects before it asks somebody to take them."""


class Device(Protocol):
    """Where the bytes come from and go to; `Process` is one."""

    def read(self, fd: int, length: int) -> bytes:
        """Read from a descriptor."""

    def write(self, fd: int, data: bytes) -> int:
        """Write to one."""

    def isatty(self, fd: int) -> bool:
        """Whether a person sits there."""


class Raw(io.RawIOBase):
    """A descriptor, unbuffered.

    Args:
        process: whose it is.
        fd: its number.
        writes: which way the bytes go.
        close: what closes it; None: it stays open.
    """

    def __init__(
        self, process: Device, fd: int, *, writes: bool, close: Callable[[int], None] | None = None
    ) -> None:
        self._process = process
        self._fd = fd
        self._writes = writes
        self._close = close

    def readable(self) -> bool:
        """Whether it can be read."""
        return not self._writes

    def writable(self) -> bool:
        """Whether it can be written."""
        return self._writes

    def isatty(self) -> bool:
        """Whether a person sits there."""
        return self._process.isatty(self._fd)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io passes a view
        """Read as much as there is, up to the buffer's size."""
        data = self._process.read(self._fd, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: memoryview) -> int:  # type: ignore[override]  # io passes a view
        """Write; how much."""
        return self._process.write(self._fd, bytes(data))

    def close(self) -> None:
        """Close it, and the descriptor if that is its own."""
        if not self.closed and self._close is not None:
            super().close()
            self._close(self._fd)
        super().close()


def text(raw: Raw, *, lines: bool) -> io.TextIOWrapper:
    """A text stream over a descriptor.

    Args:
        raw: the descriptor.
        lines: whether each line is written as it ends.
    """
    make: Any = io.BufferedWriter if raw.writable() else io.BufferedReader
    return io.TextIOWrapper(
        make(raw, BUFFER), "utf-8", "surrogateescape", newline="\n", line_buffering=lines
    )
