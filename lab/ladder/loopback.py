"""Rungs that no kernel has: the same stub and the same handler, without a second process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from kernels.bulk import Frame
from kernels.line import Line
from kernels.loops import Served, serve
from kernels.pipes import PIPE, PipeChannel
from kernels.remote import deliver
from kernels.serving import Operations, ask, roads
from kernels.transport import Channel, Transport
from lab.ladder.parrot import Parrot
from twinos import operations

Say = Callable[[bytes], Any]

SAY = operations(Parrot)["say"]


class _Loopback(Channel):
    """Both ends of a channel: what is sent is answered at once, by the one who sent it."""

    def __init__(self, services: Operations) -> None:
        self.life, self.hangup = 1, -1
        self._reply: Frame | None = None
        self._roads = roads(self, services)
        self.hot = (self.answer, self)

    def answer(self, request: bytes) -> bytes | None:
        """The reply to a request, by the server's own handler."""
        handler, _, _ = self._roads[request[4]]
        return handler(request)

    def send(self, message: Frame) -> None:
        """Keep a reply; a large request is none of this rung's."""
        self._reply = message

    def receive(self, room: int) -> Frame:
        """Not asked."""
        raise NotImplementedError

    def complete(self, start: bytes) -> Frame:
        """The reply that was kept: it was too large to be handed over."""
        kept, self._reply = self._reply, None
        return start if kept is None else kept

    def close(self) -> None:
        """Nothing is open."""


_LOOPBACK = replace(
    PIPE,
    name="loopback",
    hot="answer, channel",
    send="reply = answer({message}) or b''",
    receive="",
)


def encoded() -> Say:
    """The stub, the codec and the handler of the microkernel; no switch, no thread."""
    channel = _Loopback([(SAY, partial(ask, Parrot().say, SAY))])
    say: Say = deliver(Line(_LOOPBACK, lambda: channel, _lost), SAY)
    return say


@contextmanager
def thread() -> Iterator[Say]:
    """The same over the pipe transport, to a thread of this process."""
    ours, theirs = (PipeChannel.adopt(end) for end in PIPE.ends())
    line = Line(PIPE, lambda: ours, _lost)
    line.idle.append(ours.hot)  # so that it is closed though nobody has asked anything
    server = threading.Thread(target=_serve, args=(PIPE, theirs))
    server.start()
    try:
        yield deliver(line, SAY)
    finally:
        line.close()
        server.join()
        theirs.close()


def _serve(transport: Transport, channel: Channel) -> None:
    try:
        serve(Served(transport, channel, [(SAY, partial(ask, Parrot().say, SAY))]))
    except EOFError:
        return


def _lost(_: Channel) -> OSError:
    return ConnectionResetError("the other end is gone")
