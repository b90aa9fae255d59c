"""What the file system keeps for each caller: open files, working directory, umask."""

import errno
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from servers.filesystem.inode import Inode
from twinos import Caller, fail

FIRST_DESCRIPTOR: Final = 3
"""0 to 2 are a program's standard streams; only `dup2` gives them out."""
_DURABLE: Final = os.O_SYNC | os.O_DSYNC
_DEFAULT_UMASK: Final = 0o022


@dataclass(frozen=True, slots=True)  # its attributes are read faster than a tuple's
class Access:
    """What an open file allows, from the flags of `open`.

    Attributes:
        read, write: whether its content may be read or written by it.
        append: whether writes go to the end.
        durable: whether writes are on the medium when they return.
        quiet: whether reads leave the access time alone.
        place: whether it only says where the file is (O_PATH).
    """

    read: bool
    write: bool
    append: bool
    durable: bool
    quiet: bool
    place: bool


@lru_cache(maxsize=256)
def access_of(flags: int) -> Access:
    """What a file opened with `flags` allows."""
    place = bool(flags & os.O_PATH)
    mode = 0 if place else (flags & os.O_ACCMODE) + 1  # O_RDONLY, O_WRONLY, O_RDWR: 1, 2, 3
    return Access(
        read=bool(mode & 1),
        write=bool(mode & 2),
        append=bool(flags & os.O_APPEND),
        durable=bool(flags & _DURABLE),
        quiet=bool(flags & os.O_NOATIME),
        place=place,
    )


class OpenFile:
    """A file as `open` gave it; descriptors made by `dup` share it.

    Attributes:
        inode: the file.
        access: what it allows.
        position: where the next read or write begins.
        shares: how many descriptors there are of it.
    """

    __slots__ = ("access", "inode", "position", "shares")

    def __init__(self, inode: Inode, access: Access) -> None:
        self.inode = inode
        self.access = access
        self.position = 0
        self.shares = 1


class Context:
    """What one caller has.

    Attributes:
        caller: who it is; the kernel may come to know more groups of it.
        cwd: the working directory.
        umask: permission bits that new files don't get.
        files: open files by descriptor.
        known: directories by the part of a path that led to them, slash included: found, and
            allowed to be searched.
    """

    __slots__ = ("_lowest", "caller", "cwd", "files", "known", "umask")

    def __init__(self, caller: Caller, cwd: Inode) -> None:
        self.caller = caller
        self.cwd = cwd
        self.umask = _DEFAULT_UMASK
        self.files: dict[int, OpenFile] = {}
        self.known: dict[str, Inode] = {}
        self._lowest = FIRST_DESCRIPTOR  # none below it is free

    def add(self, file: OpenFile) -> int:
        """The lowest free descriptor, now of `file`."""
        files = self.files
        descriptor = self._lowest
        while descriptor in files:
            descriptor += 1
        files[descriptor] = file
        self._lowest = descriptor + 1
        return descriptor

    def remove(self, descriptor: int) -> OpenFile:
        """Free a descriptor; what it was of. EBADF."""
        try:
            file = self.files.pop(descriptor)
        except KeyError:
            raise fail(errno.EBADF) from None
        if FIRST_DESCRIPTOR <= descriptor < self._lowest:
            self._lowest = descriptor
        return file
