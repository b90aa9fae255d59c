"""Attributes and errors as FUSE wants them."""

import errno
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Final

import pyfuse3

from servers.filesystem import Stat, StatVFS
from twinos import KernelPanic, ServerDied
from twinos.errors import describe

LASTING: Final = 300.0
"""Seconds that the host may keep what it was told: whatever changes an image comes through it."""


def attributes(found: Stat) -> Any:
    """What FUSE is told of a file."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = found.st_ino
    entry.entry_timeout = entry.attr_timeout = LASTING
    entry.st_mode = found.st_mode
    entry.st_nlink = found.st_nlink
    entry.st_uid = found.st_uid
    entry.st_gid = found.st_gid
    entry.st_rdev = found.st_rdev
    entry.st_size = found.st_size
    entry.st_blksize = found.st_blksize
    entry.st_blocks = found.st_blocks
    entry.st_atime_ns = found.st_atime_ns
    entry.st_mtime_ns = found.st_mtime_ns
    entry.st_ctime_ns = found.st_ctime_ns
    return entry


def absent() -> Any:
    """That there is no such name, which the host may remember too."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = 0
    entry.entry_timeout = LASTING
    return entry


def room(found: StatVFS) -> Any:
    """What FUSE is told of the file system."""
    data = pyfuse3.StatvfsData()
    for name in (
        "f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail",
        "f_files", "f_ffree", "f_favail", "f_namemax",
    ):  # fmt: skip
        setattr(data, name, getattr(found, name))
    return data


def answering(
    method: Callable[..., Any],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A handler as pyfuse3 calls it: a coroutine, whose errors are `FUSEError`.

    It never waits for anything: one request is done before the next begins. A panic ends all; a
    mistake of ours is said, and costs no more than the request.
    """

    @wraps(method)
    async def answer(self: Any, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except ServerDied:
            raise pyfuse3.FUSEError(errno.EIO) from None
        except OSError as error:
            raise pyfuse3.FUSEError(error.errno or errno.EIO) from None
        except KernelPanic as panic:
            self.panic = panic
            pyfuse3.terminate()
            raise pyfuse3.FUSEError(errno.EIO) from None
        except Exception as error:  # noqa: BLE001 (a mistake costs one request, not the mount)
            print(f"twinos: {method.__name__}: {describe(error)}", file=sys.stderr, flush=True)
            raise pyfuse3.FUSEError(errno.EIO) from None

    return answer
