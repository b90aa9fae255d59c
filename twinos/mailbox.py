"""Mailboxes: a party of MINIX's message passing; see `twinos.message`."""

import errno
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar, cast

from twinos import letters
from twinos.codec import MalformedMessage, encode
from twinos.errors import fail
from twinos.letters import Arrived, Failed, Found, Outcomes, Primitives, Status, Withdrawn
from twinos.message import (
    ANY,
    Endpoint,
    Message,
    Notification,
    Posting,
    Received,
    Sent,
    message_decoder,
)

M = TypeVar("M", bound=Message)

_NOTIFICATION: Final = Notification()


class Counter(Protocol):
    """Where the primitives of one party are asked for: the kernel seen from a mailbox."""

    endpoint: Endpoint

    def ask(self, primitive: Primitives, timeout: float | None) -> Outcomes:
        """What comes of it: `Withdrawn` if that takes longer than `timeout` seconds.

        Raises:
            WiringError: the mailbox is closed.
            KernelPanic: the kernel is gone.
        """

    def close(self) -> None:
        """Leave; whoever waits for this party is told."""


class Post(Generic[M]):
    """What a service has of an endpoint: the primitives that never wait.

        class Pinger(Service):
            def __init__(self, post: Post[Chat]) -> None: ...

            def _received(self, source: Endpoint, message: Message) -> None:
                self._post.senda(Posting(source, Pong()))

    Its mailbox has the service's name, and the kernel calls `_received` with what comes there as it
    calls operations, one at a time. All raise `OSError`: EDEADSRCDST, ECALLDENIED or EMSGSIZE, see
    `twinos.message`.

    Args:
        conversation: the class from which its messages derive.
        counter: where the primitives are carried out.
    """

    def __init__(self, conversation: type[M], counter: Counter) -> None:
        self._decode = message_decoder(conversation)
        self._conversation = conversation
        self._counter = counter

    @property
    def endpoint(self) -> Endpoint:
        """Where others reach it."""
        return self._counter.endpoint

    def find(self, name: str) -> Endpoint:
        """The endpoint of the mailbox of that name. ESRCH: there is none now."""
        return cast("Found", self._ask(letters.Lookup(name))).endpoint

    def send_nb(self, to: Endpoint, message: M) -> None:
        """Send if the other one waits for it now. ENOTREADY if not."""
        self._ask(letters.Send(to, encode(message), wait=False))

    def notify(self, to: Endpoint) -> None:
        """Set the other one's bit for this mailbox.

        Several notifications that it has not received yet are one.
        """
        self._ask(letters.Notify(to))

    def senda(self, *table: Posting[M]) -> None:
        """Have every message of a table delivered as soon as it is wanted.

        The table replaces the one before: what of that was not delivered is not sent any more.
        """
        lines = (letters.Line(line.to, encode(line.message), line.how.value) for line in table)
        self._ask(letters.SendA(tuple(lines)))

    def sent(self) -> tuple[Sent, ...]:
        """What has become of the table, line by line."""
        status = cast("Status", self._ask(letters.Table()))
        return tuple(Sent(done, error) for done, error in status.lines)

    def opened(self, outcome: Outcomes) -> Received[M]:
        """What has come. EBADMSG: a message of another conversation. For kernels."""
        source, message = cast("Arrived", outcome).source, cast("Arrived", outcome).message
        if message is None:
            return Received(source, _NOTIFICATION)
        try:
            return Received(source, self._decode(message))
        except MalformedMessage as reason:
            sentence = f"{source} sent what is no {self._conversation.__name__}: {reason}"
            raise OSError(errno.EBADMSG, sentence) from None

    def __repr__(self) -> str:
        return f"<mailbox {self.endpoint}: {self._conversation.__name__}>"

    def _ask(self, primitive: Primitives, timeout: float | None = None) -> Outcomes:
        outcome = self._counter.ask(primitive, timeout)
        if isinstance(outcome, Failed):
            raise OSError(outcome.error, outcome.sentence)
        if isinstance(outcome, Withdrawn):
            raise fail(errno.ETIMEDOUT)
        return outcome


class Mailbox(Post[M]):
    """What a user has of one: all primitives.

    A mailbox is to a thread what a process is to MINIX. Those that wait raise ELOCKED, too,
    ETIMEDOUT after `timeout` seconds, and EBUSY if another thread waits at this mailbox.
    """

    def send(self, to: Endpoint, message: M, timeout: float | None = None) -> None:
        """Send, and wait until it has been received."""
        self._ask(letters.Send(to, encode(message)), timeout)

    def receive(self, source: Endpoint = ANY, timeout: float | None = None) -> Received[M]:
        """Wait for a message or notification, from there.

        Raises:
            OSError: EBADMSG, too, for a message of another conversation. It is gone.
        """
        return self.opened(self._ask(letters.Receive(source), timeout))

    def receive_nb(self, source: Endpoint = ANY) -> Received[M]:
        """What has come already. ENOTREADY if nothing has."""
        return self.opened(self._ask(letters.Receive(source, wait=False)))

    def sendrec(self, to: Endpoint, message: M, timeout: float | None = None) -> M:
        """Send, and wait for the next message from there: the reply. No notification comes between.

        Raises:
            OSError: EBADMSG, too, for a reply of another conversation.
        """
        received = self.opened(self._ask(letters.SendRec(to, encode(message)), timeout))
        return cast("M", received.message)

    def close(self) -> None:
        """Leave: whoever waits for this mailbox gets EDEADSRCDST."""
        self._counter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
