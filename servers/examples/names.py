"""A name service: processes publish where they are to be found, and others find them.

After the data store of MINIX 3 (`ds`): names belong to whoever published them and vanish with it,
and who comes too early can wait. Its state survives it, by way of its requests (`twinos.journal`).
"""

import errno
import time
from typing import Annotated, NamedTuple

import msgspec

from twinos import NO_JOURNAL, Caller, Journal, Service, Signal, Waits, fail, op, replayed


class Entry(NamedTuple):
    """What is published under a name.

    Attributes:
        value: whatever the owner says of itself.
        owner: the owner's id.
        version: how many entries were published before this one, under any name: a later entry has
            a larger one.
    """

    value: bytes
    owner: int
    version: int


class _Kept(NamedTuple):
    """What is saved."""

    published: int
    entries: dict[str, Entry]


class NameService(Service):
    """Names and what they stand for.

    Args:
        limit: how many names one caller may own.
        journal: of requests.
    """

    def __init__(
        self, limit: int = 1024, journal: Annotated[Journal, replayed] = NO_JOURNAL
    ) -> None:
        del journal  # it is enough to have one
        self._limit = limit
        self._entries: dict[str, Entry] = {}
        self._published = 0
        self._changed = Signal()

    @op
    def publish(self, caller: Caller, name: str, value: bytes) -> int:
        """Publish a name, or change what it stands for; the version.

        EINVAL: the name is empty; EEXIST: it is another's; EMFILE: the caller owns too many.
        """
        if not name:
            raise fail(errno.EINVAL)
        present = self._entries.get(name)
        if present is not None and present.owner != caller.id:
            raise fail(errno.EEXIST, name)
        if present is None and self._owned(caller) >= self._limit:
            raise fail(errno.EMFILE, name)
        entry = self._entries[name] = Entry(value, caller.id, self._published)
        self._published += 1
        self._changed.notify()
        return entry.version

    @op
    def withdraw(self, caller: Caller, name: str) -> None:
        """Take a name back. ENOENT; EPERM: it is another's."""
        if self.lookup(name).owner != caller.id:
            raise fail(errno.EPERM, name)
        del self._entries[name]
        self._changed.notify()

    @op(idempotent=True)
    def lookup(self, name: str) -> Entry:
        """What a name stands for. ENOENT."""
        try:
            return self._entries[name]
        except KeyError:
            raise fail(errno.ENOENT, name) from None

    @op(idempotent=True)
    def names(self, prefix: str = "") -> tuple[str, ...]:
        """All names that begin with `prefix`, sorted."""
        return tuple(sorted(name for name in self._entries if name.startswith(prefix)))

    @op(idempotent=True)
    def wait_for(self, name: str, seconds: float, after: int = -1) -> Waits[Entry]:
        """What a name stands for, as soon as somebody has published it.

        Args:
            name: the name.
            seconds: how long to wait at most; ETIMEDOUT then.
            after: wait for a version later than this one.
        """
        deadline = time.monotonic() + seconds
        while (entry := self._entries.get(name)) is None or entry.version <= after:
            if not time.monotonic() < deadline:
                raise fail(errno.ETIMEDOUT, name)
            yield self._changed.until(deadline)
        return entry

    def _saved(self) -> bytes:
        return msgspec.msgpack.encode(_Kept(self._published, self._entries))

    def _restored(self, saved: bytes) -> None:
        kept = msgspec.msgpack.decode(saved, type=_Kept)
        self._published, self._entries = kept

    def _departed(self, caller: Caller) -> None:
        owned = [name for name, entry in self._entries.items() if entry.owner == caller.id]
        for name in owned:
            del self._entries[name]
        if owned:
            self._changed.notify()

    def _owned(self, caller: Caller) -> int:
        return sum(entry.owner == caller.id for entry in self._entries.values())
