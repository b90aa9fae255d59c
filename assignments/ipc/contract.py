"""A store, whose contents are to be listed. Ours: it counts by itself what it is asked."""

import errno
from typing import Annotated, NamedTuple

from kernels.arrivals import Arrivals
from twinos import Caller, Region, Service, fail, op, shared

LONGEST = 4096
"""Bytes that one `read` returns at most."""
WINDOW = 2 << 20
"""Bytes of the window."""


class Item(NamedTuple):
    """Something in the store.

    Attributes:
        name: what it is called.
        size: how many bytes it has.
    """

    name: str
    size: int


class Bill(NamedTuple):
    """What the store has counted since it was last asked.

    Attributes:
        requests: messages that came, whatever was in them; each had a reply.
        requests_within: what was asked by them: a batch is many requests in a message.
        copied: bytes of contents that went by message.
    """

    requests: int
    requests_within: int
    copied: int


class Store(Service):
    """Things by name, and an inventory of them.

    Args:
        window: memory of which users may map what `lend` puts there.
    """

    def __init__(self, window: Annotated[Region, shared]) -> None:
        if not window.size:
            window.resize(WINDOW)
        self._window = window
        self._things: dict[str, bytes] = {}
        self._inventory: dict[str, bytes] = {}
        self._arrivals = Arrivals()
        self._requests = self._copied = 0
        self._lost = ""

    # What the program may ask.

    @op
    def items(self) -> tuple[Item, ...]:
        """All that there is, or was when this was asked."""
        self._requests += 1
        return tuple(Item(name, len(thing)) for name, thing in self._things.items())

    @op
    def read(self, name: str, offset: int, count: int) -> bytes:
        """Some bytes of a thing. ENOENT: it is gone; EINVAL: negative, or more than `LONGEST`."""
        self._requests += 1
        if offset < 0 or not 0 <= count <= LONGEST:
            raise fail(errno.EINVAL)
        piece = self._thing(name)[offset : offset + count]
        self._copied += len(piece)
        return piece

    @op
    def lend(self, name: str, offset: int, place: int, count: int) -> int:
        """Put at most `count` bytes of a thing into the window, from `place` on; how many.

        The window is the region `window` of this service. ENOENT: the thing is gone; EINVAL: so
        many don't fit there.
        """
        self._requests += 1
        if offset < 0 or count < 0 or place < 0 or place + count > WINDOW:
            raise fail(errno.EINVAL)
        piece = self._thing(name)[offset : offset + count]
        self._window.memory[place : place + len(piece)] = piece
        return len(piece)

    @op
    def enter(self, name: str, digest: bytes) -> None:
        """Enter a thing into the inventory, with the SHA-256 of its bytes."""
        self._requests += 1
        self._inventory[name] = digest

    # What the tests ask.

    @op
    def fill(self, caller: Caller, name: str, thing: bytes) -> None:
        """Put something into the store. EPERM: only the superuser may."""
        self._require_root(caller)
        self._things[name] = thing

    @op
    def lose(self, caller: Caller, name: str) -> None:
        """A thing that is listed, and gone when it is asked for."""
        self._require_root(caller)
        self._lost = name

    @op
    def bill(self, caller: Caller) -> Bill:
        """What was counted since this was last asked; this does not count."""
        self._require_root(caller)
        counted = Bill(self._arrivals.number - 1, self._requests, self._copied)
        self._arrivals.number = self._requests = self._copied = 0
        return counted

    @op
    def inventory(self, caller: Caller) -> tuple[tuple[str, bytes], ...]:
        """What has been entered."""
        self._require_root(caller)
        return tuple(sorted(self._inventory.items()))

    def _thing(self, name: str) -> bytes:
        if name not in self._things or name == self._lost:
            raise fail(errno.ENOENT)
        return self._things[name]

    def _require_root(self, caller: Caller) -> None:
        if caller.uid:
            raise fail(errno.EPERM)
