"""Clients that ask all the time, and know what they were promised."""

import errno
import random
import time
from threading import Condition, Event, Lock, Thread
from typing import Final

from kernels import System
from lab.availability.course import STEP_S
from lab.faults.history import ABSENT, GARBAGE, content
from lab.faults.trial import get, put
from servers.filesystem import FileSystem
from twinos import KernelPanic

FILES: Final = 8
"""Of each client."""
SYNC: Final = 1 / 40
"""The share of requests that are a sync."""
PAUSE_S: Final = 0.1
_DOWN: Final = {errno.ECONNREFUSED, errno.ECONNRESET}


class Tally:
    """Requests that were answered, step by step.

    Args:
        steps: how many steps there are.

    Attributes:
        served: in each of them.
        awaited: when the answer came that is awaited; None: it has not.
    """

    def __init__(self, steps: int) -> None:
        self._lock = Lock()
        self._start = time.monotonic()
        self.served = [0] * steps
        self.awaited: float | None = None
        self._since = 0.0

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start

    def count(self, asked: float) -> None:
        """A request was answered that was made at this time."""
        with self._lock:
            now = self.now
            if self.awaited is None and asked > self._since:
                self.awaited = now
            step = int(now / STEP_S)
            if step < len(self.served):
                self.served[step] += 1

    def await_answer(self) -> None:
        """The first answer to a request that is made from now on is awaited."""
        with self._lock:
            self.awaited, self._since = None, self.now


class Life:
    """A system, as long as it lives; the next one replaces it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.number = 1
        self._replaced = Condition()

    def replace(self, system: System) -> None:
        """The system has been booted again."""
        with self._replaced:
            self.system = system
            self.number += 1
            self._replaced.notify_all()

    def await_next(self, number: int) -> None:
        """Wait a while for the life after that of this number."""
        with self._replaced:
            self._replaced.wait_for(lambda: self.number > number, PAUSE_S)


class Client(Thread):
    """Puts files and gets them, and syncs now and then; a thread and a user of its own.

    What it put and saw acknowledged has to be there as long as the system lives; what it synced,
    whatever happens. A file whose put failed may be as it likes.

    Attributes:
        errors, wrong, lost, broken: as in `Course`.
        failure: what it met that no client should, and ended of; None: nothing.
    """

    def __init__(self, life: Life, tally: Tally, ended: Event, number: int, seed: str) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self._life, self._tally, self._ended = life, tally, ended
        self._paths = [f"/client-{number}-{file}" for file in range(FILES)]
        self._rng = random.Random(f"{seed}/{number}")
        self._version = number << 20
        self._acknowledged: dict[str, int] = dict.fromkeys(self._paths, ABSENT)
        self._synced: dict[str, int] = dict(self._acknowledged)
        self.errors = self.wrong = self.lost = self.broken = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        """Until the end."""
        try:
            self._live()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is reported)
            self.failure = error

    def _live(self) -> None:
        seen = 0
        while not self._ended.is_set():
            number = self._life.number
            try:
                with self._life.system.user() as user:
                    files = user[FileSystem]
                    if seen:
                        self._look_after(files)
                    seen = number
                    while number == self._life.number and not self._ended.is_set():
                        self._ask(files)
            except KernelPanic:
                self._life.await_next(number)
            except OSError as error:
                if error.errno not in _DOWN:
                    raise

    def _ask(self, files: FileSystem) -> None:
        path, asked = self._rng.choice(self._paths), self._tally.now
        try:
            if self._rng.random() < SYNC:
                files.sync()
                self._synced = dict(self._acknowledged)
            elif self._rng.random() < 1 / 2:
                self._put(files, path)
            elif self._acknowledged.get(path) not in {None, get(files, path)}:
                self.wrong += 1
        except (KernelPanic, OSError):
            self.errors += 1
            raise
        self._tally.count(asked)

    def _put(self, files: FileSystem, path: str) -> None:
        self._version += 1
        self._synced.pop(path, None)  # it is written over in place
        self._acknowledged.pop(path, None)
        put(files, path, content(self._version))
        self._acknowledged[path] = self._version

    def _look_after(self, files: FileSystem) -> None:
        """What is left, after the system was booted again?"""
        for path, version in list(self._acknowledged.items()):
            found = get(files, path)
            if found == version:
                continue
            self.lost += 1
            self.broken += self._synced.get(path) == version or found == GARBAGE
            self._acknowledged.pop(path)
            self._synced.pop(path, None)
