"""Commitment: how much memory has been promised, and how much can be."""

import errno
from typing import Final

from twinos import fail


class Commit:
    """Pages that may have to be kept, all at once, against those that there is room for.

    Without overcommitment what is promised can be kept: a page that may be written has a place in
    a frame or in the swap area, whatever all others do. One slot is left over, to exchange pages
    by. So memory runs out where it is asked for, in `mmap`, `brk`, `fork` and `mprotect`, and never
    at a store.

    Args:
        limit: pages that there is room for.
        strict: whether to refuse what there may be no room for.

    Attributes:
        total: pages that are promised.
    """

    __slots__ = ("_strict", "limit", "total")

    def __init__(self, limit: int, *, strict: bool) -> None:
        self.limit: Final = limit
        self._strict = strict
        self.total = 0

    def charge(self, pages: int) -> None:
        """Promise some more; fewer, if negative. ENOMEM: there may be no room."""
        if self._strict and pages > 0 and self.total + pages > self.limit:
            raise fail(errno.ENOMEM)
        self.total += pages
