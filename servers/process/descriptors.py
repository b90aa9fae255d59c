"""Descriptors: one numbering, in each process, for what several services keep open.

It lives in the process, as in the C library of the Hurd: a read goes to the service that keeps the
file, and to nobody else. A number that a process makes up only leads to what the service itself
would give that caller.
"""

import errno
import math
import os
import select
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from servers.console import Console
from servers.filesystem import FileSystem, Stat
from servers.pipes import Pipes
from servers.process.descriptions import (
    CONSOLE_DEVICES,
    NULL_DEVICE,
    Description,
    File,
    Null,
    PipeEnd,
    Terminal,
    device_numbers,
    seekable,
)
from servers.process.manager import ProcessManager
from servers.process.table import Descriptor
from servers.process.user import User
from twinos import fail

MOST: Final = 256
"""Descriptors that a process may have."""
_SLICE: Final = 0.02
"""Seconds between looks at several services that can't be waited for at once."""


class Descriptors:
    """A process's open files by number.

    Args:
        user: the process's handles.
        inherited: what it was given.
    """

    def __init__(self, user: User, inherited: Iterable[Descriptor] = ()) -> None:
        self._user = user
        self._open: dict[int, Description] = {}
        self._private: set[int] = set()  # those that no child inherits: close-on-exec
        seen: dict[tuple[str, int], Description] = {}
        for fd, service, handle in inherited:
            key = (service, handle)
            if key not in seen:
                seen[key] = self._make(service, handle)
            self._put(fd, seen[key])

    @property
    def files(self) -> FileSystem:
        """The file system: paths, attributes, directories."""
        return self._user[FileSystem]

    def open(self, path: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
        """Open a file, FIFO, the console or /dev/null; its descriptor, the lowest free.

        O_CLOEXEC: no child inherits it. A FIFO waits for its other end; see `Pipes.open`. Errors
        are those of `FileSystem.open`; EMFILE.
        """
        number = self._lowest()
        try:
            handle = self.files.open(path, flags & ~os.O_NONBLOCK, mode)
            found: Description = File(self.files, handle)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            found = self._device(path, flags)
        number = self._lowest()  # a handler may have opened others, while this one waited
        self._put(number, found)
        if flags & os.O_CLOEXEC:
            self._private.add(number)
        return number

    def pipe(self) -> tuple[int, int]:
        """A new pipe: the descriptor to read from, and the one to write to. EMFILE, ENFILE."""
        source = self._lowest()
        sink = self._lowest(source + 1)
        pipes = self._user[Pipes]
        ends = pipes.pipe()
        self._put(source, PipeEnd(pipes, ends[0]))
        self._put(sink, PipeEnd(pipes, ends[1]))
        return source, sink

    def close(self, fd: int) -> None:
        """Close a descriptor. EBADF."""
        description = self.description(fd)
        del self._open[fd]
        self._private.discard(fd)
        description.shares -= 1
        if not description.shares:
            description.close()

    def leave_behind(self, descriptors: Iterable[Descriptor]) -> None:
        """Close what the program before this one had open."""
        for _, service, handle in descriptors:
            with suppress(OSError):
                self._make(service, handle).close()

    def close_all(self) -> None:
        """Close every descriptor; for a process that ends."""
        for fd in list(self._open):
            self.close(fd)

    def dup(self, fd: int, least: int = 0) -> int:
        """Another descriptor of the same, the lowest free from `least` on. EBADF, EMFILE."""
        description = self.description(fd)
        number = self._lowest(least)
        self._put(number, description)
        return number

    def dup2(self, fd: int, fd2: int) -> int:
        """Make `fd2` a descriptor of the same, and close what it was. EBADF."""
        description = self.description(fd)
        if not 0 <= fd2 < MOST:
            raise fail(errno.EBADF)
        if fd != fd2:
            if fd2 in self._open:
                self.close(fd2)
            self._put(fd2, description)
        return fd2

    def set_inheritable(self, fd: int, inheritable: bool) -> None:
        """Say whether children inherit a descriptor. EBADF."""
        self.description(fd)
        if inheritable:
            self._private.discard(fd)
        else:
            self._private.add(fd)

    def inheritable(self) -> tuple[int, ...]:
        """The descriptors that a child inherits."""
        return tuple(fd for fd in self._open if fd not in self._private)

    def set_blocking(self, fd: int, blocking: bool) -> None:
        """Say whether reads and writes of a pipe wait, or fail with EAGAIN. EBADF."""
        self.description(fd).blocking = blocking

    def lseek(self, fd: int, position: int, whence: int = os.SEEK_SET) -> int:
        """Move the position of a file; the new one. ESPIPE for what has none, EBADF, EINVAL."""
        file = seekable(self.description(fd))
        return file.files.lseek(file.handle, position, whence)

    def fstat(self, fd: int) -> Stat:
        """What is known of an open file; of what is none, only its type. EBADF."""
        description = self.description(fd)
        if isinstance(description, File):
            return description.files.fstat(description.handle)
        kind = stat.S_IFIFO if isinstance(description, PipeEnd) else stat.S_IFCHR
        return Stat(kind | 0o600, 0, 0, 1, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0, 4096, 0, 0)

    def isatty(self, fd: int) -> bool:
        """Whether a person sits at the other end. EBADF."""
        return self.description(fd).isatty()

    def tcgetpgrp(self, fd: int) -> int:
        """The group that has the terminal. ENOTTY, EBADF."""
        self._require_terminal(fd)
        return self._user[ProcessManager].tcgetpgrp()

    def tcsetpgrp(self, fd: int, pgid: int) -> None:
        """Give it to another one; see `ProcessManager.tcsetpgrp`. ENOTTY, EBADF."""
        self._require_terminal(fd)
        self._user[Console].turn(self._user[ProcessManager].tcsetpgrp(pgid))

    def _require_terminal(self, fd: int) -> None:
        if not isinstance(self.description(fd), Terminal):
            raise fail(errno.ENOTTY)

    def poll(self, fds: Mapping[int, int], timeout: float | None = None) -> list[tuple[int, int]]:
        """Wait until something can be done with one of several descriptors.

        Args:
            fds: the events that are of interest by descriptor: POLLIN, POLLOUT.
            timeout: seconds after which to give up.

        Returns:
            The descriptors of which there is something to tell, with the events. A file is always
            ready; what is not open is POLLNVAL.
        """
        ready = [(fd, self._at_once(fd, events)) for fd, events in fds.items()]
        pipes = {fd: events for fd, events in fds.items() if self._is(fd, PipeEnd)}
        keyboards = [fd for fd, events in fds.items() if self._reads_keys(fd, events)]
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not (found := [one for one in ready if one[1]]):
            left = max(0.0, deadline - time.monotonic())
            patience = min(left, _SLICE) if keyboards else left
            found = self._poll_pipes(pipes, 0.0 if keyboards else patience)
            if keyboards and not found and self._user[Console].ready(patience):
                found = [(fd, select.POLLIN) for fd in keyboards]
            if found or time.monotonic() >= deadline:
                break
        return found

    def description(self, fd: int) -> Description:
        """What a descriptor stands for. EBADF."""
        try:
            return self._open[fd]
        except KeyError:
            raise fail(errno.EBADF) from None

    def passed(self, chosen: Mapping[int, int] | None) -> tuple[Descriptor, ...]:
        """What a child gets.

        Args:
            chosen: ours by the child's number; None: all that are inheritable.
        """
        if chosen is None:
            chosen = {fd: fd for fd in self.inheritable()}
        return tuple(
            Descriptor(theirs, (found := self.description(ours)).service, found.handle)
            for theirs, ours in sorted(chosen.items())
        )

    def all_passed(self) -> tuple[Descriptor, ...]:
        """What a copy of this process gets: all, under the same numbers."""
        return self.passed({fd: fd for fd in self._open})

    def _is(self, fd: int, kind: type[Description]) -> bool:
        return isinstance(self._open.get(fd), kind)

    def _reads_keys(self, fd: int, events: int) -> bool:
        return self._is(fd, Terminal) and bool(events & select.POLLIN)

    def _at_once(self, fd: int, events: int) -> int:
        """What can be told of a descriptor without asking anybody."""
        if fd not in self._open:
            return select.POLLNVAL
        if self._is(fd, PipeEnd):
            return 0
        waits = select.POLLIN if self._is(fd, Terminal) else 0
        return events & (select.POLLIN | select.POLLOUT) & ~waits

    def _poll_pipes(self, pipes: Mapping[int, int], patience: float) -> list[tuple[int, int]]:
        if not pipes:
            return []
        by_handle: dict[int, list[int]] = {}
        for fd in pipes:
            by_handle.setdefault(self._open[fd].handle, []).append(fd)
        asked = tuple((self._open[fd].handle, events) for fd, events in pipes.items())
        found = dict(self._user[Pipes].poll(asked, patience))
        return [(fd, events) for handle, events in found.items() for fd in by_handle[handle]]

    def _put(self, fd: int, description: Description) -> None:
        description.shares += 1
        self._open[fd] = description

    def _lowest(self, least: int = 0) -> int:
        number = least
        while number in self._open:
            number += 1
        if number >= MOST:
            raise fail(errno.EMFILE)
        return number

    def _device(self, path: str, flags: int) -> Description:
        """The driver of a device, or the end of a FIFO. ENXIO: there is none."""
        found = self.files.stat(path)
        if stat.S_ISFIFO(found.st_mode):
            pipes = self._user[Pipes]
            end = PipeEnd(pipes, pipes.open(path, flags))
            end.blocking = not flags & os.O_NONBLOCK
            return end
        numbers = device_numbers(found.st_rdev)
        if stat.S_ISCHR(found.st_mode) and numbers == NULL_DEVICE:
            return Null(0)
        if stat.S_ISCHR(found.st_mode) and numbers in CONSOLE_DEVICES:
            return self._make(Terminal.service, CONSOLE_DEVICES[numbers])
        raise fail(errno.ENXIO, path)

    def _make(self, service: str, handle: int) -> Description:
        return _MAKERS[service](self._user, handle)


_MAKERS: Final[dict[str, Callable[[User, int], Description]]] = {
    File.service: lambda user, handle: File(user[FileSystem], handle),
    PipeEnd.service: lambda user, handle: PipeEnd(user[Pipes], handle),
    Terminal.service: lambda user, handle: Terminal(user[Console], user[ProcessManager], handle),
    Null.service: lambda _, handle: Null(handle),
}
