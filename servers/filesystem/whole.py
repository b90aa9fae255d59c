"""Operations on the file system as a whole, and on what it has not: extended attributes."""

import errno
import os
from typing import Final

from servers.filesystem.inode import Inode
from servers.filesystem.layout import BLOCK_SIZE, LINK_MAX, NAME_MAX, PATH_MAX
from servers.filesystem.results import PREFERRED, MemoryUse, StatVFS
from servers.filesystem.state import State, name_of
from twinos import Caller, fail, op

_LIMITS: Final = {
    "PC_LINK_MAX": LINK_MAX,
    "PC_NAME_MAX": NAME_MAX,
    "PC_PATH_MAX": PATH_MAX,
    "PC_SYMLINK_MAX": PATH_MAX - 1,
    "PC_CHOWN_RESTRICTED": 1,
    "PC_NO_TRUNC": 1,
    "PC_SYNC_IO": 1,
    "PC_FILESIZEBITS": 32,
    "PC_REC_XFER_ALIGN": BLOCK_SIZE,
    "PC_ALLOC_SIZE_MIN": BLOCK_SIZE,
    "PC_REC_MIN_XFER_SIZE": PREFERRED,
    "PC_REC_MAX_XFER_SIZE": -1,
    "PC_REC_INCR_XFER_SIZE": -1,
    "PC_PIPE_BUF": PATH_MAX,
    "PC_MAX_CANON": 255,
    "PC_MAX_INPUT": 255,
    "PC_VDISABLE": 0,
    "PC_ASYNC_IO": -1,
    "PC_PRIO_IO": -1,
    "PC_SOCK_MAXBUF": -1,
}
_NAMES: Final = {number: name for name, number in os.pathconf_names.items()}


class WholeOperations(State):
    """Operations that are about all of the file system, whatever path they are given."""

    @op(repeatable=True)
    def statvfs(self, caller: Caller, path: str | int) -> StatVFS:
        """How large the file system is, and how full. EBADF; path errors."""
        self._find(self._context(caller), path, fully=False)
        return self._room()

    @op(repeatable=True)
    def fstatvfs(self, caller: Caller, fd: int) -> StatVFS:
        """`statvfs` by an open file. EBADF."""
        self._file(caller, fd)
        return self._room()

    @op(repeatable=True)
    def pathconf(self, caller: Caller, path: str | int, name: str | int) -> int:
        """A limit, by its name in `os.pathconf_names`; -1 for none. EINVAL; EBADF; path errors."""
        self._find(self._context(caller), path, fully=False)
        return _limit(name)

    @op(repeatable=True)
    def fpathconf(self, caller: Caller, fd: int, name: str | int) -> int:
        """`pathconf` by an open file. EBADF, EINVAL."""
        self._file(caller, fd)
        return _limit(name)

    @op(repeatable=True)
    def memory(self) -> MemoryUse:
        """What is kept in memory, and how much of it there may be."""
        paths = sum(len(context.known) for context in self._contexts.values())
        return self._volume.memory_use(paths)

    @op(repeatable=True)
    def sync(self) -> None:
        """Have everything on the medium before this returns. EIO."""
        self._volume.sync()

    @op(repeatable=True)
    def listxattr(
        self, caller: Caller, path: str | int | None = None, *, follow_symlinks: bool = True
    ) -> tuple[str, ...]:
        """The names of a file's extended attributes: the format has none. EBADF; path errors."""
        self._bare(caller, path, follow=follow_symlinks)
        return ()

    @op(repeatable=True)
    def getxattr(
        self, caller: Caller, path: str | int, attribute: str, *, follow_symlinks: bool = True
    ) -> bytes:
        """EOPNOTSUPP: the format has no extended attributes. EBADF; path errors."""
        del attribute
        self._bare(caller, path, follow=follow_symlinks)
        raise fail(errno.EOPNOTSUPP, name_of(path))

    @op(repeatable=True)
    def setxattr(
        self,
        caller: Caller,
        path: str | int,
        attribute: str,
        value: bytes,
        flags: int = 0,
        *,
        follow_symlinks: bool = True,
    ) -> None:
        """EOPNOTSUPP: the format has no extended attributes. EBADF; path errors."""
        del attribute, value, flags
        self._bare(caller, path, follow=follow_symlinks)
        raise fail(errno.EOPNOTSUPP, name_of(path))

    @op(repeatable=True)
    def removexattr(
        self, caller: Caller, path: str | int, attribute: str, *, follow_symlinks: bool = True
    ) -> None:
        """EOPNOTSUPP: the format has no extended attributes. EBADF; path errors."""
        del attribute
        self._bare(caller, path, follow=follow_symlinks)
        raise fail(errno.EOPNOTSUPP, name_of(path))

    def _room(self) -> StatVFS:
        found = self._volume.statvfs()
        return found._replace(f_flag=os.ST_RDONLY) if self._read_only else found

    def _bare(self, caller: Caller, path: str | int | None, *, follow: bool) -> Inode:
        """The file that has no extended attributes; the working directory if none is named."""
        context = self._context(caller)
        return context.cwd if path is None else self._find(context, path, follow=follow)


def _limit(name: str | int) -> int:
    known = name if isinstance(name, str) else _NAMES.get(name, "")
    if known not in _LIMITS:
        raise fail(errno.EINVAL)
    return _LIMITS[known]
