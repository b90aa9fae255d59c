"""Services whose state survives. At the top of a module, so that a fresh interpreter finds them."""

import errno
import os
import signal
from typing import Annotated

from twinos import Caller, Journal, Service, Signal, Supervision, Waits, fail, noted, op, replayed


class Purse(Service, supervision=Supervision(at_once=10**6, most=10**6)):
    """Counts, and its state survives: it is kept after each operation."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._total = 0
        self._owners: list[int] = []
        self._filled = Signal()

    def _saved(self) -> bytes:
        return b"".join(n.to_bytes(8, "little", signed=True) for n in (self._total, *self._owners))

    def _restored(self, saved: bytes) -> None:
        parts = [saved[at : at + 8] for at in range(0, len(saved), 8)]
        numbers = [int.from_bytes(part, "little", signed=True) for part in parts]
        if numbers:
            self._total, *self._owners = numbers

    def _departed(self, caller: Caller) -> None:
        if caller.id in self._owners:
            self._owners.remove(caller.id)

    @op
    def add(self, amount: int) -> int:
        self._total += amount
        self._filled.notify()
        return self._total

    @op
    def spend(self, amount: int) -> Waits[int]:
        while self._total < amount:
            yield self._filled
        self._total -= amount
        return self._total

    @op
    def overdraw(self, amount: int) -> int:
        if amount > self._total:
            raise fail(errno.EDQUOT)
        self._total -= amount
        return self._total

    @op
    def put(self, data: bytes, times: int) -> bytes:
        self._total += len(data)
        return data * times

    @op
    def own(self, caller: Caller) -> None:
        self._owners.append(caller.id)

    @op(repeatable=True)
    def owners(self) -> tuple[int, ...]:
        return tuple(self._owners)

    @op(repeatable=True)
    def total(self) -> int:
        return self._total

    @op
    def stamp(self) -> float:
        return self._journal.time()

    @op
    def crash(self) -> None:
        raise AssertionError("as asked")

    @op
    def crash_once(self, path: str) -> int:
        """Die after it was done, the first time, and before anybody is told."""
        self._total += 1
        if os.path.exists(path):
            os.unlink(path)
            os.kill(os.getpid(), signal.SIGKILL)
        return self._total


class Till(Purse):
    """The same, by way of requests that are carried out again."""

    def __init__(self, journal: Annotated[Journal, replayed]) -> None:
        super().__init__(journal)


class Book(Purse):
    """The same, by way of what each operation changes."""

    def __init__(self, journal: Annotated[Journal, noted]) -> None:
        super().__init__(journal)
        self._told = (0, b"")

    def _saved(self) -> bytes:
        saved = super()._saved()
        self._told = self._total, saved[8:]
        return saved

    def _restored(self, saved: bytes) -> None:
        super()._restored(saved)
        self._saved()

    def _unsaved(self) -> bytes:
        before, owners = self._told
        saved = self._saved()
        if (before, owners) == self._told:
            return b""
        return (self._total - before).to_bytes(8, "little", signed=True) + saved[8:]

    def _noted(self, data: bytes) -> None:
        more = int.from_bytes(data[:8], "little", signed=True)
        self._restored((self._total + more).to_bytes(8, "little", signed=True) + data[8:])

    @op
    def fine(self, amount: int) -> None:
        """Fails, and changes something all the same."""
        self._total -= amount
        raise fail(errno.EPERM)


class Banker(Service):
    """Pays through a purse that may die meanwhile."""

    def __init__(self, till: Till) -> None:
        self._till = till

    @op(idempotent=True)
    def pay(self, amount: int) -> int:
        return self._till.add(amount)


class Hasty(Purse, supervision=Supervision(at_once=10**6, most=10**6, hang=0.4, start=0.6)):
    """Has no patience."""


class Broke(Purse):
    """Can't save its state after it has put something."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self._is_full = False

    @op(repeatable=True)
    def put(self, data: bytes, times: int) -> bytes:
        self._is_full = True
        return data * times

    def _saved(self) -> bytes:
        if self._is_full:
            raise fail(errno.ENOSPC)
        return super()._saved()
