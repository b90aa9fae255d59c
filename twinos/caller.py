"""Who asks."""

from typing import NamedTuple


class Caller(NamedTuple):
    """Who sent a request, as the kernel knows it.

    An operation that takes `caller: Caller` as its first parameter gets this from the kernel. Under
    the microkernel it follows from the pipe on which the message came; no field of a message
    carries it, so it can't be forged.

    Attributes:
        id: unique in this system, never used twice.
        name: for people: the service that calls, or `user`.
        uid: the user id that permissions are checked against; 0 is the superuser.
        gid: the group id.
        groups: supplementary group ids.
    """

    id: int
    name: str = "user"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
