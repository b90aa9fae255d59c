"""A pipe: bytes on their way, and its ends."""

import select
from typing import Final, NamedTuple

from twinos import Signal

CAPACITY: Final = 64 << 10
"""Bytes that a pipe holds; a writer waits for room."""
PIPE_BUF: Final = 4096
"""Bytes up to which a write is atomic: none of it is mixed with another's."""


class Pipe:
    """One pipe. It has no ends yet.

    Attributes:
        data: what is on its way.
        readers, writers: how many ends there are of either kind.
        came: how many writers, and how many readers, there have ever been.
        filled: notified when there is more to read, or no writer any more.
        drained: notified when there is more room, or no reader any more.
        met: notified when an end is opened.
        watchers: notified at all of them: those who poll.
        file: of a FIFO: its number, and the descriptor that keeps it in the file system.
    """

    __slots__ = (
        "came",
        "data",
        "drained",
        "file",
        "filled",
        "met",
        "readers",
        "watchers",
        "writers",
    )

    def __init__(self, file: tuple[int, int] | None = None) -> None:
        self.data = bytearray()
        self.readers = self.writers = 0
        self.came = [0, 0]
        self.filled, self.drained, self.met = Signal(), Signal(), Signal()
        self.watchers: list[Signal] = []
        self.file = file

    @property
    def room(self) -> int:
        """Bytes that it takes now."""
        return CAPACITY - len(self.data)

    def changed(self, signal: Signal) -> None:
        """Wake who waits for `signal`, and who polls."""
        signal.notify()
        for watcher in self.watchers:
            watcher.notify()


class End(NamedTuple):
    """An end: of a FIFO it may be both."""

    pipe: Pipe
    reads: bool
    writes: bool

    def opened(self) -> None:
        """There is one more end like this."""
        pipe = self.pipe
        pipe.readers += self.reads
        pipe.writers += self.writes
        pipe.came[0] += self.writes
        pipe.came[1] += self.reads
        pipe.changed(pipe.met)

    def closed(self) -> bool:
        """There is one end less; whether it was the last of the pipe."""
        pipe = self.pipe
        pipe.writers -= self.writes
        pipe.readers -= self.reads
        if not pipe.writers:
            pipe.changed(pipe.filled)
        if not pipe.readers:
            pipe.changed(pipe.drained)
        return not pipe.readers and not pipe.writers

    def events(self) -> int:
        """What poll(2) would tell of it."""
        pipe, found = self.pipe, 0
        if self.writes:
            found |= select.POLLOUT if pipe.room >= PIPE_BUF or not pipe.readers else 0
            found |= 0 if pipe.readers else select.POLLERR
        if self.reads:
            found |= select.POLLIN if pipe.data else 0
            found |= 0 if pipe.writers or not pipe.came[0] else select.POLLHUP
        return found
