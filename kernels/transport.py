"""Transports: ways in which frames cross between two processes.

A channel has two ends and one request under way at most: a client sends all of a request before it
receives, a server receives all of it before it answers. Who holds an end holds nothing else of the
channel; who is at the other end follows from the channel, never from what a frame says.

A transport is at work in one place: here it says how an end is made, and how one frame is sent and
received. It says the latter twice. `Channel.send` and `receive` know all cases; `Transport.send`
and `receive` are source text for the common one, which `kernels.remote` and `kernels.serving`
compile into each stub and each server's loop, so that the choice of a transport costs a request
nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.bulk import Frame

Ends = tuple[tuple[int, ...], tuple[int, ...]]
"""A new channel: the client's end and the server's, each as descriptors to adopt."""


class Channel(ABC):
    """One end of a channel.

    Attributes:
        life: which incarnation of the server is at the other end, counted from 1.
        hangup: a descriptor on which `poll` tells that the other end is closed.
        hot: what a transport's source text needs of this end: a tuple, this channel the last of it.
        number: of a client's end to a server whose state survives: which channel it is. 0: none.
        messages: how many messages to be recorded went that way.
        about_to_block: called before this end may have to wait for the other in the middle of a
            message. A transport that is not `pollable` need not call it.
    """

    life: int
    number: int = 0
    messages: int = 0
    hangup: int
    hot: tuple[Any, ...]
    about_to_block: Callable[[], None]

    @abstractmethod
    def send(self, message: Frame) -> None:
        """Send one frame, however long it is.

        Raises:
            BrokenPipeError: the other end is closed.
        """

    @abstractmethod
    def receive(self, room: int) -> Frame:
        """The next frame, waited for; `room` is how many bytes to expect of it.

        Raises:
            EOFError: the other end is closed.
            MalformedFrameError: what came is no frame.
        """

    @abstractmethod
    def complete(self, start: bytes) -> Frame:
        """The frame that begins with `start`, which `Transport.receive` has taken."""

    @abstractmethod
    def close(self) -> None:
        """Let go of this end; whoever is at the other one notices."""


@dataclass(frozen=True, slots=True)
class Transport:
    """A way in which frames cross.

    Attributes:
        name: as `boot` calls it.
        unusable: says why it does not work on this host; empty: it does.
        ends: makes a channel, for the kernel proper. Raises OSError.
        adopt: makes an end of its descriptors, which are its own from then on, for a life. Raises
            OSError: EMFILE, some did not arrive, or the host has no room; all that did are closed.
        hot: as which local names the source texts know the parts of `Channel.hot`.
        send: source that sends the bytes `{message}`, of less than `LARGE` and a header.
        receive: source that waits and sets `{start}` to the first part of a frame, if not all of
            it; `{room}` is how many bytes to expect.
        names: whatever else these two use.
        pollable: whether `poll` on a channel's `hangup` tells that there is something to receive.
        routed: whether every message passes through the kernel proper, which then makes the ends
            another way: see `kernels.relay`.
    """

    name: str
    unusable: Callable[[], str]
    ends: Callable[[], Ends]
    adopt: Callable[[Sequence[int], int], Channel]
    hot: str
    send: str
    receive: str
    names: Mapping[str, Any]
    pollable: bool = False
    routed: bool = False
