"""A notice board."""

import errno
from contextlib import suppress

from assignments.messages.contract import (
    LONGEST,
    Board,
    Note,
    Subscribe,
    Talk,
    Unsubscribe,
    Welcome,
)
from twinos import Caller, Endpoint, Message, Post, Signal, Waits, fail, op


class NoticeBoard(Board):
    """Notes, and who wants to hear of them."""

    def __init__(self, post: Post[Talk]) -> None:
        super().__init__(post)
        # >>> what does a board remember?
        self._notes: list[Note | None] = []
        self._pinned = Signal()
        self._subscribers: dict[Endpoint, None] = {}
        # <<<

    @op
    def pin(self, caller: Caller, text: str) -> int:
        """Pin a note; its number. EINVAL: it is empty; EMSGSIZE: longer than `LONGEST`."""
        # >>> keep the note, wake who waits, notify who has subscribed
        if not text:
            raise fail(errno.EINVAL)
        if len(text) > LONGEST:
            raise fail(errno.EMSGSIZE)
        self._notes.append(Note(caller.uid, text))
        self._pinned.notify()
        for subscriber in list(self._subscribers):
            try:
                self._post.notify(subscriber)
            except OSError:
                del self._subscribers[subscriber]  # it is gone
        return len(self._notes) - 1
        # <<< raise NotImplementedError

    @op
    def read(self, number: int) -> Note:
        """A note. ENOENT: there is none of that number, not yet or not any more."""
        # >>> look it up; raise fail(errno...) when it is not there
        note = self._notes[number] if 0 <= number < len(self._notes) else None
        if note is None:
            raise fail(errno.ENOENT)
        return note
        # <<< raise NotImplementedError

    @op
    def await_note(self, number: int) -> Waits[Note]:
        """A note, waited for if it is still to come. EINVAL: negative; ENOENT: taken down."""
        # >>> while it is not there: yield a signal
        if number < 0:
            raise fail(errno.EINVAL)
        while number >= len(self._notes):
            yield self._pinned
        return self.read(number)
        # <<< raise NotImplementedError

    @op
    def take_down(self, caller: Caller, number: int) -> None:
        """Take one's own note down. ENOENT: there is none; EPERM: it is somebody else's."""
        # >>> who may do this?
        if self.read(number).author != caller.uid:
            raise fail(errno.EPERM)
        self._notes[number] = None
        # <<< raise NotImplementedError

    def _received(self, source: Endpoint, message: Message) -> None:
        """Something has come for the mailbox: the sender may wait for an answer, or may not."""
        # >>> Subscribe, Unsubscribe; whatever else comes is of no interest
        if isinstance(message, Subscribe):
            self._subscribers[source] = None
            with suppress(OSError):  # of who does not wait for an answer
                self._post.send_nb(source, Welcome(len(self._notes)))
        elif isinstance(message, Unsubscribe):
            self._subscribers.pop(source, None)
        # <<<
