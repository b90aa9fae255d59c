"""Bundles: several requests in one message, and their replies in another one.

    request: a frame with the code `BUNDLE`; its payload is a list of the requests' frames
    reply:   a frame that says OK; its payload is a list of their replies' frames, in the same order

The requests are carried out one after the other, each through the gate by itself, so a bundle does
not keep other callers out. Each is checked as if it had come alone, its privilege too.
"""

import errno
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from kernels.bulk import Bulk, Frame, payload_of
from kernels.frames import (
    BUNDLE,
    FAILED,
    HEADER,
    LARGE,
    MAX_PAYLOAD,
    MOST,
    OK,
    SIZE,
    Headers,
    MalformedFrameError,
    check_size,
    frame,
    frames_in,
    together,
)
from kernels.line import Exchange, Hope
from kernels.remote import ENCODE, RESULT, codec, finish_reply
from kernels.request import Repeatable, RepeatableThere, Request
from kernels.source import function
from kernels.transport import Channel
from twinos import Bind, Op, ServerDied, fail
from twinos.codec import decoder, encode, error_decoder
from twinos.errors import put_together, take_apart

_MOST_REPLIES: Final = MAX_PAYLOAD // 2
"""Bytes of large replies in one bundle; the small ones are less than the rest."""

_HEAD: Final = 5
"""Bytes that a frame takes in a bundle beside its own."""

_PREPARE: Final = """\
_check(_len(payload))
request = _headers[_len(payload)] + payload
"""


class RemoteCarrier:
    """Carries requests by messages; see `kernels.batch.Carrier`.

    Args:
        exchange: sends a message to the service and returns the reply.
        exchange_once: the same, for what is to be carried out once whatever becomes of its server.
        survives: whether the service's state is to survive.

    Attributes:
        bind: as it comes; the kernel puts privileges and layers around it.
    """

    def __init__(self, exchange: Exchange, exchange_once: Exchange, *, survives: bool) -> None:
        self._exchange = exchange
        self._exchange_once = exchange_once
        self._survives = survives
        self.bind: Bind = self._bind

    def _bind(self, operation: Op) -> Callable[..., Request[Any]]:
        """What encodes a request, and decodes its reply when the result is asked for."""
        parameters = [parameter.name for parameter in operation.parameters]
        names = codec(operation.result) | {
            "_headers": Headers(operation.number),
            "_request": frame(operation.number, b""),
            "_check": check_size,
            "_Request": self._kind(operation),
            "_carrier": self,
            "_unpack": _unpacker(operation),
        }
        text = ENCODE.format(value=f"({', '.join(parameters)},)") + _PREPARE if parameters else ""
        made = "request" if parameters else "_request"
        text += f"return _Request(_carrier, {made}, _unpack)"
        return function(operation.name, parameters, text, names, kind="bundled")

    def _kind(self, operation: Op) -> type[Request[Any]]:
        if operation.idempotent:
            return Repeatable
        return RepeatableThere if self._survives and operation.repeatable else Request

    def carry(self, requests: Sequence[Request[Any]]) -> None:
        """Carry them in as few messages as may be."""
        contents = [request.content for request in requests]
        count = len(contents)
        if count <= MOST and sum(map(len, contents)) + count * _HEAD <= MAX_PAYLOAD:
            self._carry(requests, contents)
            return
        size = 0
        start = 0
        for end, content in enumerate(contents):
            size += len(content) + _HEAD
            if size > MAX_PAYLOAD or end - start == MOST:
                self._carry(requests[start:end], contents[start:end])
                start, size = end, len(content) + _HEAD
        self._carry(requests[start:], contents[start:])

    def _carry(
        self, requests: Sequence[Request[Any]], contents: list[bytes], hope: Hope | None = None
    ) -> None:
        payload = together(contents)
        try:
            message = frame(BUNDLE, payload) if len(payload) < LARGE else Bulk(BUNDLE, payload)
            once = self._survives and not all(isinstance(each, Repeatable) for each in requests)
            exchange = self._exchange_once if once else self._exchange
            replies = _replies(exchange(message, LARGE), len(requests))
        except Exception as error:  # noqa: BLE001 (it is raised where the results are asked for)
            hope = hope or Hope()
            lost = hope.after(error, needs_state=False)
            here = isinstance(error, ServerDied) and error.restarted and error.survived
            repeatable = [
                each
                for each in requests
                if lost and isinstance(each, Repeatable) and (here or not each.needs_state)
            ]
            for request in requests:
                if request not in repeatable:
                    request.fail(error)
            if repeatable:
                self._carry(repeatable, [each.content for each in repeatable], hope)
        else:
            for request, reply in zip(requests, replies, strict=True):
                request.brought = reply


def _unpacker(operation: Op) -> Callable[[Frame], Any]:
    """What makes the result of a reply's frame, or raises its error."""
    names = codec(operation.result) | {
        "_finish": partial(finish_reply, operation, decoder(operation.result)),
    }
    text = f"if reply == _done: return None\nwhole = reply[{SIZE - 1}] == {OK}\n{RESULT}"
    return function(operation.name, ["reply"], text, names, kind="unbundled")


def _replies(reply: Frame, count: int) -> list[bytes]:
    """The replies to so many requests.

    Raises:
        OSError: what the whole message failed with; EPROTO, it holds something else.
    """
    if reply[SIZE - 1] != OK:
        raise put_together(error_decoder(payload_of(reply)))
    try:
        replies = frames_in(payload_of(reply))
    except MalformedFrameError:
        replies = []
    if len(replies) != count:
        raise OSError(errno.EPROTO, f"{len(replies)} replies to {count} requests")
    return replies


class Gathered(Channel):
    """Where those replies to a bundle's requests are sent that a handler does not hand over."""

    def __init__(self) -> None:
        self._sent: list[bytes] = []
        self._size = 0

    def send(self, message: Frame) -> None:
        """Add one reply, or, if the bundle's reply gets too large, that it is: EMSGSIZE."""
        reply = in_one_piece(message) if isinstance(message, Bulk) else bytes(message)
        self._size += len(reply)
        if self._size > _MOST_REPLIES:
            reply = frame(FAILED, encode(take_apart(fail(errno.EMSGSIZE))))
        self._sent.append(reply)

    @property
    def last(self) -> bytes:
        """The reply that was sent last."""
        return self._sent[-1]

    def whole(self, replies: list[bytes | None]) -> bytes | Bulk:
        """The reply to the bundle: the replies to its requests; None: it was sent."""
        if self._sent:
            sent = iter(self._sent)
            replies = [reply or next(sent) for reply in replies]
            self._sent.clear()
            self._size = 0
        payload = together(replies)
        return frame(OK, payload) if len(payload) < LARGE else Bulk(OK, payload)

    def receive(self, room: int) -> Frame:
        """Nothing comes from here."""
        raise NotImplementedError

    def complete(self, start: bytes) -> Frame:
        """A bundle's requests are all here."""
        if HEADER.unpack_from(start)[0] != len(start) - SIZE:
            raise MalformedFrameError("a request of another size than it says")
        return start

    def close(self) -> None:
        """Nothing is open."""


def in_one_piece(message: Bulk) -> bytes:
    """A reply that is not large any more."""
    if not message.payload:
        return message.whole()
    return frame(message.code, encode(bytes(message.contents)))
