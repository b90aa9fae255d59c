"""The console: a keyboard and a screen. The host's terminal stands for both."""

import errno
import os
import select
import time
from collections import deque
from typing import Final

from servers.keys import Keys
from twinos import NO_DEVICE, Caller, Line, Region, Service, Signal, Waits, fail, op

STREAMS: Final = (1, 2)
"""The host's descriptors of output and errors, by the same numbers as a program's."""
STEP: Final = 4096
"""Bytes written at a time: the host takes as many without waiting when it says that it is ready."""
RETRY: Final = 0.005
"""Seconds until a screen that takes nothing is tried again."""
TYPED_AHEAD: Final = 1 << 20
"""Bytes that the keyboard keeps until somebody reads."""
ANY_TURN: Final = -1
"""The turn of who reads or writes whenever it likes."""
KEPT: Final = 1 << 20
"""Bytes of what is written that are kept for `screen`: the last ones."""


class Console(Service):
    """A terminal that all programs share.

    What is written appears on the host's standard output or error. What is read is what somebody
    has `typed`, line by line or in other pieces; a piece of no bytes is an end of file, once.

    Programs take turns: who reads says which turn it knows of, and is sent back (EINTR) when there
    is another one, to ask the process manager whether its group still has the terminal.

    A key that is pressed is an interrupt: the keyboard puts it into its register, raises its line,
    and this driver takes it from there.

    Args:
        keys: the keyboard's register.
        key: raised when a key has been pressed.
        terminal: whether a person sits there, so that programs show each line at once.
        keep: keep what is written, in memory, for `screen`, instead of showing it.
    """

    def __init__(
        self,
        keys: Region,
        key: Line = NO_DEVICE,
        terminal: bool = False,
        keep: bool = False,
    ) -> None:
        self._terminal = terminal
        self._screen: bytearray | None = bytearray() if keep else None
        self._typed: deque[bytes] = deque()
        self._size = 0
        self._readers = 0
        self._turn = 0
        self._waits_to_write = False
        self._arrived, self._wanted = Signal(), Signal()
        self._keyboard, self._line = Keys(keys), key
        self._take()  # what was typed while nobody listened

    @op(idempotent=True)
    def isatty(self) -> bool:
        """Whether a person sits there."""
        return self._terminal

    @op
    def read(self, length: int, turn: int = ANY_TURN) -> Waits[bytes]:
        """Read up to `length` bytes of what was typed, of one piece; wait if there is none.

        EINVAL; EINTR: it is another one's turn.
        """
        if length < 0:
            raise fail(errno.EINVAL)
        if not length:
            return b""
        self._readers += 1
        try:
            while self._is_over(turn) or not self._typed:
                if self._is_over(turn):
                    raise fail(errno.EINTR)
                self._wanted.notify()
                yield self._arrived
        finally:
            self._readers -= 1
        piece = self._typed.popleft()
        if len(piece) > length:
            self._typed.appendleft(piece[length:])
        self._size -= min(len(piece), length)
        return piece[:length]

    @op
    def ready(self, timeout: float) -> Waits[bool]:
        """Whether there is something to read within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._readers += 1
        try:
            while not self._typed and time.monotonic() < deadline:
                self._wanted.notify()
                yield self._arrived.until(deadline)
        finally:
            self._readers -= 1
        return bool(self._typed)

    @op
    def write(self, data: bytes, stream: int = 1, turn: int = ANY_TURN) -> Waits[int]:
        """Show something; the number of bytes that were shown.

        EBADF for what is no stream; EPIPE and EIO if the host's terminal is gone; EINTR: it is
        another one's turn, and `tostop` was asked for.
        """
        if stream not in STREAMS:
            raise fail(errno.EBADF)
        if self._waits_to_write and self._is_over(turn):
            raise fail(errno.EINTR)
        if self._screen is not None:
            self._screen += data
            del self._screen[:-KEPT]
            return len(data)
        poll = select.poll()
        poll.register(stream, select.POLLOUT)
        rest = memoryview(data)
        while rest:
            if poll.poll(0):
                rest = rest[os.write(stream, rest[:STEP]) :]
            else:
                yield Signal().until(time.monotonic() + RETRY)
        return len(data)

    @op
    def turn(self, number: int) -> None:
        """Another group has the terminal: who waits for input asks whether it still may."""
        self._turn = max(number, self._turn)
        self._arrived.notify()

    @op(idempotent=True)
    def tostop(self, on: bool | None = None) -> bool:
        """Say whether groups in the background must not write, either; whether they must not."""
        if on is not None:
            self._waits_to_write = on
        return self._waits_to_write

    @op
    def typed(self, caller: Caller, piece: bytes) -> None:
        """The keyboard: somebody typed this. EPERM unless the superuser; ENOSPC."""
        _require_superuser(caller)
        if self._size + len(piece) > TYPED_AHEAD:
            raise fail(errno.ENOSPC)
        self._enter(piece)

    @op
    def wanted(self, caller: Caller, timeout: float) -> Waits[bool]:
        """The keyboard: whether somebody waits for a key, within `timeout` seconds. EPERM."""
        _require_superuser(caller)
        self._take()  # the interrupt may be on its way
        deadline = time.monotonic() + timeout
        while not (waits := bool(self._readers and not self._typed)):
            if time.monotonic() >= deadline:
                break
            yield self._wanted.until(deadline)
        return waits

    @op
    def screen(self, caller: Caller) -> bytes:
        """What has been written since this was last asked, if it is kept. EPERM."""
        _require_superuser(caller)
        shown = bytes(self._screen or b"")
        if self._screen is not None:
            self._screen.clear()
        return shown

    def _is_over(self, turn: int) -> bool:
        return turn not in {ANY_TURN, self._turn}

    def _interrupted(self) -> None:
        self._take()

    def _take(self) -> None:
        """Take what has been typed out of the register; beyond what is kept it is lost."""
        for piece in self._keyboard.pressed():
            if self._size + len(piece) <= TYPED_AHEAD:
                self._enter(piece)

    def _enter(self, piece: bytes) -> None:
        self._typed.append(piece)
        self._size += len(piece)
        self._arrived.notify()


def _require_superuser(caller: Caller) -> None:
    if caller.uid:
        raise fail(errno.EPERM)
