"""Channels to play with: of one's own, or to a server under the eyes of no stub."""

from kernels import System
from kernels.agent import Agent
from kernels.microkernel import Remote
from kernels.pipes import PIPE, PipeChannel


def channel_pair() -> tuple[PipeChannel, PipeChannel]:
    """Both ends of a new channel, the client's first."""
    ours, theirs = PIPE.ends()
    return PipeChannel.adopt(ours), PipeChannel.adopt(theirs)


def agent(system: System) -> Agent:
    kernel = system._kernel
    assert isinstance(kernel, Remote)
    return kernel._agent


def channel(system: System, service: str = "Echo") -> PipeChannel:
    """A channel of the owner's to a service."""
    connected = agent(system)._connect(service, system.caller)
    assert isinstance(connected, PipeChannel)
    return connected
