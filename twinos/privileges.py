"""Privileges: which operations somebody may call, and which memory a user may share.

A constructor that names `disk: Disk` may call all of Disk; one that names less gets less:

    def __init__(self, disk: Annotated[Disk, only("read", "readv")]) -> None: ...

Nobody gets what is not written down. Among users the superuser may call everything; all others may
call what is not `privileged` (see `Service`), and map the regions that are `shared`:

    def __init__(self, frames: Annotated[Region, shared]) -> None: ...
"""

import errno
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn

from twinos.caller import Caller
from twinos.operation import Bind, Op


class Only(NamedTuple):
    """A mark on a handle in a constructor: no more than these operations."""

    operations: frozenset[str]


def only(*operations: str) -> Only:
    """Narrow the handle that this annotates to some operations, by their names."""
    return Only(frozenset(operations))


class Shared:
    """A mark on a region in a constructor: every user may map it."""


shared: Final = Shared()


def narrowed(bind: Bind, client: str, allowed: frozenset[str]) -> Bind:
    """`bind`, for a client that may call the operations `allowed`; any other is refused."""

    def narrow(operation: Op) -> Callable[..., Any]:
        return bind(operation) if operation.name in allowed else denied(client, operation)

    return narrow


def denied(client: str, operation: Op) -> Callable[..., NoReturn]:
    """What a client calls in place of an operation that it may not call: EPERM, whatever it asks.

    MINIX calls this ECALLDENIED, for which the host has no number.
    """

    def refuse(*_arguments: object, **_named: object) -> NoReturn:
        raise OSError(errno.EPERM, f"{client} may not call {operation}")

    return refuse


def unmappable(caller: Caller, service: str, region: str) -> OSError:
    """What to raise for a region that a caller may not map: EPERM."""
    return OSError(errno.EPERM, f"{role(caller)} may not map {service}.{region}")


def role(caller: Caller) -> str:
    """As whom a caller is judged: a service by its name, `root`, or `user`."""
    if caller.name != "user":
        return caller.name
    return "user" if caller.uid else "root"
