"""Everything that a mounted file system shows, in a form that can be compared."""

import os
import stat
from typing import Any, NamedTuple

from servers.filesystem import FileSystem
from twinos import Caller

_LOOKER = Caller(1 << 40, "looker")


class Shown(NamedTuple):
    """What is under one name.

    Attributes:
        mode: type and permissions.
        inode: the inode's number.
        links: names of it.
        times: of change of the content and of the inode, in ns; to look is an access itself.
        content: bytes, or the target of a link; of other files, nothing.
    """

    mode: int
    inode: int
    links: int
    times: tuple[int, int]
    content: bytes


Tree = dict[str, Shown]
"""What is where, the root included."""


def look(files: FileSystem) -> Tree:
    """Everything, through the operations that a program has."""
    call: Any = files
    found: Tree = {}
    pending = ["/"]
    while pending:
        path = pending.pop()
        status = call.lstat(_LOOKER, path)
        times = (status.st_mtime_ns, status.st_ctime_ns)
        content = _content(call, path, status)
        found[path] = Shown(status.st_mode, status.st_ino, status.st_nlink, times, content)
        if stat.S_ISDIR(status.st_mode):
            names = call.listdir(_LOOKER, path)
            pending += [os.path.join(path, name) for name in names]
    return found


def _content(call: Any, path: str, status: Any) -> bytes:
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(call.readlink(_LOOKER, path))
    if not stat.S_ISREG(status.st_mode):
        return b""
    descriptor = call.open(_LOOKER, path, os.O_RDONLY | os.O_NOATIME)
    try:
        return bytes(call.pread(_LOOKER, descriptor, status.st_size + 1, 0))  # it may be in pages
    finally:
        call.close(_LOOKER, descriptor)
