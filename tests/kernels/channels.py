"""Channels to play with: of one's own, or to a server under the eyes of no stub."""

from typing import overload

from kernels import System
from kernels.agent import Agent
from kernels.microkernel import Remote
from kernels.pipes import PipeChannel
from kernels.transport import Channel
from kernels.transports import TRANSPORTS


@overload
def channel_pair() -> tuple[PipeChannel, PipeChannel]: ...
@overload
def channel_pair(transport: str) -> tuple[Channel, Channel]: ...
def channel_pair(transport: str = "pipe") -> tuple[Channel, Channel]:
    """Both ends of a new channel, the client's first."""
    ours, theirs = TRANSPORTS[transport].ends()
    return TRANSPORTS[transport].adopt(ours, 0), TRANSPORTS[transport].adopt(theirs, 0)


def agent(system: System) -> Agent:
    kernel = system._kernel
    assert isinstance(kernel, Remote)
    return kernel._agent


def channel(system: System, service: str = "Echo") -> PipeChannel:
    """A channel of the owner's to a service."""
    connected = agent(system)._connect(service, system.caller)
    assert isinstance(connected, PipeChannel)
    return connected
