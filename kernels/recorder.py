"""The recorder: what a service did is published, and done again by its next life.

It stands between a server's channels and the stable store: it is the journal that the service sees
(`twinos.journal`), and what the server tells of each request.
"""

import sys
from collections.abc import Callable, Iterator
from time import time as host_time
from typing import Any, Final

import msgspec

from kernels.again import apart, reply_to, whole_reply
from kernels.bulk import Frame
from kernels.conversations import Conversation, Conversations, Told
from kernels.quick import quick, quick_change
from kernels.replay import Known, replay
from kernels.source import Piece
from kernels.stablestore import (
    CALLER,
    CHANGE,
    DEPARTED,
    NOTE,
    REPLY,
    REQUEST,
    WORD_AT_WORK,
    WORD_DONE,
    DamagedError,
    Entry,
    StableStore,
)
from twinos import BootError, Caller, Journal, Op, Recording, Region, Service
from twinos.codec import decoder, encode
from twinos.errors import describe

ENOUGH: Final = 2
"""Lives that one request may end by its own fault; then its client is told so."""

_read_base: Final = decoder(tuple[Told, bytes, bytes])


class Nobody:
    """Records nothing."""

    def departed(self, caller: Caller) -> None:
        """See `Recorder`."""


NOBODY: Final = Nobody()


class Recorder(Journal):
    """The journal of a service that has an address space of its own.

    Args:
        service: whose it is.
        region: where.
        recording: what of each operation.
        fault: whether the last life ended by its own fault.
        on_trial: whether another version will go on with this, if this one can't.

    Attributes:
        conversations: with its clients.
        on_trial: whether it still is.
    """

    kept = True

    def __init__(
        self,
        service: type[Service],
        region: Region,
        *,
        recording: Recording,
        fault: bool,
        on_trial: bool = False,
    ) -> None:
        self._service = service
        self.on_trial = on_trial
        self._recording = recording
        self._replayed = recording is Recording.REQUESTS
        self.conversations: Final = Conversations()
        self._introduced: set[int] = set()
        self._instance: Service | None = None
        self._now = [host_time()]
        self._known = Known(self.conversations, {}, self._introduced, self._now)
        self._state = self._rest = b""
        self.reborn = bool(region.size)
        try:
            self._store = StableStore(region)
            self._load(self._store.base())
        except (DamagedError, msgspec.DecodeError) as damage:
            self._store = StableStore(region)
            self._give_up(damage)
        self._store.blame(fault=fault)

    # What the service asks; see `Journal`.

    def time(self) -> float:
        """See `Journal`."""
        if not self.replaying:
            self._now[0] = host_time()
        return self._now[0]

    def note(self, data: bytes) -> None:
        """See `Journal`."""
        if self._recording is not Recording.STATE and not self.replaying:
            self._append((NOTE, 0, 0, 0, 0), data)

    def save(self, state: bytes, rest: bytes = b"") -> None:
        """See `Journal`."""
        self._store.save(encode((self.conversations.told(), state, rest)))
        self._introduced.clear()

    def finished(self) -> None:
        """See `Journal`."""
        self._store.words[WORD_DONE] = self._store.epoch

    def unfinished(self) -> bytes:
        """See `Journal`."""
        return b"" if self._store.words[WORD_DONE] == self._store.epoch else self._rest

    # What the server asks.

    def departed(self, caller: Caller) -> None:
        """The service has been told that a caller is gone."""
        self.conversations.forget(caller.id)
        self._introduce(caller)
        self._record((DEPARTED, 0, 0, 0, caller.id))

    def hand_over(self) -> None:
        """Another version is to go on: publish the state, not what led to it. OSError: it can't."""
        self._save_all()

    def resume(self, conversation: Conversation, channel: int, number: int) -> list[bytes] | None:
        """`Conversations.go_on`; None: the message has ended too many lives."""
        if self._store.is_fatal(channel, ENOUGH):
            return None
        return self.conversations.go_on(conversation, channel, number)

    def recording(
        self, conversation: Conversation, operation: Op, caller: Caller, *, bundled: bool
    ) -> tuple[Piece, Piece]:
        """What to do before and after an operation, inside the gate.

        The source after it uses `_whole`, the request's frame, and `result`.
        """
        before = "" if bundled else "_conversation.number += 1\n"
        before += f"_words[{WORD_AT_WORK}] = _conversation.channel\n"
        names = {"_conversation": conversation, "_words": self._store.words}
        record = self._recorder(conversation, operation, caller, bundled=bundled)
        return Piece(before, names), Piece("_record(_whole, result)", {"_record": record})

    def reply(self, conversation: Conversation, reply: Frame) -> None:
        """Record, of a bundle, what became of a request that is not recorded, or failed."""
        whole = whole_reply(reply)
        said = conversation.channel, conversation.number, conversation.caller
        index = len(conversation.results)
        conversation.done = conversation.number
        conversation.results.append((None, whole))
        self._record((REPLY, index, *said), whole)

    def failed(self) -> None:
        """An operation failed: record what it has changed, if the service says so."""
        if self._recording is Recording.CHANGES:
            changed = self._unsaved()
            if changed:
                self.note(changed)

    def _recorder(
        self, conversation: Conversation, operation: Op, caller: Caller, *, bundled: bool
    ) -> Callable[[Frame, Any], None]:
        record = self._any_recorder(conversation, operation, caller, bundled=bundled)
        if bundled or self._recording is Recording.STATE:
            return record
        about = self._now, conversation, operation, caller.id, record
        if not self._replayed:
            return quick_change(self._store, self._unsaved, *about)
        record = quick(self._store, self._introduced, *about)
        return self._carefully(record) if self.on_trial else record

    def _carefully(self, record: Callable[[Frame, Any], None]) -> Callable[[Frame, Any], None]:
        """The same; on trial, states are published: another version might do something else."""

        def recorded(request: Frame, result: Any) -> None:
            record(request, result)
            if self.on_trial:
                self._thin_out()

        return recorded

    def _any_recorder(
        self, conversation: Conversation, operation: Op, caller: Caller, *, bundled: bool
    ) -> Callable[[Frame, Any], None]:
        introduced, who = self._introduced, caller.id
        recording, changed = self._recording, self._unsaved
        store = self._store

        def record(request: Frame, result: Any) -> None:
            if bundled:
                index = len(conversation.results)
                conversation.results.append((operation, result))
            else:
                index = 0
                conversation.results = [(operation, result)]
            conversation.done = number = conversation.number
            if recording is Recording.CHANGES:
                kind, frame, contents = CHANGE, reply_to(operation, result), changed()
            elif recording is Recording.REQUESTS:
                kind, (frame, contents) = REQUEST, apart(request)
                if who not in introduced:
                    self._introduce(caller)
            else:
                self._save_all()
                return
            head = (kind, index, conversation.channel, number, who)
            if not store.append(head, self._now[0], frame, contents):
                self._save_all()
            elif store.crowded:
                self._thin_out()

        return record

    def _unsaved(self) -> bytes:
        return self._instance._unsaved() if self._instance else b""  # noqa: SLF001 (its hook)

    def _record(self, head: tuple[int, ...], data: bytes = b"") -> None:
        if self._recording is Recording.STATE:
            self._save_all()
        else:
            self._append(head, data, self._unsaved() if not self._replayed else b"")

    def _append(self, head: tuple[int, ...], data: bytes, contents: bytes = b"") -> None:
        if not self._store.append(head, self._now[0], data, contents):
            self._save_all()
        elif self._store.crowded and head[0] in {REPLY, DEPARTED}:
            self._thin_out()

    def _introduce(self, caller: Caller) -> None:
        self._introduced.add(caller.id)
        if self._replayed:
            self._append((CALLER, 0, 0, 0, caller.id), encode(caller))

    def _save_all(self) -> None:
        """Publish the whole state."""
        state = self._instance._saved() if self._instance else None  # noqa: SLF001 (its hook)
        if state is not None:
            self.save(state)

    def _thin_out(self) -> None:
        """Publish the whole state instead of the many requests that made it; or try later."""
        try:
            self._save_all()
        except OSError:
            self._store.count = 0  # a disk that fails, say: nothing is lost, the journal grows

    # What happens at the beginning of a life.

    def recover(self, instance: Service) -> None:
        """Have a service, which was just built, be what it was when its last life ended."""
        self._instance = instance
        self.replaying = True
        try:
            if self._store.epoch:
                instance._restored(self._state)  # noqa: SLF001 (its hook)
            replay(self._entries(), instance, self._service, self._known)
            if self.reborn:
                instance._recovered()  # noqa: SLF001 (its hook)
        except Exception as error:
            if not self.on_trial:
                self._give_up(error)
            raise BootError(f"{self._service.__name__} did not recover: {error}") from error
        finally:
            self.replaying = False
            self._state = self._rest = b""

    def _load(self, base: bytes) -> None:
        if base:
            told, self._state, self._rest = _read_base(base)
            self.conversations.load(told)

    def _entries(self) -> Iterator[Entry]:
        try:
            yield from self._store.entries()
        except DamagedError as damage:
            self._say(f"{damage}; what was done after it is lost")
            self._store.words[self._store.tail >> 3] = 0

    def _give_up(self, reason: BaseException) -> None:
        """Begin as in the first life: the service has what its disk has, if it has one."""
        self.conversations.clear()
        self.reborn = False
        self._state = self._rest = b""
        self._store.void()
        self._say(f"{describe(reason)}; what was not on a disk is lost")

    def _say(self, what: str) -> None:
        print(f"twinos: the journal of {self._service.__name__}: {what}", file=sys.stderr)  # noqa: T201 (the server's log)
