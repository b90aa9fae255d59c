"""Locks on files: POSIX record locks, which callers own, and flock(2), which open files own.

A record lock covers bytes. Its owner's locks replace one another; those of others conflict unless
both only read. Whoever would wait in a circle is told so instead. The two kinds don't know of each
other, as on Linux.
"""

import errno
from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from servers.filesystem.inode import Inode
from twinos import Signal, Waits, fail

Owner = Hashable


class Span(NamedTuple):
    """Bytes of a file, from `start` up to `end`, to be written (`exclusive`) or only read."""

    start: int
    end: int
    exclusive: bool

    def meets(self, other: "Span") -> bool:
        """Whether both have a byte."""
        return self.start < other.end and other.start < self.end


WHOLE: Final = Span(0, 1 << 63, exclusive=True)
"""All that a file can have."""


class _Held(NamedTuple):
    owner: Owner
    span: Span


class Locks:
    """The locks of one kind, of all files."""

    def __init__(self) -> None:
        self._files: dict[Inode, list[_Held]] = {}
        self._waiting: dict[Owner, Owner] = {}
        self._changed: Final = Signal()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._files)

    def held(self) -> Iterator[tuple[Inode, Owner, Span]]:
        """All of them: which file, whose, and what of it."""
        for inode, held in self._files.items():
            for owner, span in held:
                yield inode, owner, span

    def in_the_way(self, inode: Inode, owner: Owner, span: Span) -> tuple[Owner, Span] | None:
        """The first lock of somebody else that conflicts with this one."""
        for held in self._files.get(inode, ()):
            strict = span.exclusive or held.span.exclusive
            if held.owner != owner and strict and held.span.meets(span):
                return held
        return None

    def take(self, inode: Inode, owner: Owner, span: Span) -> None:
        """Own these bytes so, however they were owned before. Nothing is in the way."""
        self.give_back(inode, owner, span)
        held = self._files.setdefault(inode, [])
        for other in [each for each in held if each.owner == owner]:
            alike = other.span.exclusive == span.exclusive
            if alike and other.span.start <= span.end and span.start <= other.span.end:
                held.remove(other)
                start, end = min(other.span.start, span.start), max(other.span.end, span.end)
                span = Span(start, end, span.exclusive)
        held.append(_Held(owner, span))
        held.sort(key=_start)

    def give_back(self, inode: Inode, owner: Owner, span: Span) -> None:
        """Own none of these bytes any more."""
        held = self._files.get(inode)
        if held is None:
            return
        left: list[_Held] = []
        for each in held:
            if each.owner == owner and each.span.meets(span):
                left += [_Held(owner, part) for part in _without(each.span, span)]
            else:
                left.append(each)
        if left:
            self._files[inode] = left
        else:
            del self._files[inode]
        if left != held:
            self._changed.notify()

    def waited(self, inode: Inode, owner: Owner, span: Span) -> Waits[None]:
        """Return when nothing is in the way. EDEADLK: whoever is waits for this owner."""
        while (found := self.in_the_way(inode, owner, span)) is not None:
            if self._leads_to(owner, found[0]):
                raise fail(errno.EDEADLK)
            self._waiting[owner] = found[0]
            try:
                yield self._changed
            finally:
                self._waiting.pop(owner, None)

    def _leads_to(self, owner: Owner, other: Owner) -> bool:
        """Whether `other` waits, perhaps by way of others, for `owner`."""
        seen: set[Owner] = set()
        while other in self._waiting and other not in seen:
            seen.add(other)
            other = self._waiting[other]
            if other == owner:
                return True
        return False


def _start(held: _Held) -> int:
    return held.span.start


def _without(whole: Span, hole: Span) -> list[Span]:
    """What is left of a span."""
    parts = [
        whole._replace(end=min(whole.end, hole.start)),
        whole._replace(start=max(whole.start, hole.end)),
    ]
    return [part for part in parts if part.start < part.end]
