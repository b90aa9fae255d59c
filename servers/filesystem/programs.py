"""Operations for services that manage programs: what one is made of, inherits, and opens."""

import errno
import os
from stat import S_IFIFO, S_IFLNK, S_IFREG

from servers.filesystem.descriptors import OpenFile, access_of
from servers.filesystem.inode import Inode
from servers.filesystem.mapping import Text
from servers.filesystem.permission import READ, SEARCH, WRITE, permits, require
from servers.filesystem.state import State
from servers.who import Who, require_service
from twinos import Caller, fail, op


class ProgramOperations(State):
    """What only services may ask, on behalf of programs: EPERM for users."""

    @op(repeatable=True)
    def load(self, caller: Caller, who: Who, path: str, length: int) -> bytes:
        """The first bytes of a program that `who` may execute.

        EACCES for what is no regular file or not executable; EPERM; path errors.
        """
        require_service(caller)
        return self._content.read(self._executable(Caller(*who), path), 0, max(length, 0))

    @op
    def mapping_program(self, caller: Caller, who: Who, path: str) -> Text:
        """The file of a program that `who` may execute is mapped once more. Errors of `load`."""
        require_service(caller)
        inode = self._executable(Caller(*who), path)
        return Text(self._volume.lending.open(inode), inode.size)

    @op
    def fifo(self, caller: Caller, who: Who, path: str, flags: int) -> tuple[int, int]:
        """A FIFO that `who` may open with these flags, kept open for the service that asks.

        Returns:
            Its number, which no other has meanwhile; the service's descriptor of it, to be closed.

        Raises:
            OSError: ENXIO: it is something else; EPERM: only services may ask; EACCES, EMFILE,
                ELOOP (O_NOFOLLOW), path errors.
        """
        require_service(caller)
        context, inode = self._context(caller), self._named(Caller(*who), path, flags)
        if inode.kind != S_IFIFO:
            raise fail(errno.ELOOP if inode.kind == S_IFLNK else errno.ENXIO, path)
        if len(context.files) >= self._max_files:
            raise fail(errno.EMFILE, path)
        access = flags & os.O_ACCMODE
        wanted = (READ if access != os.O_WRONLY else 0) | (WRITE if access else 0)
        require(inode, Caller(*who), wanted, path)
        inode.opens += 1
        return inode.number, context.add(OpenFile(inode, access_of(os.O_PATH)))

    def _named(self, who: Caller, path: str, flags: int) -> Inode:
        return self._find(self._settled(who), path, None, follow=not flags & os.O_NOFOLLOW)

    def _executable(self, who: Caller, path: str) -> Inode:
        """A regular file that somebody may execute. EACCES, path errors."""
        inode = self._walker.find(self._settled(who), path)
        if inode.kind != S_IFREG or not permits(inode, who, SEARCH):
            raise fail(errno.EACCES, path)
        return inode

    @op
    def inherit(
        self,
        caller: Caller,
        parent: Who,
        child: Who,
        descriptors: tuple[int, ...],
        directory: str = "",
    ) -> None:
        """Give a new caller a parent's umask, working directory, and some of its open files.

        The files keep their numbers, and share their positions with the parent's.

        Args:
            caller: the process manager.
            parent: whose they are.
            child: who gets them.
            descriptors: which.
            directory: another working directory for the child; empty: the parent's.

        Raises:
            OSError: EBADF, EPERM; path errors for the directory, which the child must be allowed
                to search.
        """
        require_service(caller)
        source, target = self._settled(Caller(*parent)), self._context(Caller(*child))
        files = {number: self._file(source.caller, number) for number in descriptors}
        old, target.cwd = target.cwd, source.cwd
        target.cwd.opens += 1
        self._volume.closed(old)
        if directory:
            inode = self._walker.find(target, directory)
            self._change_directory(target, inode, directory)
        target.umask = source.umask
        for number, file in files.items():
            file.shares += 1
            target.files[number] = file
