"""Operations on what is kept for the caller: working directory and umask."""

import errno

from servers.filesystem.path import MAX_DEPTH
from servers.filesystem.state import State, name_of
from twinos import Caller, fail, op


class CallerOperations(State):
    """Operations on the caller's own context."""

    @op
    def umask(self, caller: Caller, mask: int) -> int:
        """Set the permission bits that the caller's new files don't get; what they were."""
        context = self._context(caller)
        old, context.umask = context.umask, mask & 0o777
        return old

    @op
    def chdir(self, caller: Caller, path: str | int) -> None:
        """Set the caller's working directory. ENOTDIR, EACCES, EBADF; path errors."""
        context = self._settled(caller)
        inode = self._find(context, path, fully=False)
        self._change_directory(context, inode, name_of(path))

    @op
    def fchdir(self, caller: Caller, fd: int) -> None:
        """Make an open directory the working directory. EBADF, ENOTDIR, EACCES."""
        context = self._context(caller)
        self._change_directory(context, self._file(caller, fd).inode)

    @op(repeatable=True)
    def getcwd(self, caller: Caller) -> str:
        """The path of the caller's working directory. ENOENT if it has been removed."""
        here = self._settled(caller).cwd
        parts: list[str] = []
        while here is not self._volume.root:
            above, name = self._walker.name_of(here)
            parts.append(name)
            if len(parts) > MAX_DEPTH:
                raise fail(errno.ENAMETOOLONG)
            here = above
        return "/" + "/".join(reversed(parts))
