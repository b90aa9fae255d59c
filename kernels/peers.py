"""Peers: the processes that talk to the nucleus, and what they have asked and not been told."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from kernels.asking import Answer
from kernels.control import Failed, Granted, Refused
from kernels.parcels import post
from twinos import Caller
from twinos.errors import take_apart

if TYPE_CHECKING:
    from kernels.records import Server

Credentials = tuple[int, int, tuple[int, ...]]
"""A user id, a group id, and supplementary group ids."""
SUPERUSER: Final[Credentials] = (0, 0, ())


@dataclass(eq=False)
class Peer:
    """A process at the other end of a control connection.

    Attributes:
        connection: the nucleus's end.
        credentials: as whom it may enrol callers; the superuser as whomever it likes.
        callers: who lives there.
        server: what it serves, if it is a server.
        process: the pidfd of a user program, once it said hello; -1: none.
        owner: whether it booted the system.
    """

    connection: socket.socket
    credentials: Credentials = SUPERUSER
    callers: dict[int, Caller] = field(default_factory=dict)
    server: Server | None = None
    process: int = -1
    owner: bool = False

    def may_be(self, credentials: Credentials) -> bool:
        """Whether somebody with these credentials may live there."""
        is_superuser = self.credentials[0] == 0
        return self.server is None and (is_superuser or self.credentials == credentials)

    def introduced(self, process: int) -> None:
        """It has said which process it is."""
        if self.process >= 0:
            os.close(self.process)
        self.process = process

    def kill(self) -> None:
        """End the process, if it is known and still runs."""
        if self.process >= 0:
            with suppress(OSError):
                signal.pidfd_send_signal(self.process, signal.SIGKILL)

    def close(self) -> None:
        """Let go of what leads to it."""
        self.connection.close()
        self.introduced(-1)

    def answer(self, answer: Answer, number: int, descriptors: tuple[int, ...] = ()) -> None:
        """Answer its question; if it is gone, or reads nothing, that is its own loss."""
        try:
            post(self.connection, answer, descriptors, number)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                self.answer(Refused(take_apart(error)), number)


@dataclass(eq=False)
class Question:
    """A question to be answered later: when `settled`, or at the latest at `deadline`."""

    peer: Peer
    number: int
    settled: Callable[[], bool]
    answer: Callable[[], Answer]
    deadline: float


def outcome(failure: Failed | None) -> Answer:
    """What to tell who has asked for something that servers did, or failed to."""
    return Refused(failure.error, failure.sentence) if failure else Granted()
