"""What clients record, a line of JSON each; what is written to a file is known by a number."""

import random
from typing import Final, Literal

import msgspec

Action = Literal["put", "get", "unlink", "sync", "newcomer", "shutdown"]

ABSENT: Final = 0
EMPTY: Final = -1
GARBAGE: Final = -2


class Step(msgspec.Struct, frozen=True):
    """What a client does.

    Attributes:
        action: put, get and unlink are what they say; a newcomer enters and looks at the root.
        client: which of the two.
        path: of the file, if it is about one.
        version: what is put.
    """

    action: Action
    client: int = 0
    path: str = ""
    version: int = ABSENT


class Done(msgspec.Struct, frozen=True, tag=True):
    """A step was done, or failed.

    Attributes:
        found: by a get.
        error: the class of the exception and its text; empty: there was none.
        ended: when, in ns of the monotonic clock.
        down: whether nothing answers any more.
    """

    found: int
    error: str
    ended: int
    down: bool = False


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The script was done to its end.

    Attributes:
        restarts: lives of servers after the first.
    """

    restarts: int


def content(version: int) -> bytes:
    """What a file holds in a version: its number, then noise."""
    rng = random.Random(version)
    return b"%08d" % version + rng.randbytes(rng.randrange(100, 6000))


def version_of(data: bytes) -> int:
    """The version that this is, all of it."""
    if not data:
        return EMPTY
    number = int(data[:8]) if data[:8].isdigit() else GARBAGE
    return number if number > 0 and data == content(number) else GARBAGE
