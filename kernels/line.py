"""Lines: a client's ways to services."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from kernels.bulk import Bulk, Frame
from kernels.frames import MalformedFrameError
from kernels.resume import take_up
from kernels.transport import Channel, Transport
from twinos import ServerDied

Exchange = Callable[[bytes | Bulk, int], Frame]
"""Sends a request and waits for its reply; the number is how many bytes to expect of it.

Raises:
    ServerDied: the server is gone, whether or not it had carried out the request.
"""


LIVES: Final = 16
"""Lives of a server after which a request is not sent again, whoever ended them, if `PATIENCE` is
at its end, too."""
PATIENCE: Final = 60.0
"""Seconds."""
FAULTS: Final = 4
"""Lives after which it is not, if they ended by the server's own fault."""


class Hope:
    """Whether a request whose server has died is to be sent again."""

    def __init__(self) -> None:
        self._lives = self._faults = 0
        self._began = 0.0

    def after(self, error: BaseException, *, needs_state: bool) -> bool:
        """Whether it is after this one; only to a server that has its state, if it needs that."""
        if not isinstance(error, ServerDied):
            return False
        if needs_state and not (error.restarted and error.survived):
            return False
        self._lives += 1
        self._faults += error.fault
        now = time.monotonic()
        self._began = self._began or now
        is_early = self._lives < LIVES or now < self._began + PATIENCE
        return is_early and self._faults < FAULTS


class Line:
    """A client's way to one service: its idle channels, and how to get another.

    Threads share a line; each request takes a channel of its own, so none waits for another. Taking
    from and giving to the list are atomic: no lock.

    Args:
        transport: of the channels.
        connect: asks the kernel for a new channel.
        lost: called when a channel broke in the middle of a request; returns what to raise.

    Attributes:
        idle: the `hot` parts of channels that nobody uses now.
        retired: why there are no more requests; empty as long as there may be.
    """

    def __init__(
        self,
        transport: Transport,
        connect: Callable[[], Channel],
        lost: Callable[[Channel], OSError],
    ) -> None:
        self.transport: Final = transport
        self._connect = connect
        self._lost = lost
        self.idle: Final[list[tuple[Any, ...]]] = []
        self.retired: Final[list[Callable[[], Exception]]] = []

    def exchange(self, request: bytes | Bulk, room: int) -> Frame:
        """Send a request and wait for its reply; see `Exchange`.

        `kernels.remote` has this in source text, for the common case.
        """
        try:
            hot = self.idle.pop()
        except IndexError:
            hot = self.open()
        channel: Channel = hot[-1]
        try:
            channel.send(request)
            reply = channel.receive(room)
        except BaseException as error:  # noqa: BLE001 (all of them cost the channel)
            raise self.broken(channel, error) from None
        self.idle.append(hot)
        if self.retired:
            self.close()
        return reply

    def exchange_once(self, request: bytes | Bulk, room: int) -> Frame:
        """As `exchange`, but carried out once, whether its server dies or not.

        If the service's state does not survive here, it is `exchange`.
        """
        try:
            hot = self.idle.pop()
        except IndexError:
            hot = self.open()
        channel: Channel = hot[-1]
        channel.messages += 1
        try:
            channel.send(request)
            reply = channel.receive(room)
        except BaseException as error:  # noqa: BLE001 (all of them cost the channel)
            return self.go_on(channel, error, request, room)
        self._give_back(channel)
        return reply

    def go_on(
        self, channel: Channel, error: BaseException, request: bytes | Bulk, room: int
    ) -> Frame:
        """The reply to a recorded request on whose way a channel broke, by way of another one."""
        said = channel.number, channel.messages
        hope = Hope()
        while True:
            raised = self.broken(channel, error)
            if not hope.after(raised, needs_state=True):
                raise raised from None
            channel = self.open()[-1]
            try:
                reply = take_up(channel, said, request, room)
            except BaseException as again:  # noqa: BLE001 (as before)
                error = again
            else:
                self._give_back(channel)
                return reply

    def _give_back(self, channel: Channel) -> None:
        self.idle.append(channel.hot)
        if self.retired:
            self.close()

    def open(self) -> tuple[Any, ...]:
        """A new channel's `hot`."""
        for make in self.retired:
            raise make()
        return self._connect().hot

    def broken(self, channel: Channel, error: BaseException) -> BaseException:
        """What to raise for a request that did not come to its end."""
        channel.close()  # a reply may still come: nobody must take it for another's
        if isinstance(error, BrokenPipeError | EOFError | MalformedFrameError):
            self.close()
            return self._lost(channel)
        return error

    def retire(self, reason: Callable[[], Exception]) -> None:
        """Close the channels, those in use when their requests end; `reason` makes what to raise.

        For a caller that has left.
        """
        self.retired.append(reason)
        self.close()

    def close(self) -> None:
        """Close the idle channels; the next request asks for a new one."""
        with suppress(IndexError):  # another thread may take the last one
            while True:
                self.idle.pop()[-1].close()
