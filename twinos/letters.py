"""Letters: what a mailbox and the kernel say to each other about MINIX's primitives.

The same structs are handed over by a call under the monolithic kernel and encoded under the
microkernel. A message itself is bytes to the kernel: only its receiver knows its type.
"""

from typing import Final

import msgspec

from twinos.codec import decoder
from twinos.message import Endpoint


class Primitive(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What somebody asks for. Every one but `Withdraw` has one outcome."""


class Send(Primitive, frozen=True):
    """A rendezvous; without `wait`, only if the other one is there."""

    to: Endpoint
    message: bytes
    wait: bool = True


class Receive(Primitive, frozen=True):
    """The next message, or notification, from there."""

    source: Endpoint
    wait: bool = True


class SendRec(Primitive, frozen=True):
    """A message, and the next one from there as its reply."""

    to: Endpoint
    message: bytes


class Notify(Primitive, frozen=True):
    """Set the other one's bit for this sender."""

    to: Endpoint


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A message of a table, and `Deliver` as an integer."""

    to: Endpoint
    message: bytes
    how: int


class SendA(Primitive, frozen=True):
    """Deliver these, each as soon as it is wanted; they replace the table before."""

    lines: tuple[Line, ...]


class Table(Primitive, frozen=True):
    """What has become of the table."""


class Lookup(Primitive, frozen=True):
    """The endpoint of a name."""

    name: str


class Withdraw(Primitive, frozen=True):
    """Wait no longer for what was asked before, which has an outcome all the same."""


Primitives = Send | Receive | SendRec | Notify | SendA | Table | Lookup | Withdraw


class Outcome(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What came of a primitive."""


class Done(Outcome, frozen=True):
    """It is done."""


class Arrived(Outcome, frozen=True):
    """A message, or None: a notification."""

    source: Endpoint
    message: bytes | None


class Failed(Outcome, frozen=True):
    """It can't be, with an errno, for this reason."""

    error: int
    sentence: str


class Status(Outcome, frozen=True):
    """Of each line of the table, whether it is done, and the errno or 0."""

    lines: tuple[tuple[bool, int], ...]


class Found(Outcome, frozen=True):
    """The endpoint that was looked up."""

    endpoint: Endpoint


class Withdrawn(Outcome, frozen=True):
    """Nothing came of it before it was withdrawn."""


Outcomes = Done | Arrived | Failed | Status | Found | Withdrawn

PRIMITIVES: Final = decoder(Primitives)
OUTCOMES: Final = decoder(Outcomes)
