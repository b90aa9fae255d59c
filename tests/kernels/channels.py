"""Channels to play with: of one's own, or to a server under the eyes of no stub."""

import os
import socket
from collections.abc import Callable
from typing import NoReturn, overload

from kernels import System
from kernels.agent import Agent
from kernels.launch import close_all_but
from kernels.microkernel import Remote
from kernels.parcels import close_all
from kernels.pipes import DESCRIPTORS, PipeChannel
from kernels.relay import Relay
from kernels.switchboard import Switchboard
from kernels.transport import Channel, Ends
from kernels.transports import TRANSPORTS


@overload
def channel_pair() -> tuple[PipeChannel, PipeChannel]: ...
@overload
def channel_pair(transport: str) -> tuple[Channel, Channel]: ...
def channel_pair(transport: str = "pipe") -> tuple[Channel, Channel]:
    """Both ends of a new channel, the client's first."""
    routed = TRANSPORTS[transport].routed
    ours, theirs = routed_ends() if routed else TRANSPORTS[transport].ends()
    return TRANSPORTS[transport].adopt(ours, 0), TRANSPORTS[transport].adopt(theirs, 0)


def routed_ends(begin: Callable[[], object] = lambda: None) -> Ends:
    """A new channel whose messages pass through a child, which does nothing else and ends with it.

    Whoever asks for one reaps that. It calls `begin` when the channel is made.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        close_all_but({theirs.fileno()})
        _relay(theirs, begin)
    with ours, theirs:
        _, found, _, _ = socket.recv_fds(ours, 1, 2 * DESCRIPTORS)
    return tuple(found[:DESCRIPTORS]), tuple(found[DESCRIPTORS:])


def _relay(connection: socket.socket, begin: Callable[[], object]) -> NoReturn:
    board = Switchboard(lambda *_: None, lambda _: None)
    client, server = Relay(board).ends()
    socket.send_fds(connection, [b"\0"], [*client, *server])
    close_all((*client, *server, connection.detach()))
    begin()
    while board._selector.get_map():
        board.turn()
    os._exit(0)


def agent(system: System) -> Agent:
    kernel = system._kernel
    assert isinstance(kernel, Remote)
    return kernel._agent


def channel(system: System, service: str = "Echo") -> PipeChannel:
    """A channel of the owner's to a service."""
    connected = agent(system)._connect(service, system.caller)
    assert isinstance(connected, PipeChannel)
    return connected
