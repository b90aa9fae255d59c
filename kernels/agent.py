"""An agent: one process's dealings with the kernel proper.

User programs and servers alike ask it for channels, and get what they are entitled to.
"""

import errno
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from kernels import control
from kernels.control import (
    ANSWERS,
    Ask,
    Connect,
    Granted,
    Inquest,
    Refused,
    Share,
    Verdict,
    post,
    take,
)
from kernels.counters import Counters
from kernels.forks import running
from kernels.pipes import Channel, Frame, Line
from kernels.remote import remote_binder
from twinos import Bind, BootError, Caller, KernelPanic, Region, ServerDied, Service
from twinos.errors import put_together

GONE: Final = "the kernel's process is gone"


class Agent:
    """Asks the kernel proper, on behalf of the callers that live in this process.

    Args:
        connection: the socket on which to ask. The agent owns it.

    Attributes:
        counters: where lines made from now on count messages; None: they don't.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.counters: Counters | None = None
        self._connection = connection
        self._lock = threading.Lock()
        self._asked = 0
        self._lines: dict[tuple[str, int], Line] = {}
        running.add(self)

    def ask(self, message: Ask) -> tuple[Granted | Verdict, list[int]]:
        """Ask, and wait for the answer and the descriptors that come with it.

        Raises:
            OSError: the kernel refuses.
            BootError: a server could not start.
            KernelPanic: the kernel's process is gone.
        """
        with self._lock:
            self._asked += 1
            number = self._asked
            try:
                post(self._connection, message, number=number)
                parcel = take(self._connection)
                while parcel.number != number:  # the answer to a question that was interrupted
                    _discard(parcel)
                    parcel = take(self._connection)
            except (EOFError, OSError):
                raise KernelPanic(GONE) from None
        answer = ANSWERS.decode(parcel.message)
        if isinstance(answer, Refused):
            raise BootError(answer.sentence) if answer.error is None else put_together(answer.error)
        return answer, parcel.descriptors

    def tell(self, message: Ask) -> None:
        """Say something that needs no answer."""
        with suppress(OSError):
            post(self._connection, message)

    def binder(self, service: type[Service], caller: Caller) -> Bind:
        """Deliver the requests of `caller` to `service` by messages."""
        return remote_binder(self._line(service.__name__, caller.id))

    def region(self, service: str, name: str) -> Region:
        """A grant of a service's region, or of the kernel's own."""
        _, descriptors = self.ask(Share(service, name))
        return Region(descriptors[0])

    def forget(self, caller: Caller) -> None:
        """Close the channels of a caller that asks no more."""
        for key in [key for key in self._lines if key[1] == caller.id]:
            self._lines.pop(key).close()

    def close(self) -> None:
        """Close every channel and the connection: to the kernel, this process has left."""
        for line in self._lines.values():
            line.close()
        self._lines.clear()
        self._connection.close()

    def abandon(self) -> None:
        """Close what a child process inherited; see `kernels.forks`."""
        self._lock = threading.Lock()
        self.close()

    def _line(self, service: str, caller: int) -> Line:
        line = self._lines.get((service, caller))
        if line is None:
            connect, lost = partial(self._connect, service, caller), partial(self._lost, service)
            line = Line(connect, lost)
            if self.counters is not None:
                line = _CountedLine(connect, lost, self.counters)
            self._lines[service, caller] = line
        return line

    def _connect(self, service: str, caller: int) -> Channel:
        answer, descriptors = self.ask(Connect(caller, service))
        source, sink = descriptors
        return Channel(source, sink, answer.life if isinstance(answer, Granted) else 0)

    def _lost(self, service: str, channel: Channel) -> OSError:
        answer, _ = self.ask(Inquest(service, channel.life))
        sentence = answer.sentence if isinstance(answer, Verdict) else ""
        return ServerDied(errno.ECONNRESET, f"{service} {sentence}")


class _CountedLine(Line):
    """A line that counts what it carries."""

    def __init__(
        self,
        connect: Callable[[], Channel],
        lost: Callable[[Channel], OSError],
        counters: Counters,
    ) -> None:
        super().__init__(connect, lost)
        self._counters = counters

    def exchange(self, request: bytes, room: int) -> Frame:
        reply = super().exchange(request, room)
        self._counters.add(messages=2, size=len(request) + len(reply))
        return reply


def _discard(parcel: control.Parcel) -> None:
    for descriptor in parcel.descriptors:
        socket.close(descriptor)
