"""Serving a channel: the server's half of `kernels.remote`.

Each operation gets a handler: a request, its arguments, the operation, a reply (`kernels.road`).
What calls it is in `kernels.loops`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final

from kernels import probe
from kernels.arrivals import counted
from kernels.bulk import Frame, payload_of
from kernels.bundle import Gathered
from kernels.frames import BUNDLE, LARGE, RESUME, SIZE, frames_in
from kernels.probe import Place
from kernels.recorded import Recorded
from kernels.road import Handler, Road
from kernels.source import Piece
from kernels.transport import Channel
from twinos import Op

Operations = Sequence[tuple[Op, Callable[..., Piece]]]


Way = tuple[Handler, int, Handler]
"""The straight way of one operation, how many bytes to expect of its request, the way for any."""


def roads(
    channel: Channel,
    operations: Operations,
    said: Recorded | None = None,
    made: list[Way] | None = None,
) -> list[Way]:
    """What answers the requests that come by a channel, by the number of the operation.

    Args:
        channel: where they come from.
        operations: those that there are.
        said: what the client says is recorded there.
        made: the list to put them in: they are to be called from that one, and from no copy, for
            each takes its place there when it is first asked for.
    """
    made = [] if made is None else made
    made += [
        _at_first(made, number, Road(channel, *op, said)) for number, op in enumerate(operations)
    ]
    return made


def _at_first(roads: list[Way], number: int, road: Road) -> Way:
    """What stands for an operation until it is asked for, and then makes its handlers."""

    def made() -> Way:
        found = (_watched(road.handler()), road.room, _watched(road.at_length))
        if roads[number] is first:  # and this has not been recalled
            roads[number] = found
        return found

    def straight(request: Frame) -> bytes | None:
        return made()[0](request)

    def at_length(request: Frame) -> bytes | None:
        return made()[2](request)

    first = (straight, road.room, at_length)
    return first


def others(channel: Channel, operations: Operations, said: Recorded | None) -> dict[int, Way]:
    """What answers what is no request of one operation, by its number."""
    found: dict[int, Way] = {BUNDLE: Bundles(channel, operations, said).road}
    if said is not None:
        straight, room, at_length = said.road
        found[RESUME] = (counted(straight), room, counted(at_length))
    return found


def _watched(handler: Handler) -> Handler:
    return counted(probe.around(Place.ARRIVED, Place.ANSWERED, handler))


class Bundles:
    """All operations on one channel, for requests that come several in a message.

    Attributes:
        road: as for one operation: a handler, how many bytes to expect, and the way for any length.
    """

    def __init__(self, channel: Channel, operations: Operations, said: Recorded | None) -> None:
        self._channel = channel
        self._said = said
        self._operations = operations
        self._replies = Gathered()
        answer = counted(self.answer)
        self.road: Final = (answer, LARGE, answer)

    @cached_property
    def _handlers(self) -> list[Handler]:
        return [
            Road(self._replies, *each, self._said, bundled=True).handler()
            for each in self._operations
        ]

    @cached_property
    def _recorded(self) -> frozenset[int]:
        """The numbers of those operations that are recorded."""
        recorded = [bool(self._said and not each.repeatable) for each, _ in self._operations]
        return frozenset(number for number, is_so in enumerate(recorded) if is_so)

    def answer(self, bundle: Frame) -> None:
        """Answer one request after the other, and all of them together."""
        handlers = self._handlers
        requests = frames_in(payload_of(bundle))
        if self._said and not self._recorded.isdisjoint([each[SIZE - 1] for each in requests]):
            replies = self._answer_recorded(self._said, requests)
        else:
            replies = [handlers[request[SIZE - 1]](request) for request in requests]
        self._channel.send(self._replies.whole(replies))

    def _answer_recorded(self, said: Recorded, requests: list[bytes]) -> list[bytes | None]:
        """The same; what becomes of each is remembered until the next message."""
        replies = []
        said.begin_bundle()
        for request in requests:
            remembered = said.remembered
            reply = self._handlers[request[SIZE - 1]](request)
            replies.append(reply)
            if said.remembered == remembered:
                said.remember(reply or self._replies.last)
        return replies


def ask(entry: Callable[..., Any], operation: Op) -> Piece:
    """The source that has `entry` called for an operation's result."""
    passed = ", ".join(parameter.name for parameter in operation.parameters)
    return Piece(f"result = _entry({passed})\n", {"_entry": entry})
