"""What one client says over one channel to a service whose state survives."""

import errno
from typing import Final, Protocol

from kernels.bulk import Bulk, Frame
from kernels.frames import FAILED, LARGE, OK, frame
from kernels.recorder import ENOUGH, Recorder
from kernels.resume import gathered, resuming
from kernels.source import Piece
from kernels.transport import Channel
from twinos import Caller, Op, ServerDied
from twinos.codec import encode
from twinos.errors import take_apart


class Lockable(Protocol):
    """The gate's lock."""

    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


class Recorded:
    """A client's end of what is recorded.

    Args:
        recorder: where.
        inside: the gate's lock: the journal is changed inside only.
        work: the number of the channel.
        caller: the client.
        channel: the channel.

    Attributes:
        road: what answers a `RESUME`; see `kernels.serving`.
    """

    def __init__(
        self,
        recorder: Recorder,
        inside: Lockable,
        work: int,
        caller: Caller,
        channel: Channel,
    ) -> None:
        self._recorder = recorder
        self._inside = inside
        self._caller = caller
        with inside:
            self._conversation = recorder.conversations.begin(work, caller.id)
        answer = resuming(self._resume)

        def send(request: Frame) -> None:
            channel.send(answer(request))

        self.road: Final = (send, LARGE, send)

    def around(self, operation: Op, *, bundled: bool) -> tuple[Piece, ...]:
        """What to do before and after an operation; nothing for one that is not recorded."""
        if operation.repeatable:
            return ()
        return self._recorder.recording(
            self._conversation, operation, self._caller, bundled=bundled
        )

    def begin_bundle(self) -> None:
        """A message comes with several requests, some of them to be recorded."""
        self._conversation.begin()

    @property
    def remembered(self) -> int:
        """Of how many of its requests something is."""
        return len(self._conversation.results)

    def remember(self, reply: Frame) -> None:
        """Of a request in it that is not recorded, or that failed."""
        with self._inside:
            self._recorder.reply(self._conversation, reply)

    def failed(self) -> None:
        """A request failed, and may have changed something all the same."""
        with self._inside:
            self._recorder.failed()

    def end(self) -> None:
        """The channel is closed."""
        with self._inside:
            self._recorder.conversations.end(self._conversation)

    def _resume(self, channel: int, number: int, rest: int) -> bytes | Bulk:
        with self._inside:
            if rest:
                self._conversation.reopen()
                return frame(OK, b"")
            known = self._recorder.resume(self._conversation, channel, number)
        if known is None:
            text = f"died of this request {ENOUGH} times: it is not tried again"
            return frame(FAILED, encode(take_apart(ServerDied(errno.ECONNRESET, text))))
        return gathered(OK, known)
