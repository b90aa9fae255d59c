"""Pipes: bytes on their way from those who write to those who read, after pipe(7)."""

import errno
import math
import os
import select
import time
from collections.abc import Iterator
from typing import Annotated, Final

from servers.filesystem import FileSystem
from servers.pipe import CAPACITY, PIPE_BUF, End, Pipe
from servers.who import Who, require_service
from twinos import Caller, Service, Signal, Waits, fail, limit, only, op

__all__ = ["CAPACITY", "ENDS", "PIPES", "PIPE_BUF", "Pipes"]

PIPES: Final = 1024
"""Pipes that there may be."""
ENDS: Final = 256
"""Ends that one caller may have."""


class Pipes(Service):
    """Pipes, each with ends that callers hold; an end is known to its caller by a number.

    A reader finds the end of file when no writer is left; a writer fails with EPIPE when no reader
    is. Ends go with their caller. SIGPIPE is the business of whoever wrote.

    A FIFO is a pipe that has a name, in the file system; see `open`. It is one as long as somebody
    has an end of it.

    Args:
        files: where FIFOs have their names.
        pipes: how many there may be.
        ends: how many one caller may have.
    """

    def __init__(
        self,
        files: Annotated[FileSystem, only("fifo", "close")],
        pipes: Annotated[int, limit("pipes", "ENFILE")] = PIPES,
        ends: Annotated[int, limit("ends of pipes of one process", "EMFILE")] = ENDS,
    ) -> None:
        self._files = files
        self._fifos: dict[int, Pipe] = {}
        self._most_pipes = pipes
        self._most_ends = ends
        self._count = 0
        self._ends: dict[int, dict[int, End]] = {}
        self._last: dict[int, int] = {}

    @op
    def pipe(self, caller: Caller) -> tuple[int, int]:
        """A new pipe: the end to read from, and the end to write to. ENFILE, EMFILE."""
        pipe = self._new(caller, 2)
        first, second = (
            self._give(caller, End(pipe, not writes, writes)) for writes in (False, True)
        )
        return first, second

    @op
    def open(self, caller: Caller, path: str, flags: int) -> Waits[int]:
        """Open a FIFO; the number of an end. It waits until its other end is open, too.

        Args:
            caller: who opens it.
            path: its name.
            flags: O_RDONLY, O_WRONLY or O_RDWR, which does not wait; with O_NONBLOCK neither a
                reader does, and a writer is refused if there is no reader.

        Raises:
            OSError: ENXIO: nobody reads, or it is no FIFO; ENFILE, EMFILE; EACCES, path errors.
        """
        access = flags & os.O_ACCMODE
        reads, writes = access != os.O_WRONLY, access != os.O_RDONLY
        pipe = self._named(caller, path, flags)
        if flags & os.O_NONBLOCK and not reads and not pipe.readers:
            self._forget_unused(pipe)
            raise fail(errno.ENXIO, path)
        end = End(pipe, reads, writes)
        number = self._give(caller, end)
        before = pipe.came[writes]
        try:
            while not flags & os.O_NONBLOCK and reads != writes and pipe.came[writes] == before:
                if pipe.readers if writes else pipe.writers:
                    break
                yield pipe.met
        except BaseException:
            if self._ends.get(caller.id, {}).pop(number, None) is end:
                self._close(end)
            raise
        return number

    @op
    def count(self) -> int:
        """How many pipes there are."""
        return self._count

    @op
    def close(self, caller: Caller, end: int) -> None:
        """Give an end back. EBADF."""
        self._end(caller, end)
        self._close(self._ends[caller.id].pop(end))

    @op
    def read(self, caller: Caller, end: int, length: int, block: bool = True) -> Waits[bytes]:
        """Read up to `length` bytes, as many as there are; wait if there are none.

        Returns:
            Them; none if no writer is left.

        Raises:
            OSError: EBADF, EINVAL; EAGAIN: there are none and `block` is false.
        """
        pipe = self._end(caller, end, reads=True).pipe
        if length < 0:
            raise fail(errno.EINVAL)
        while length and not pipe.data and pipe.writers:
            if not block:
                raise fail(errno.EAGAIN)
            yield pipe.filled
        data = bytes(pipe.data[:length])
        del pipe.data[:length]
        if data:
            pipe.changed(pipe.drained)
        return data

    @op
    def write(self, caller: Caller, end: int, data: bytes, block: bool = True) -> Waits[int]:
        """Write all of `data`, waiting for room; up to `PIPE_BUF` bytes in one piece.

        Returns:
            How many bytes that were; fewer if the last reader went, or if `block` is false.

        Raises:
            OSError: EBADF; EPIPE: nobody reads; EAGAIN: there is no room and `block` is false.
        """
        pipe = self._end(caller, end, writes=True).pipe
        written = 0
        if not data:
            return 0
        while pipe.readers:
            needed = len(data) if len(data) <= PIPE_BUF else 1
            if pipe.room >= needed:
                part = data[written : written + pipe.room]
                pipe.data += part
                written += len(part)
                pipe.changed(pipe.filled)
                if written == len(data):
                    return written
            if not block:
                break
            yield pipe.drained
        if not written:
            raise fail(errno.EAGAIN if pipe.readers else errno.EPIPE)
        return written

    @op
    def poll(
        self, caller: Caller, ends: tuple[tuple[int, int], ...], timeout: float = math.inf
    ) -> Waits[tuple[tuple[int, int], ...]]:
        """Wait until something can be done with one of several ends.

        Args:
            caller: whose they are.
            ends: each with the events that are of interest, POLLIN and POLLOUT; POLLHUP (no writer
                is left) and POLLERR (no reader is) are told anyway.
            timeout: seconds after which to give up.

        Returns:
            The ends of which there is something to tell, with the events. None: time is up.

        Raises:
            OSError: EBADF, EINVAL.
        """
        if math.isnan(timeout) or timeout < 0:
            raise fail(errno.EINVAL)
        polled = [(number, self._end(caller, number), events) for number, events in ends]
        deadline = time.monotonic() + timeout
        changed = Signal()
        for _, end, _ in polled:
            end.pipe.watchers.append(changed)
        try:
            while not (found := tuple(_found(polled))) and time.monotonic() < deadline:
                yield changed.until(deadline)
        finally:
            for _, end, _ in polled:
                end.pipe.watchers.remove(changed)
        return found

    @op(idempotent=True)  # a new server has nothing of what an old one did
    def inherit(self, caller: Caller, parent: Who, child: Who, ends: tuple[int, ...]) -> None:
        """Give a new caller some of a parent's ends, under the same numbers.

        Raises:
            OSError: EBADF; EPERM: only services may ask.
        """
        require_service(caller)
        inherited = {number: self._end(Caller(*parent), number) for number in ends}
        for end in inherited.values():
            end.opened()
        self._ends.setdefault(child.id, {}).update(inherited)
        self._last[child.id] = max([*inherited, self._last.get(child.id, -1)], default=-1)

    def _departed(self, caller: Caller) -> None:
        self._last.pop(caller.id, None)
        for end in self._ends.pop(caller.id, {}).values():
            self._close(end)

    def _new(self, caller: Caller, ends: int, file: tuple[int, int] | None = None) -> Pipe:
        """A pipe for a caller that gets so many ends of it. ENFILE, EMFILE."""
        if self._count >= self._most_pipes:
            raise fail(errno.ENFILE)
        self._require_room(caller, ends)
        self._count += 1
        return Pipe(file)

    def _require_room(self, caller: Caller, ends: int) -> None:
        if len(self._ends.get(caller.id, ())) + ends > self._most_ends:
            raise fail(errno.EMFILE)

    def _named(self, caller: Caller, path: str, flags: int) -> Pipe:
        """The pipe that a FIFO is now. Errors of `open`."""
        number, fd = self._files.fifo(Who(*caller), path, flags)
        known = self._fifos.get(number)
        try:
            if known is not None:
                self._require_room(caller, 1)
                self._files.close(fd)
                return known
            self._fifos[number] = self._new(caller, 1, (number, fd))
        except OSError:
            self._files.close(fd)
            raise
        return self._fifos[number]

    def _give(self, caller: Caller, end: End) -> int:
        """Let a caller have an end; its number."""
        number = self._last[caller.id] = self._last.get(caller.id, -1) + 1
        self._ends.setdefault(caller.id, {})[number] = end
        end.opened()
        return number

    def _close(self, end: End) -> None:
        if end.closed():
            self._forget_unused(end.pipe)

    def _forget_unused(self, pipe: Pipe) -> None:
        """A pipe that has no end is none any more."""
        if pipe.readers or pipe.writers:
            return
        self._count -= 1
        if pipe.file is not None:
            number, fd = pipe.file
            del self._fifos[number]
            self._files.close(fd)

    def _end(
        self, caller: Caller, number: int, *, reads: bool = False, writes: bool = False
    ) -> End:
        """What the caller knows by this number. EBADF."""
        end = self._ends.get(caller.id, {}).get(number)
        if end is None or (reads and not end.reads) or (writes and not end.writes):
            raise fail(errno.EBADF)
        return end


def _found(polled: list[tuple[int, End, int]]) -> Iterator[tuple[int, int]]:
    always = select.POLLHUP | select.POLLERR
    for number, end, wanted in polled:
        if events := end.events() & (wanted | always):
            yield number, events
