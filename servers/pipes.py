"""Pipes: bytes on their way from those who write to those who read, after pipe(7)."""

import errno
import math
import select
import time
from collections.abc import Iterator
from typing import Annotated, Final, NamedTuple

from servers.who import Who, require_service
from twinos import Caller, Service, Signal, Waits, fail, limit, op

CAPACITY: Final = 64 << 10
"""Bytes that a pipe holds; a writer waits for room."""
PIPE_BUF: Final = 4096
"""Bytes up to which a write is atomic: none of it is mixed with another's."""
PIPES: Final = 1024
"""Pipes that there may be."""
ENDS: Final = 256
"""Ends that one caller may have."""


class _Pipe:
    """One pipe.

    Attributes:
        data: what is on its way.
        readers, writers: how many ends there are of either kind.
        filled: notified when there is more to read, or no writer any more.
        drained: notified when there is more room, or no reader any more.
        watchers: notified at both: those who poll.
    """

    __slots__ = ("data", "drained", "filled", "readers", "watchers", "writers")

    def __init__(self) -> None:
        self.data = bytearray()
        self.readers = self.writers = 1
        self.filled, self.drained = Signal(), Signal()
        self.watchers: list[Signal] = []

    @property
    def room(self) -> int:
        """Bytes that it takes now."""
        return CAPACITY - len(self.data)

    def changed(self, signal: Signal) -> None:
        """Wake who waits for `signal`, and who polls."""
        signal.notify()
        for watcher in self.watchers:
            watcher.notify()


class _End(NamedTuple):
    pipe: _Pipe
    writes: bool

    def opened(self) -> None:
        """There is one more end like this."""
        if self.writes:
            self.pipe.writers += 1
        else:
            self.pipe.readers += 1

    def closed(self) -> bool:
        """There is one end less; whether it was the last of the pipe."""
        pipe = self.pipe
        if self.writes:
            pipe.writers -= 1
            if not pipe.writers:
                pipe.changed(pipe.filled)
        else:
            pipe.readers -= 1
            if not pipe.readers:
                pipe.changed(pipe.drained)
        return not pipe.readers and not pipe.writers

    def events(self) -> int:
        """What poll(2) would tell of it."""
        pipe = self.pipe
        if self.writes:
            writable = select.POLLOUT if pipe.room >= PIPE_BUF else 0
            return writable if pipe.readers else select.POLLOUT | select.POLLERR
        readable = select.POLLIN if pipe.data else 0
        return readable if pipe.writers else readable | select.POLLHUP


class Pipes(Service):
    """Pipes, each with ends that callers hold; an end is known to its caller by a number.

    A reader finds the end of file when no writer is left; a writer fails with EPIPE when no reader
    is. Ends go with their caller. SIGPIPE is the business of whoever wrote.

    Args:
        pipes: how many there may be.
        ends: how many one caller may have.
    """

    def __init__(
        self,
        pipes: Annotated[int, limit("pipes", "ENFILE")] = PIPES,
        ends: Annotated[int, limit("ends of pipes of one process", "EMFILE")] = ENDS,
    ) -> None:
        self._most_pipes = pipes
        self._most_ends = ends
        self._count = 0
        self._ends: dict[int, dict[int, _End]] = {}
        self._last: dict[int, int] = {}

    @op
    def pipe(self, caller: Caller) -> tuple[int, int]:
        """A new pipe: the end to read from, and the end to write to. ENFILE, EMFILE."""
        if self._count >= self._most_pipes:
            raise fail(errno.ENFILE)
        held = self._ends.setdefault(caller.id, {})
        if len(held) + 2 > self._most_ends:
            raise fail(errno.EMFILE)
        self._count += 1
        pipe = _Pipe()
        first = self._last.get(caller.id, -1) + 1
        self._last[caller.id] = first + 1
        held[first], held[first + 1] = _End(pipe, writes=False), _End(pipe, writes=True)
        return first, first + 1

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
        pipe = self._end(caller, end, writes=False).pipe
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

    def _close(self, end: _End) -> None:
        self._count -= end.closed()

    def _end(self, caller: Caller, number: int, *, writes: bool | None = None) -> _End:
        """What the caller knows by this number. EBADF."""
        end = self._ends.get(caller.id, {}).get(number)
        if end is None or (writes is not None and end.writes != writes):
            raise fail(errno.EBADF)
        return end


def _found(polled: list[tuple[int, _End, int]]) -> Iterator[tuple[int, int]]:
    always = select.POLLHUP | select.POLLERR
    for number, end, wanted in polled:
        if events := end.events() & (wanted | always):
            yield number, events
