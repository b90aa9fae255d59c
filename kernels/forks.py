"""What a forked child inherits of a running system: nothing that it could spoil.

A child that used its parent's pipes would mix its requests with the parent's, and a copy of a
monolithic kernel would write to the parent's disk. So in the child every kernel is told: one that
lives in other processes is reached anew, as another caller; one that lives here is shut.
"""

import os
import weakref
from typing import Final, Protocol


class Abandoned(Protocol):
    """Something that must not be used in a child of the process that made it."""

    def abandon(self) -> None:
        """Called in the child, right after the fork."""


running: Final[weakref.WeakSet[Abandoned]] = weakref.WeakSet()


def _abandon_all() -> None:
    for kernel in list(running):  # and in a child of the child again
        kernel.abandon()


os.register_at_fork(after_in_child=_abandon_all)
