"""Somebody other than the caller: for services that do something on others' behalf."""

import errno
from typing import NamedTuple

from twinos import Caller, fail


class Who(NamedTuple):
    """Whom a service speaks of; the fields are those of `Caller`, which only the kernel makes."""

    id: int
    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def require_service(caller: Caller) -> None:
    """EPERM unless a service asks: what one may do for others, no user may."""
    if caller.name == "user":
        raise fail(errno.EPERM)
