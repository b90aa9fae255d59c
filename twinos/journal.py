"""Journals: how a service's state survives its process.

    class Tally(Service):
        def __init__(self, journal: Journal) -> None: ...      # its state is to survive
        def _saved(self) -> bytes: ...                          # all of it, as bytes
        def _restored(self, saved: bytes) -> None: ...          # be what was saved

A service that names a `Journal` in its constructor comes back with everything that it has
acknowledged. After each operation, before the client hears of it, the kernel publishes in memory
that outlives the service what has changed, which request that was, and what it came to: by one
store, so a crash leaves all of it or nothing. A client's stub sends a request that was cut short
again; if it had been done, it gets the reply that is remembered, and so nobody notices.

What is published is by default `_saved()`, which suits a small state. A service whose state is
large marks its journal: `Annotated[Journal, replayed]`. Then the request itself is published, and
after a crash all requests since the last `_saved()` are carried out again. Such a service has to be
deterministic: it asks its journal for the time, and nobody else for anything that changes.

A third kind says itself what has changed: `Annotated[Journal, noted]`. After each operation it is
asked for that, by `_unsaved()`, which is published with the reply, also of one that fails; a later
life is told of it again, by `_noted`. It suits a service whose large data lie in regions of its
own: only what is missing there has to be told.

Operations that change nothing say so: `@op(repeatable=True)` costs no record, and is simply sent
again. Whatever an operation that waits changes, it changes after it has waited for the last time.

State survives where a service has an address space of its own. Elsewhere a journal keeps nothing.
"""

import time
from collections.abc import Callable
from enum import Enum
from typing import Final


class Recording(Enum):
    """What a journal records of each operation. Two of them are marks in a constructor."""

    STATE = "its state is recorded"
    CHANGES = "what changes is recorded"
    REQUESTS = "requests are recorded"


replayed: Final = Recording.REQUESTS
noted: Final = Recording.CHANGES


class Journal:
    """What a service may ask of its journal. This one keeps nothing.

    Attributes:
        kept: whether anything is: whether the service's state survives it.
        reborn: whether this life goes on where an earlier one ended.
        replaying: whether requests of that are being carried out again.
    """

    kept: bool = False
    reborn: bool = False
    replaying: bool = False

    time: Callable[[], float] = staticmethod(time.time)  # itself: it is asked for at every read
    """Seconds since 1970; of a request that is carried out again, as they were then."""

    def note(self, data: bytes) -> None:
        """Record something now, for `_noted`: what a repeatable operation has changed, say.

        Args:
            data: what the service wants to be told of it.
        """

    def save(self, state: bytes, rest: bytes = b"") -> None:
        """Publish all of the service's state: what was recorded before is part of it.

        For a service that decides itself when; others have `_saved` called. It may be called in
        the middle of an operation, which is then not done yet.

        Args:
            state: what `_restored` is to be given.
            rest: what has to be done after this, and is lost if the service dies: see `unfinished`.
        """

    def finished(self) -> None:
        """The rest of the last `save` has been done."""

    def unfinished(self) -> bytes:
        """For the constructor of a later life: what an earlier one had yet to do; or nothing."""
        return b""


NO_JOURNAL: Final = Journal()
"""The one of a service that stands alone: for the default of a parameter."""
