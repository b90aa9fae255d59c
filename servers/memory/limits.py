"""What an address space may use, and what it uses."""

import errno
from typing import Final, NamedTuple

from servers.memory.mman import RLIM_INFINITY, RLIMIT_AS, RLIMIT_MEMLOCK, RLIMIT_RSS, RLIMIT_STACK
from twinos import fail

STACK: Final = 8 << 20
"""Bytes that a stack grows to, unless a limit says otherwise; as on Linux."""
PROGRAM: Final = 1 << 30
"""Bytes of a program's address space, unless the system or the program says otherwise."""

_KNOWN: Final = (RLIMIT_AS, RLIMIT_RSS, RLIMIT_STACK, RLIMIT_MEMLOCK)
_WORD: Final = 1 << 64


class Limit(NamedTuple):
    """A limit, after getrlimit(2), in bytes; RLIM_INFINITY, which is -1: none.

    Attributes:
        soft: what is enforced.
        hard: what a caller who is not the superuser may raise it to.
    """

    soft: int
    hard: int


class Limits:
    """The limits of one space; a fork inherits them."""

    __slots__ = ("_limits",)

    def __init__(self, limits: dict[int, Limit] | None = None) -> None:
        self._limits = limits or dict.fromkeys(_KNOWN, Limit(RLIM_INFINITY, RLIM_INFINITY)) | {
            RLIMIT_STACK: Limit(STACK, RLIM_INFINITY)
        }

    def copy(self) -> "Limits":
        """The same limits, to be changed apart."""
        return Limits(dict(self._limits))

    def all(self) -> list[tuple[int, Limit]]:
        """All of them, by resource."""
        return list(self._limits.items())

    def get(self, resource: int) -> Limit:
        """A limit. EINVAL: there is no such resource."""
        try:
            return self._limits[resource]
        except KeyError:
            raise fail(errno.EINVAL) from None

    def set(self, resource: int, limit: Limit, *, superuser: bool) -> None:
        """Change a limit. EINVAL: no such resource, or the soft one is higher. EPERM: raised."""
        old = self.get(resource)
        if _bytes(limit.soft) > _bytes(limit.hard):
            raise fail(errno.EINVAL)
        if _bytes(limit.hard) > _bytes(old.hard) and not superuser:
            raise fail(errno.EPERM)
        self._limits[resource] = limit

    def bytes(self, resource: int) -> int:
        """The bytes that are allowed."""
        return _bytes(self._limits[resource].soft)


def _bytes(limit: int) -> int:
    return limit % _WORD if limit < 0 else limit
