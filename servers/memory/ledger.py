"""The ledger: what has changed that the regions do not hold, for a later life of the service.

A change is a tuple: a word and what it is about. The regions have what is in pages and where they
are; the ledger has address spaces, what is mapped in them, memory objects and their names. All that
there is is told as changes, too: as those that make it out of nothing.

    begun    SPACE OWNER FAMILY             a space, empty, in a family
    copied   SPACE PARENT OWNER             a fork
    ended    SPACE
    killed   SPACE OWNER PAGES              it had to go when memory ran out
    area     SPACE START END PROT ...       this is mapped there, where nothing was
    gone     SPACE START END                nothing is mapped there
    brk      SPACE ADDRESS
    limited  SPACE RESOURCE SOFT HARD
    object   OBJECT PAGES                   zeros that are shared; so many pages are promised
    file     OBJECT FILE                    a file
    memory   OBJECT UID GID MODE SIZE       shared memory
    sized    OBJECT SIZE
    named    NAME OBJECT
    unnamed  NAME
    opened   CALLER FD OBJECT WRITABLE
    closed   CALLER FD
    last     NUMBER                         the last that an object or a family was given
"""

from collections.abc import Callable
from typing import Any, Final

from twinos import Journal
from twinos.codec import decoder, encode

Change = tuple[Any, ...]

_read: Final = decoder(list[list[Any]])


class Ledger:
    """Changes that have not been told yet.

    Args:
        journal: whom to tell.

    Attributes:
        note: takes a change.
    """

    __slots__ = ("_changes", "_journal", "note")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._changes: list[Change] = []
        self.note: Callable[[Change], None] = self._changes.append if journal.kept else _ignore

    def taken(self) -> bytes:
        """The changes since this was last asked."""
        if not self._changes:
            return b""
        told = written(self._changes)
        self._changes.clear()
        return told

    def publish(self) -> None:
        """Tell them now: what comes next can't be undone, or the operation fails."""
        if self._changes:
            self._journal.note(self.taken())


def _ignore(change: Change) -> None:
    """Nobody wants to know."""


def written(changes: list[Change]) -> bytes:
    """Changes as bytes."""
    return encode(changes)


def read(told: bytes) -> list[list[Any]]:
    """The changes that `written` made bytes of."""
    changes: list[list[Any]] = _read(told)
    return changes
