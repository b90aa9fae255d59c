"""Doors: where new processes of a user get a connection of their own to the kernel proper."""

import socket
from contextlib import suppress
from functools import partial

from kernels.parcels import close_all, socket_pair, take
from kernels.peers import Credentials, Peer
from kernels.switchboard import Switchboard
from twinos import Region


class Doors:
    """A door for each user's credentials: whoever holds its outside may knock.

    Args:
        board: where to listen to them.
        tally: the table of counts, if messages are counted.
    """

    def __init__(self, board: Switchboard, tally: Region | None) -> None:
        self._board = board
        self._tally = tally
        self._doors: dict[Credentials, tuple[socket.socket, socket.socket]] = {}

    def provisions(self, credentials: Credentials) -> tuple[int, ...]:
        """What such a user's process needs beside its connection: the door, the table of counts."""
        others = () if self._tally is None else (self._tally.descriptor,)
        return (self._outside(credentials), *others)

    def _outside(self, credentials: Credentials) -> int:
        """The outside of the door for processes of a user with these credentials."""
        if credentials not in self._doors:
            self._doors[credentials] = socket_pair()
            inside, _ = self._doors[credentials]
            inside.setblocking(False)
            self._board.watch(inside, partial(self._open, inside, credentials))
        return self._doors[credentials][1].fileno()

    def _open(self, door: socket.socket, credentials: Credentials) -> None:
        """Somebody who holds the door wants a connection: a new process of that user's."""
        try:
            parcel = take(door)
        except (EOFError, BlockingIOError):
            return
        with suppress(OSError):  # no socket: that was nobody
            if parcel.descriptors:
                connection = socket.socket(fileno=parcel.descriptors[0])
                parcel.descriptors.pop(0)
                self._board.admit(Peer(connection, credentials))
        close_all(parcel.descriptors)
