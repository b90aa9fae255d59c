"""Operations that give and take descriptors."""

import errno
import os
from stat import S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG
from typing import Final

from servers.filesystem.descriptors import Context, OpenFile, access_of
from servers.filesystem.inode import Inode
from servers.filesystem.permission import READ, SEARCH, WRITE, ownership, owns, require
from servers.filesystem.state import State
from twinos import Caller, fail, op

# Names of a module cost more to look up than a module's own.
_CREAT: Final = os.O_CREAT
_DIRECTORY: Final = os.O_DIRECTORY
_EXCL: Final = os.O_EXCL
_NOFOLLOW: Final = os.O_NOFOLLOW
_PATH: Final = os.O_PATH
_ALONE: Final = os.O_ACCMODE | os.O_NONBLOCK | os.O_TRUNC
_TMPFILE: Final = os.O_TMPFILE & ~os.O_DIRECTORY
_UNUSUAL: Final = os.O_CREAT | _TMPFILE | os.O_PATH


class OpenOperations(State):
    """Operations that give and take descriptors."""

    @op
    def open(
        self,
        caller: Caller,
        path: str,
        flags: int,
        mode: int = 0o777,
        *,
        dir_fd: int | None = None,
    ) -> int:
        """Open a file, or make one (O_CREAT); its descriptor, the lowest free from 3 on.

        Known flags: O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL,
        O_NOATIME, O_NOFOLLOW, O_PATH, O_SYNC, O_TMPFILE, O_TRUNC; those about terminals, blocking
        and exec mean nothing here. With O_PATH the descriptor only says where the file is, which
        needs no permission: for `fstat`, `fchdir`, `dup`, and as a `dir_fd`.

        EMFILE, EEXIST, EISDIR, ENOTDIR, ELOOP, EACCES, EPERM, EINVAL, ENOSPC; ENXIO for devices,
        FIFOs and sockets: nobody is at their other end. A FIFO can be opened all the same with
        O_RDONLY | O_NONBLOCK, and is at its end: this service has nobody wait for a writer.
        """
        context = self._asking if caller is self._asker else self._context(caller)
        if self._memory.used > self._memory.limit:
            self._make_room()
        if len(context.files) >= self._max_files:
            raise fail(errno.EMFILE, path)
        if flags & _UNUSUAL:
            inode = self._open_unusual(context, path, flags, mode, dir_fd)
        else:
            if dir_fd is None and not flags & _NOFOLLOW:
                inode = self._walker.find(context, path)
            else:
                inode = self._find(context, path, dir_fd, follow=not flags & _NOFOLLOW)
            if flags & ~self._harmless or caller.uid or inode.kind != S_IFREG:
                self._open_existing(context, inode, flags, path)
        inode.opens += 1
        inode.recent = True
        return context.add(OpenFile(inode, access_of(flags)))

    @op
    def close(self, caller: Caller, fd: int) -> None:
        """Close a descriptor. EBADF."""
        context = self._asking if caller is self._asker else self._context(caller)
        self._release(caller, context.remove(fd))

    @op
    def closerange(self, caller: Caller, fd_low: int, fd_high: int) -> None:
        """Close the descriptors from `fd_low` to `fd_high` - 1 that there are."""
        context = self._context(caller)
        for fd in [fd for fd in context.files if fd_low <= fd < fd_high]:
            self._release(caller, context.remove(fd))

    @op
    def dup(self, caller: Caller, fd: int) -> int:
        """Another descriptor of the same open file: they share its position. EBADF, EMFILE."""
        context = self._context(caller)
        file = self._file(caller, fd)
        if len(context.files) >= self._max_files:
            raise fail(errno.EMFILE)
        file.shares += 1
        return context.add(file)

    @op
    def dup2(self, caller: Caller, fd: int, fd2: int) -> int:
        """Make `fd2` a descriptor of the same open file as `fd`; close what it was. EBADF."""
        context = self._context(caller)
        file = self._file(caller, fd)
        if not 0 <= fd2 < self._max_files:
            raise fail(errno.EBADF)
        if fd != fd2:
            old = context.files.get(fd2)
            file.shares += 1
            context.files[fd2] = file
            if old is not None:
                self._release(caller, old)
        return fd2

    def _open_unusual(
        self, context: Context, path: str, flags: int, mode: int, dir_fd: int | None
    ) -> Inode:
        """`open` that may make a file, or only wants to know where it is."""
        if flags & _PATH:
            found = self._find(context, path, dir_fd, follow=not flags & _NOFOLLOW)
            if flags & _DIRECTORY and found.kind != S_IFDIR:
                raise fail(errno.ENOTDIR, path)
            return found
        if flags & _TMPFILE:
            return self._make_nameless(context, path, flags, mode, dir_fd)
        if flags & _DIRECTORY:
            raise fail(errno.EINVAL, path)
        at = None if dir_fd is None else self._at(context, path, dir_fd)
        follow = not flags & (_EXCL | _NOFOLLOW)
        parent, name, inode = self._walker.place_to_create(context, path, follow=follow, at=at)
        if inode is None:
            self._require_writable(path)
            mode = S_IFREG | mode & 0o7777 & ~context.umask
            return self._make(context, parent, name, mode, path)
        if flags & _EXCL:
            raise fail(errno.EEXIST, path)
        self._open_existing(context, inode, flags, path)
        return inode

    def _make_nameless(
        self, context: Context, path: str, flags: int, mode: int, dir_fd: int | None
    ) -> Inode:
        """A file in a directory that has no name, and never gets one (O_TMPFILE)."""
        if flags & _CREAT or not flags & _DIRECTORY or flags & os.O_ACCMODE == os.O_RDONLY:
            raise fail(errno.EINVAL, path)
        parent = self._find(context, path, dir_fd, follow=not flags & _NOFOLLOW)
        if parent.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, path)
        self._require_writable(path)
        require(parent, context.caller, WRITE | SEARCH, path)
        mode = S_IFREG | mode & 0o7777 & ~context.umask
        mode, uid, gid = ownership(parent, context.caller, mode)
        inode = self._volume.table.create(mode, uid, gid, 0, self._now())
        inode.links = 0
        self._volume.table.hide(inode)
        return inode

    def _open_existing(self, context: Context, inode: Inode, flags: int, path: str) -> None:
        """See whether the file may be opened so, and cut it if that is asked for."""
        access = flags & os.O_ACCMODE
        writes = access or flags & os.O_TRUNC
        if inode.kind == S_IFDIR:
            if writes or flags & _CREAT:
                raise fail(errno.EISDIR, path)
        elif flags & _DIRECTORY:
            raise fail(errno.ENOTDIR, path)
        elif inode.kind == S_IFLNK:
            raise fail(errno.ELOOP, path)
        wanted = (READ if access != os.O_WRONLY else 0) | (WRITE if writes else 0)
        require(inode, context.caller, wanted, path)
        reads_fifo = inode.kind == S_IFIFO and flags & _ALONE == os.O_NONBLOCK | os.O_RDONLY
        if inode.kind not in {S_IFREG, S_IFDIR} and not reads_fifo:
            raise fail(errno.ENXIO, path)
        if writes:
            self._require_writable(path)
        if flags & os.O_NOATIME and not owns(inode, context.caller):
            raise fail(errno.EPERM, path)
        if flags & os.O_TRUNC:
            self._resize(context.caller, inode, 0)
