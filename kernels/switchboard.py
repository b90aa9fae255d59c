"""The switchboard: the nucleus's one loop, in which it hears what processes ask."""

import errno
import math
import os
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from kernels.asking import Answer
from kernels.control import ASKS, Asks, Refused
from kernels.parcels import Parcel, close_all, take
from kernels.peers import Peer, Question
from kernels.records import PATIENCE
from twinos import fail
from twinos.codec import MalformedMessage
from twinos.errors import take_apart

MOST_QUESTIONS: Final = 64
"""Questions that one process may have open: its threads ask one at a time."""

Handle = Callable[[Peer, Parcel, Asks], None]
"""Deals with what a peer asks, which came in that parcel. An OSError is a refusal."""

Timer = tuple[float, Callable[[], None]]
"""When something is to be done, and what."""


class Switchboard:
    """Connections to processes, questions that are still open, and whatever else can be waited for.

    Args:
        handle: deals with what is asked.
        left: told when a process has left, or talked nonsense.
    """

    def __init__(self, handle: Handle, left: Callable[[Peer], None]) -> None:
        self._handle = handle
        self._left = left
        self._selector = selectors.DefaultSelector()
        self._questions: list[Question] = []
        self._timers: list[Timer] = []
        self.peers: list[Peer] = []

    def turn(self, deadline: float = math.inf) -> None:
        """Deal with what happens until something has, or `deadline` is over."""
        ends = [question.deadline for question in self._questions]
        deadline = min([deadline, *ends, *(moment for moment, _ in self._timers)])
        wait = None if deadline == math.inf else max(deadline - time.monotonic(), 0)
        for key, _ in self._selector.select(wait):
            key.data()
        self._ring()
        self._answer_questions()

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Do something a little later; what `cancel` takes."""
        timer = (time.monotonic() + seconds, action)
        self._timers.append(timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Don't do it, if it has not been done."""
        self._timers = [other for other in self._timers if other is not timer]

    def watch(self, source: int | socket.socket, happened: Callable[[], object]) -> None:
        """Call `happened` whenever `source` can be read."""
        self._selector.register(source, selectors.EVENT_READ, happened)

    def watch_room(self, sink: int, happened: Callable[[], object]) -> None:
        """Call `happened` whenever `sink` can be written, or nobody reads it any more."""
        self._selector.register(sink, selectors.EVENT_WRITE, happened)

    def unwatch(self, source: int | socket.socket) -> None:
        """Look no more whether something can be read or written."""
        self._selector.unregister(source)

    def watch_once(self, source: int, happened: Callable[[], None]) -> None:
        """Call `happened` when `source` can be read for the first time, and close it."""

        def once() -> None:
            self._selector.unregister(source)
            os.close(source)
            happened()

        self.watch(source, once)

    def admit(self, peer: Peer) -> None:
        """Listen to a process."""
        peer.connection.setblocking(False)
        self.peers.append(peer)
        self.watch(peer.connection, partial(self._hear, peer))

    def drop(self, peer: Peer) -> None:
        """Listen to a process no more."""
        if peer in self.peers:
            self.peers.remove(peer)
            self._selector.unregister(peer.connection)
            peer.close()
            self._questions = [q for q in self._questions if q.peer is not peer]
            self._left(peer)

    def hear_out(self, peer: Peer) -> None:
        """Deal with all that a process has said, and drop it: it has ended."""
        while peer in self.peers and self._hear(peer):
            pass
        self.drop(peer)

    def answer_when(
        self,
        settled: Callable[[], bool],
        peer: Peer,
        number: int,
        answer: Callable[[], Answer],
        patience: float = PATIENCE,
    ) -> None:
        """Answer a question as soon as it is `settled`, or after `patience` seconds.

        Raises:
            OSError: EAGAIN, it has `MOST_QUESTIONS` open.
        """
        if sum(question.peer is peer for question in self._questions) >= MOST_QUESTIONS:
            raise fail(errno.EAGAIN)
        deadline = time.monotonic() + patience
        self._questions.append(Question(peer, number, settled, answer, deadline))

    def _ring(self) -> None:
        now = time.monotonic()
        due = [timer for timer in self._timers if timer[0] <= now]
        for timer in due:
            self.cancel(timer)
            timer[1]()

    def _answer_questions(self) -> None:
        now = time.monotonic()
        for question in list(self._questions):
            if question.settled() or now >= question.deadline:
                self._questions.remove(question)
                question.peer.answer(question.answer(), question.number)

    def _hear(self, peer: Peer) -> bool:
        """Deal with one message of a process; whether there was one."""
        try:
            parcel = take(peer.connection)
        except BlockingIOError:
            return False
        except EOFError:
            self.drop(peer)
            return False
        try:
            self._handle(peer, parcel, ASKS(parcel.message))
        except OSError as error:
            peer.answer(Refused(take_apart(error)), parcel.number)
        except MalformedMessage:
            self.drop(peer)
        finally:
            close_all(parcel.descriptors)
        return True
