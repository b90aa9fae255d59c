"""Crews: a caller with several requests under way at a service has one turn at it, as all others.

With a thread for each of its channels it would have as many turns at the interpreter as channels,
and who asks one thing at a time would wait for all of them. So the channels of a caller that uses
several at a time are served by a crew. One thread at a time leads: it waits for all the channels,
and carries out one request after the other. A request that has to wait makes another thread the
leader before it does, so it keeps nobody waiting. (Leader/Followers: Schmidt and others,
"Pattern-Oriented Software Architecture", volume 2.) Whoever floods a service, with many requests at
a time, has to pause between any two of them as long as others ask, too.
"""

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

MANY: Final = 8
"""Requests of one caller at a time that are a flood."""
PAUSE: Final = 0.005
"""Seconds between two requests of a flood while others ask, too."""
IDLE: Final = 1.0
"""Seconds after which a thread that is not needed ends."""
NOISE: Final = 10_000
"""Nanoseconds of processor time that are no request of another's."""

Work = Callable[[], None]


class Seat(NamedTuple):
    """A channel that is served by a crew.

    Attributes:
        hangup: the descriptor on which its requests come.
        step: carries out the request that has come; whether there may be another.
        close: lets go of the channel.
    """

    hangup: int
    step: Callable[[], bool]
    close: Work


class Crew:
    """The threads that serve some channels of one caller, until the last of them is closed.

    Args:
        start: starts a thread. RuntimeError: the host has no more.
        watch: says, in a thread, whose request it carries out from now on, and what it must do
            before it waits; see `Gate.watch`.

    Attributes:
        is_over: whether that was so.
    """

    def __init__(
        self, start: Callable[[Work], threading.Thread], watch: Callable[[int, Work], None]
    ) -> None:
        self._start: Final = start
        self._watch: Final = watch
        self._lock = threading.Lock()
        self._seats: dict[int, Seat] = {}
        self._ready = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC)  # rung when the last channel has gone
        self._ready.register(self._bell, select.EPOLLIN)
        self._queue: deque[int] = deque()  # channels with requests
        self._many = False  # whether those were many
        self._others = 0  # nanoseconds that other threads have had
        self._is_led = self.is_over = False
        self._followers = 0
        self._calls: SimpleQueue[bool] = SimpleQueue()  # to a follower: to lead, or to go
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        """How many channels it serves."""
        return len(self._seats)

    def admit(self, seat: Seat) -> bool:
        """Serve one more channel; whether it does: not when it is over.

        RuntimeError, OSError: the host has no room for it.
        """
        with self._lock:
            if self.is_over:
                return False
            self._seats[seat.hangup] = seat
            try:
                if not self._is_led:
                    self._find_leader()
                self._ready.register(seat.hangup, select.EPOLLIN)
            except (RuntimeError, OSError):
                del self._seats[seat.hangup]
                raise
            return True

    def disband(self) -> None:
        """Wait until all its channels are closed, from the other end."""
        for thread in self._threads:
            thread.join()

    def _find_leader(self) -> None:
        """Have another thread lead. With the lock held. RuntimeError."""
        if self._followers:
            self._followers -= 1
            self._calls.put(True)
        else:
            alive = [thread for thread in self._threads if thread.is_alive()]
            self._threads = [*alive, self._start(self._work)]
        self._is_led = True

    def _work(self) -> None:
        """What each thread does: lead, follow, lead, and so on."""
        while (seat := self._next()) is not None:
            if not self._serve(seat) and not self._follow():
                return

    def _next(self) -> Seat | None:
        """The next channel with a request; None: there is none any more."""
        while not self._queue:
            self._queue.extend(number for number, _ in self._ready.poll())
            self._many = len(self._queue) >= MANY
            if self._bell in self._queue:
                self._queue.remove(self._bell)
                os.eventfd_read(self._bell)
                if self._has_ended():
                    return None
        if self._many and self._others_work():
            time.sleep(PAUSE)
        return self._seats[self._queue.popleft()]

    def _others_work(self) -> bool:
        """Whether other threads of this server have had the processor since this was last asked."""
        others = time.process_time_ns() - time.thread_time_ns()
        worked, self._others = others - self._others, others
        return worked > NOISE

    def _has_ended(self) -> bool:
        """Whether no channel is left, and everybody may go."""
        with self._lock:
            if self._seats:
                return False
            self.is_over = True
            for _ in range(self._followers):
                self._calls.put(False)
            self._ready.close()
            os.close(self._bell)
            return True

    def _serve(self, seat: Seat) -> bool:
        """Carry out a request; whether this thread still leads."""
        leads = True

        def hand_over() -> None:
            nonlocal leads
            if not leads:
                return
            with self._lock:
                self._ready.unregister(seat.hangup)
                try:
                    self._find_leader()
                    leads = False
                except RuntimeError:  # then all others wait, too
                    self._ready.register(seat.hangup, select.EPOLLIN)

        self._watch(seat.hangup, hand_over)
        if seat.step():
            if not leads:
                self._ready.register(seat.hangup, select.EPOLLIN)
            return leads
        with self._lock:
            if leads:
                self._ready.unregister(seat.hangup)
            del self._seats[seat.hangup]
            if not self._seats:
                os.eventfd_write(self._bell, 1)
        seat.close()
        return leads

    def _follow(self) -> bool:
        """Wait until a leader is needed; whether one is, before long."""
        with self._lock:
            if self.is_over:
                return False
            self._followers += 1
        try:
            return self._calls.get(timeout=IDLE)
        except Empty:
            pass
        with self._lock:
            if self._followers:
                self._followers -= 1
                return False
        return self._calls.get()  # the call is on its way
