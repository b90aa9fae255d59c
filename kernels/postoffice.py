"""The post office: the kernel proper's side of MINIX's primitives.

Each mailbox has a socket here, by which its primitives come and its outcomes go: the kernel hands
every message from its sender to its receiver itself, and knows from the socket whose it is.
"""

import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

from kernels.mail import say_circle
from kernels.parcels import close_all, post, socket_pair, take
from kernels.party import Party
from kernels.rendezvous import Rendezvous
from kernels.switchboard import Switchboard
from twinos import Caller
from twinos.codec import MalformedMessage
from twinos.letters import PRIMITIVES, Outcomes
from twinos.message import HARDWARE, Endpoint
from twinos.wiring import Services, may_talk


@dataclass(eq=False)
class _Box:
    """A mailbox: who it is, and the kernel's ends of its sockets."""

    party: Party
    connections: list[socket.socket] = field(default_factory=list)


class PostOffice:
    """All mailboxes of a system.

    Args:
        board: where to wait for what they ask.
        order: the services of the system, which say who may talk to whom.
    """

    def __init__(self, board: Switchboard, order: Services) -> None:
        self._board = board
        self._rendezvous = Rendezvous(partial(may_talk, order), say_circle)
        self._boxes: list[_Box] = []

    def open(
        self, caller: Caller, name: str, sockets: int, *, driver: bool = False
    ) -> tuple[Endpoint, list[int]]:
        """A new mailbox: its endpoint, and as descriptors the other ends of its sockets.

        Args:
            caller: whose it is.
            name: by which it can be looked up; empty: it can't.
            sockets: how many.
            driver: it is for interrupts alone, and nobody's partner.

        Raises:
            OSError: see `Parties.enter`; or the host has no room for it.
        """
        with ExitStack() as undo:
            pairs = [socket_pair() for _ in range(sockets)]
            for ours, theirs in pairs:
                undo.callback(ours.close)
                undo.callback(theirs.close)
            machine = self._rendezvous
            box = _Box(machine.enter_driver(caller) if driver else machine.enter(name, caller))
            undo.pop_all()
        self._boxes.append(box)
        for ours, _ in pairs:
            ours.setblocking(False)
            box.connections.append(ours)
            self._board.watch(ours, partial(self._hear, box, ours))
        return box.party.endpoint, [theirs.detach() for _, theirs in pairs]

    def interrupt(self, driver: Caller) -> None:
        """Notify a driver that its device has raised its line; one that is not there hears nothing.

        What a driver is notified at is the mailbox without an endpoint.
        """
        for box in self._boxes:
            if box.party.caller == driver and box.party.endpoint == HARDWARE:
                self._rendezvous.interrupt(box.party)

    def close_those_of(self, caller: Caller) -> None:
        """A caller is gone, with all of its mailboxes."""
        for box in [box for box in self._boxes if box.party.caller == caller]:
            self._close(box)

    def _hear(self, box: _Box, connection: socket.socket) -> None:
        try:
            parcel = take(connection)
            close_all(parcel.descriptors)
            primitive = PRIMITIVES(parcel.message)
        except BlockingIOError:
            return
        except (EOFError, MalformedMessage):
            self._close(box)
            return
        self._rendezvous.ask(box.party, primitive, partial(_tell, connection, parcel.number))

    def _close(self, box: _Box) -> None:
        if box in self._boxes:
            self._boxes.remove(box)
            self._rendezvous.leave(box.party)
            for connection in box.connections:
                self._board.unwatch(connection)
                connection.close()


def _tell(connection: socket.socket, number: int, outcome: Outcomes) -> None:
    """Answer a primitive. Who is gone, or reads nothing, loses what it was to get."""
    with suppress(OSError):
        post(connection, outcome, number=number)
