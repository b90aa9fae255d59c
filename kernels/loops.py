"""Loops: what takes requests from a channel, and has them answered (`kernels.serving`).

They are compiled, with the transport's way of sending and receiving in them.
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent
from typing import Any, Final, NamedTuple, NoReturn

from kernels.bulk import Frame
from kernels.frames import SIZE, SMALL
from kernels.recorded import Recorded
from kernels.serving import Operations, Way, others, roads
from kernels.source import function
from kernels.transport import Channel, Transport


class Served(NamedTuple):
    """A channel, and what answers there.

    Attributes:
        transport: the channel's.
        channel: where the requests come from.
        operations: the service's, by number, each with what makes the source that carries it
            out, with something before and after it: it sets `result`, as `Space.passage` does. It
            is made when it is first asked for: most channels carry few operations, and many don't
            last.
        said: what the client says is recorded there; None: it is not.
    """

    transport: Transport
    channel: Channel
    operations: Operations
    said: Recorded | None = None

    def roads(self, made: list[Way] | None = None) -> list[Way]:
        """What answers requests, by the number of the operation; see `serving.roads`."""
        return roads(self.channel, self.operations, self.said, made)

    def names(self) -> dict[str, Any]:
        """What the compiled text uses."""
        more = others(self.channel, self.operations, self.said)
        return {"_IndexError": IndexError, "_others": more, **self.transport.names}


class Recalled(BaseException):
    """Raised by `serve` when it has been recalled, and a request has come.

    Args:
        request: which is still to be answered, as far as it has been received.
    """

    def __init__(self, request: Frame) -> None:
        super().__init__()
        self.request = request


def serve(served: Served, handlers: list[Way] | None = None) -> None:
    """Answer one request after the other, until an exception says why not.

    Args:
        served: where.
        handlers: its roads, for who may want to `recall` this.
    """
    transport = served.transport
    receive = transport.receive.format(start="request", room="room")
    answer = _ANSWER.format(room="room", handlers="handlers")
    text = _LOOP.format(
        hot=transport.hot,
        receive=indent(receive, "    ").lstrip(),
        answer=indent(answer, "    ").strip(),
        send=indent(transport.send.format(message="reply"), "        ").lstrip(),
    )
    loop = function("serve", ["hot", "handlers"], text, served.names(), kind="loop")
    loop(served.channel.hot, served.roads() if handlers is None else handlers)


def recall(handlers: list[Way]) -> None:
    """Have who serves with these handlers stop at the next request; bundles are still served."""

    def refuse(request: Frame) -> NoReturn:
        raise Recalled(request)

    handlers[:] = [(refuse, room, refuse) for _, room, _ in handlers]


def answer(served: Served, request: Frame) -> None:
    """Answer a request that has been received, or its beginning."""
    _, _, handler = served.roads()[request[SIZE - 1]]
    reply = handler(request)
    if reply:
        served.channel.send(reply)


def stepping(served: Served) -> Callable[[], None]:
    """What answers one request, which has come; for the rest see `serve`."""
    transport, room = served.transport, "_room[0]"
    names = {
        "_handlers": served.roads(),
        "_hot": served.channel.hot,
        "_room": [SMALL],
        **served.names(),
    }
    text = _STEP.format(
        hot=transport.hot,
        receive=transport.receive.format(start="request", room=room),
        answer=_ANSWER.format(room=room, handlers="_handlers"),
        send=indent(transport.send.format(message="reply"), "    ").lstrip(),
    )
    return function("step", [], text, names, kind="loop")


_ANSWER: Final = f"""\
try:
    handler, {{room}}, _ = {{handlers}}[request[{SIZE - 1}]]
except _IndexError:
    request = channel.complete(request)
    number = request[{SIZE - 1}]
    _, {{room}}, handler = _others.get(number) or {{handlers}}[number]
reply = handler(request)
"""

_LOOP: Final = f"""\
{{hot}} = hot
room = {SMALL}
while True:
    {{receive}}
    {{answer}}
    if reply:
        {{send}}"""

_STEP: Final = """\
{hot} = _hot
{receive}
{answer}
if reply:
    {send}"""
