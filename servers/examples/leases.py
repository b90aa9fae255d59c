"""Locks that end by themselves: leases, with fencing tokens.

After Gray and Cheriton, "Leases" (SOSP 1989): a holder that dies or loses its way keeps nobody
waiting for longer than its term. A holder that is late can't know it, so each lease has a *token*,
larger than all before; whoever guards a resource turns away a token smaller than the largest it has
seen.
"""

import errno
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from twinos import Caller, Region, Service, Signal, Waits, fail, op

_WORD: Final = 8


class Lease(NamedTuple):
    """A lock that is held.

    Attributes:
        name: of what.
        owner: the id of the caller that holds it.
        token: the fencing token.
        left: seconds until it ends.
    """

    name: str
    owner: int
    token: int
    left: float


@dataclass(slots=True)
class _Lock:
    """One name: who holds it until when, and who waits, first come first served."""

    owner: int = 0
    token: int = 0
    deadline: float = 0.0
    queue: deque[object] = field(default_factory=deque)
    changed: Signal = field(default_factory=Signal)


class Leases(Service):
    """Locks by name. What a caller holds is free when its term is over, or when it leaves.

    Args:
        memory: the last token: tokens never go back, not even when the service is restarted. The
            leases of before are forgotten then; the tokens tell who was late.
        longest: seconds that a term may last.
    """

    def __init__(self, memory: Region, longest: float = 3600.0) -> None:
        if not memory.size:
            memory.resize(_WORD)
        self._memory = memory
        self._longest = longest
        self._locks: dict[str, _Lock] = {}
        self._now: Callable[[], float] = time.monotonic

    @op
    def acquire(self, caller: Caller, name: str, term: float, patience: float = 0.0) -> Waits[int]:
        """Get the lock, waiting if somebody else holds it; the lease's token.

        Those who wait get it in the order in which they came. Whoever holds it already gets a new
        term and keeps the token.

        Args:
            caller: who asks.
            name: of what.
            term: seconds for which to hold it.
            patience: seconds to wait at most.

        Raises:
            OSError: EINVAL, no term between 0 and the longest; EAGAIN, it was not free in time.
        """
        self._check(term)
        lock = self._locks.setdefault(name, _Lock())
        if self._holds(caller, lock):
            lock.deadline = self._now() + term
            return lock.token
        deadline = self._now() + patience
        ticket = object()
        lock.queue.append(ticket)
        try:
            while not self._is_free(lock) or lock.queue[0] is not ticket:
                if not self._now() < deadline:
                    raise fail(errno.EAGAIN, name)
                yield lock.changed.until(self._next_look(lock, deadline))
            lock.owner, lock.token = caller.id, self._next_token()
            lock.deadline = self._now() + term
            return lock.token
        finally:
            lock.queue.remove(ticket)
            self._settle(name, lock)

    @op
    def renew(self, caller: Caller, name: str, token: int, term: float) -> None:
        """Begin a new term now. EINVAL; EPERM: the lease is over, or was never the caller's."""
        self._check(term)
        self._held(caller, name, token).deadline = self._now() + term

    @op
    def release(self, caller: Caller, name: str, token: int) -> None:
        """Give the lock back. EPERM: the lease is over, or was never the caller's."""
        self._free(name, self._held(caller, name, token))

    @op(idempotent=True)
    def holder(self, name: str) -> Lease:
        """Who holds the lock. ENOENT: nobody."""
        lock = self._locks.get(name)
        if lock is None or self._is_free(lock):
            raise fail(errno.ENOENT, name)
        return Lease(name, lock.owner, lock.token, lock.deadline - self._now())

    def _check(self, term: float) -> None:
        if not 0.0 < term <= self._longest:  # not a number is not in between either
            raise fail(errno.EINVAL)

    def _is_free(self, lock: _Lock) -> bool:
        return not lock.owner or self._now() >= lock.deadline

    def _holds(self, caller: Caller, lock: _Lock) -> bool:
        return lock.owner == caller.id and not self._is_free(lock)

    def _held(self, caller: Caller, name: str, token: int) -> _Lock:
        lock = self._locks.get(name)
        if lock is None or lock.token != token or not self._holds(caller, lock):
            raise fail(errno.EPERM, name)
        return lock

    def _next_look(self, lock: _Lock, deadline: float) -> float:
        """When somebody who waits has to look again, if nothing is notified before."""
        ends = math.inf if self._is_free(lock) else lock.deadline
        return min(deadline, ends)

    def _next_token(self) -> int:
        token = int.from_bytes(self._memory.memory[:_WORD], "little") + 1
        self._memory.memory[:_WORD] = token.to_bytes(_WORD, "little")
        return token

    def _free(self, name: str, lock: _Lock) -> None:
        lock.owner = 0
        self._settle(name, lock)

    def _settle(self, name: str, lock: _Lock) -> None:
        """Wake those who wait; forget a lock that nobody holds and nobody wants."""
        lock.changed.notify()
        if not lock.queue and self._is_free(lock) and self._locks.get(name) is lock:
            del self._locks[name]

    def _departed(self, caller: Caller) -> None:
        for name, lock in list(self._locks.items()):
            if lock.owner == caller.id:
                self._free(name, lock)
