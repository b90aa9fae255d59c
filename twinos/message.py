"""Messages between equals: MINIX's primitives, for whoever wants more than request and reply.

    class Chat(Message, frozen=True): ...
    class Ping(Chat, frozen=True):
        number: int

    with user.mailbox(Chat, "ping") as box:
        peer = box.find("pong")
        box.send(peer, Ping(1))  # a rendezvous: until `pong` receives
        match box.receive(ANY):
            case source, Ping(number): ...
            case source, Notification(): ...

A message is small and typed, and nobody can forge whom it is from. What is large travels otherwise
(see `Region`), and a message says where it is.

The errors have no number of their own on the host:

    ELOCKED      EDEADLK  waiting would close a circle of waiters; the text shows it
    ENOTREADY    EAGAIN   the other one isn't waiting for this message
    EDEADSRCDST  ESRCH    the other one is gone; whoever has its slot now is somebody else
    ECALLDENIED  EPERM    these two may not talk
"""

import enum
import errno
from collections.abc import Iterator
from functools import cache, reduce
from operator import or_
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from twinos.codec import Decode, decoder
from twinos.errors import ContractError
from twinos.values import check_type

ELOCKED: Final = errno.EDEADLK
ENOTREADY: Final = errno.EAGAIN
EDEADSRCDST: Final = errno.ESRCH
ECALLDENIED: Final = errno.EPERM

LONGEST_MESSAGE: Final = 64
"""Bytes of an encoded message at most, as in MINIX."""


class Endpoint(NamedTuple):
    """Where messages go: a slot of the kernel's table, and which of its holders is meant.

    The next holder of the slot has another generation, so a message never reaches the successor of
    whom it was meant for. It may travel in messages and requests itself.
    """

    slot: int
    generation: int

    def __str__(self) -> str:
        return "ANY" if self == ANY else f"{self.slot}.{self.generation}"


ANY: Final = Endpoint(-1, 0)
"""To receive from whoever comes."""
KERNEL: Final = Endpoint(-2, 0)
"""Who notifies of messages sent by `senda`."""
HARDWARE: Final = Endpoint(-3, 0)
"""Who notifies drivers of interrupts; see `twinos.line`."""


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The base of all messages. Derive one class for a conversation, and its messages from that."""


class Notification(Message, frozen=True):
    """What is received of a notification: that there is one. It has no content."""


M = TypeVar("M", bound=Message)


class Received(NamedTuple, Generic[M]):
    """What came, and from whom: the kernel says so, no sender does."""

    source: Endpoint
    message: M | Notification


class Deliver(enum.Flag):
    """How a message of `senda` is to be delivered; MINIX's AMF flags."""

    PLAIN = 0
    NOREPLY = 1
    """It is no reply: not to be given to somebody who waits in `sendrec`."""
    NOTIFY = 2
    """Notify the sender when it has been delivered, or can't be any more."""
    NOTIFY_ERR = 4
    """Notify the sender when it can't be delivered any more."""


class Posting(NamedTuple, Generic[M]):
    """One line of the table given to `senda`."""

    to: Endpoint
    message: M
    how: Deliver = Deliver.PLAIN


class Sent(NamedTuple):
    """What became of one line: whether it is done, and if so 0 or the errno."""

    done: bool
    error: int = 0


@cache
def message_decoder(conversation: type[Message]) -> Decode:
    """The decoder of a conversation's messages: the class itself, or all that derive from it.

    Raises:
        ContractError: a class among them can't travel.
    """
    kinds = tuple(_kinds(conversation))
    for kind in kinds:
        if not kind.__struct_config__.frozen:
            raise ContractError(f"{kind.__name__} may not travel: declare it with frozen=True")
        for field in msgspec.structs.fields(kind):
            check_type(field.type)
    union: Any = reduce(or_, kinds)
    try:
        return decoder(union)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{conversation.__name__}: {error}") from None


def _kinds(conversation: type[M]) -> Iterator[type[M]]:
    derived = conversation.__subclasses__()
    if not derived:
        yield conversation
    for kind in derived:
        yield from _kinds(kind)
