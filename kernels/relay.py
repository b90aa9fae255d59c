"""The relay: the routed transport's middle, in the kernel proper.

Elsewhere the kernel makes a channel and is not on its way. Here every message passes through it, as
in a kernel that hands all messages over itself: two more switches each way. Bulk is granted between
the two ends, as ever: the kernel moves what says where it lies.
"""

import os
from typing import Final

from kernels.parcels import close_all
from kernels.pipes import channel_ends
from kernels.switchboard import Switchboard
from kernels.transport import Ends

ROOM: Final = 64 * 1024
"""Bytes moved at a time: what a pipe holds."""


class Relay:
    """Channels whose messages pass through this process.

    Args:
        board: where to wait for them.
    """

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def ends(self) -> Ends:
        """A new channel; see `Transport.ends`."""
        client, (request_source, reply_sink, *boxes) = channel_ends()
        try:
            (reply_source, request_sink, *others), (source, sink, *more) = channel_ends()
        except OSError:
            close_all((*client, request_source, reply_sink, *boxes))
            raise
        close_all((*others, *more))
        _Hop(self._board, request_source, request_sink)
        _Hop(self._board, reply_source, reply_sink)
        return client, (source, sink, *boxes)


class _Hop:
    """One direction of a channel: what is read here is written there."""

    def __init__(self, board: Switchboard, source: int, sink: int) -> None:
        self._board = board
        self._source = source
        self._sink = sink
        self._rest = b""  # read and not yet written: while there is some, no more is read
        self._closed = False
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        board.watch(source, self._read)

    def _read(self) -> None:
        if self._closed:
            return
        try:
            data = os.read(self._source, ROOM)
        except BlockingIOError:
            return
        if not data:
            self._close()
        elif (sent := self._write(data)) < len(data):
            self._rest = data[sent:]
            self._board.unwatch(self._source)
            self._board.watch_room(self._sink, self._go_on)

    def _go_on(self) -> None:
        if not self._closed:
            self._move_rest()

    def _move_rest(self) -> None:
        sent = self._write(self._rest)
        if sent == len(self._rest) and not self._closed:
            self._rest = b""
            self._board.unwatch(self._sink)
            self._board.watch(self._source, self._read)
        else:
            self._rest = self._rest[sent:]

    def _write(self, data: bytes) -> int:
        """How much could be written; if there is no reader any more, that is the end."""
        try:
            return os.write(self._sink, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self._close()
            return len(data)

    def _close(self) -> None:
        self._closed = True
        self._board.unwatch(self._sink if self._rest else self._source)
        close_all((self._source, self._sink))
