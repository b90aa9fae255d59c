"""What travels between an image, a directory of the host and a tar file: one file at a time."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

CHUNK: Final = 1 << 20
"""Bytes of content that are in memory at a time."""

Content = Iterator[tuple[int, bytes]]
"""Parts of a file: where each begins, and its bytes. What is between them is zeros."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, directory, link or device.

    Attributes:
        path: its name below the top, `/` between the parts; empty for the top itself. Bytes that
            are not UTF-8 are lone surrogates, as in `os`.
        mode: type and permissions.
        uid: the owner.
        gid: the group.
        size: bytes of content.
        atime: when it was read last, in seconds.
        mtime: when it was changed last, in seconds.
        target: of a symbolic link, where it leads to.
        device: of a device, its major and minor number.
        link: the path of an entry that came before and is the same file, if there is one.
        content: reads its bytes; only until the next entry is asked for.
    """

    path: str
    mode: int
    uid: int
    gid: int
    size: int
    atime: int
    mtime: int
    target: str = ""
    device: tuple[int, int] = (0, 0)
    link: str | None = None
    content: Callable[[], Content] = lambda: iter(())

    @property
    def kind(self) -> int:
        """The type, one of `stat.S_IF*`."""
        return stat.S_IFMT(self.mode)

    @property
    def permissions(self) -> int:
        """The mode without the type."""
        return stat.S_IMODE(self.mode)


class LeftOut(Exception):  # not a failure: the rest is transferred
    """An entry can't be where it should go; the text says why, as the end of a sentence."""


class Sink(Protocol):
    """Where entries go."""

    def put(self, entry: Entry) -> None:
        """Make one file. LeftOut, if there can be none like it there; OSError."""

    def finish(self) -> None:
        """Do what has to wait until everything is there."""
