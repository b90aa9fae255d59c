"""Open file descriptions: what a process's descriptors stand for, whichever service keeps it."""

import errno
import signal as host_signal
from typing import Protocol

from servers.console import Console
from servers.filesystem import FileSystem
from servers.pipes import Pipes
from servers.process.manager import ProcessManager
from twinos import fail


class Description(Protocol):
    """Something open. Several descriptors of one process may share it.

    Attributes:
        service: the name of the service that keeps it.
        handle: the number by which that service knows it.
        shares: descriptors that stand for it.
        blocking: whether reads and writes wait.
    """

    service: str
    handle: int
    shares: int
    blocking: bool

    def read(self, length: int) -> bytes:
        """Read up to `length` bytes."""

    def write(self, data: bytes) -> int:
        """Write; how much."""

    def close(self) -> None:
        """Give it back to its service."""

    def isatty(self) -> bool:
        """Whether a person sits there."""


class _Common:
    """What most have in common."""

    service = ""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.shares = 0
        self.blocking = True

    def isatty(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is kept for it."""


class File(_Common):
    """A file that FileSystem keeps."""

    service = FileSystem.__name__

    def __init__(self, files: FileSystem, handle: int) -> None:
        super().__init__(handle)
        self.files = files

    def read(self, length: int) -> bytes:
        """See `FileSystem.read`."""
        return self.files.read(self.handle, length)

    def write(self, data: bytes) -> int:
        """See `FileSystem.write`."""
        return self.files.write(self.handle, data)

    def close(self) -> None:
        """See `FileSystem.close`."""
        self.files.close(self.handle)


class PipeEnd(_Common):
    """An end of a pipe that Pipes keeps."""

    service = Pipes.__name__

    def __init__(self, pipes: Pipes, handle: int) -> None:
        super().__init__(handle)
        self.pipes = pipes

    def read(self, length: int) -> bytes:
        """See `Pipes.read`."""
        return self.pipes.read(self.handle, length, self.blocking)

    def write(self, data: bytes) -> int:
        """See `Pipes.write`."""
        return self.pipes.write(self.handle, data, self.blocking)

    def close(self) -> None:
        """See `Pipes.close`."""
        self.pipes.close(self.handle)


class Terminal(_Common):
    """The console: its keyboard (handle 0), its screen (1), or where it shows errors (2)."""

    service = Console.__name__

    def __init__(self, console: Console, manager: ProcessManager, handle: int) -> None:
        super().__init__(handle)
        self.console = console
        self._manager = manager
        self._turn = 0

    def read(self, length: int) -> bytes:
        """See `Console.read`; waits, perhaps stopped, until this process is in the foreground."""
        while True:
            try:
                return self.console.read(length, self._turn)
            except InterruptedError:
                self._turn = self._manager.attend(int(host_signal.SIGTTIN))

    def write(self, data: bytes) -> int:
        """See `Console.write`."""
        while True:
            try:
                return self.console.write(data, self.handle or 1, self._turn)
            except InterruptedError:
                self._turn = self._manager.attend(int(host_signal.SIGTTOU))

    def isatty(self) -> bool:
        """See `Console.isatty`."""
        return self.console.isatty()


class Null(_Common):
    """/dev/null: empty, and never full."""

    service = "null"

    def read(self, length: int) -> bytes:
        """The end of the file."""
        del length
        return b""

    def write(self, data: bytes) -> int:
        """It takes everything."""
        return len(data)


NULL_DEVICE = (1, 3)
CONSOLE_DEVICES = {(5, 0): 0, (5, 1): 0}
"""/dev/tty and /dev/console, by their numbers on Linux."""


def seekable(description: Description) -> File:
    """The file that it is. ESPIPE: it has no places."""
    if not isinstance(description, File):
        raise fail(errno.ESPIPE)
    return description


def device_numbers(rdev: int) -> tuple[int, int]:
    """Major and minor number, as the file system keeps them."""
    return rdev >> 8, rdev & 0xFF
