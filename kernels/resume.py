"""Resuming: a client goes on with its conversation at a server that was started again.

    request: a frame with the code `RESUME`; its payload is u64 the number of the channel on which
             the conversation began, u64 the number of the message that was cut short, u64 0
    reply:   the replies' frames that are remembered to that message; or an error: it is fatal

What is remembered was done. If nothing is, the message is sent again. If part of a bundle is, the
client says the same with u64 1, and then sends the rest of it.
"""

import struct
from collections.abc import Callable
from typing import Final

from kernels.bulk import Bulk, Frame, payload_of
from kernels.frames import (
    BUNDLE,
    LARGE,
    OK,
    RESUME,
    SIZE,
    MalformedFrameError,
    frame,
    frames_in,
    together,
)
from kernels.transport import Channel

PLACE: Final = struct.Struct("<QQQ")

Said = tuple[int, int]
"""A message: the number of the channel on which its conversation began, and its own."""


def take_up(channel: Channel, said: Said, request: bytes | Bulk, room: int) -> Frame:
    """The reply to a message that an earlier channel carried, as `said`, when its server died."""
    channel.send(frame(RESUME, PLACE.pack(*said, 0)))
    answer = channel.receive(LARGE)
    if answer[SIZE - 1] != OK:
        return answer
    channel.number, channel.messages = said
    payload = bytes(payload_of(answer))
    known = frames_in(payload) if payload else []
    if not known:
        channel.send(request)
        return channel.receive(room)
    if request[SIZE - 1] != BUNDLE:
        return known[0]
    rest = frames_in(payload_of(request))[len(known) :]
    if rest:
        channel.send(frame(RESUME, PLACE.pack(*said, 1)))
        channel.receive(LARGE)
        channel.send(gathered(BUNDLE, rest))
        answer = channel.receive(room)
        if answer[SIZE - 1] != OK:
            raise MalformedFrameError("a bundle that failed as a whole")
        known += frames_in(payload_of(answer))
    return frame(OK, together(known))


def gathered(code: int, frames: list[bytes]) -> bytes | Bulk:
    """Several frames as the payload of one."""
    payload = together(frames) if frames else b""
    return frame(code, payload) if len(payload) < LARGE else Bulk(code, payload)


def resuming(resume: Callable[[int, int, int], bytes | Bulk]) -> Callable[[Frame], bytes | Bulk]:
    """What answers such a request by what `resume` returns.

    Raises:
        MalformedFrameError: that was none.
    """

    def answer(request: Frame) -> bytes | Bulk:
        payload = bytes(payload_of(request))
        if len(payload) != PLACE.size:
            raise MalformedFrameError("a conversation without a place")
        return resume(*PLACE.unpack(payload))

    return answer
