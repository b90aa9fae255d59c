"""Channels to play with: of one's own, or to a server under the eyes of no stub."""

from kernels import System
from kernels.agent import Agent
from kernels.microkernel import Remote
from kernels.pipes import Channel, channel_ends


def channel_pair() -> tuple[Channel, Channel]:
    """Both ends of a new channel, the client's first."""
    ours, theirs = channel_ends()
    return Channel.adopt(ours), Channel.adopt(theirs)


def agent(system: System) -> Agent:
    kernel = system._kernel
    assert isinstance(kernel, Remote)
    return kernel._agent


def channel(system: System, service: str = "Echo") -> Channel:
    """A channel of the owner's to a service."""
    return agent(system)._connect(service, system.caller)
