"""Operations on what a file is, rather than on its content or its name."""

import errno
import math
import os
from stat import S_IFDIR, S_IFLNK, S_IFREG, S_ISGID
from typing import Final

from servers.filesystem.inode import Inode
from servers.filesystem.layout import MAX_TIME
from servers.filesystem.path import MAX_DEPTH
from servers.filesystem.permission import (
    WRITE,
    check_id,
    in_group,
    owns,
    permits,
    require,
    without_set_id,
)
from servers.filesystem.results import Stat, StatVFS
from servers.filesystem.state import State
from twinos import Caller, fail, op

_UNCHANGED = -1
_NS = 1_000_000_000
_KEPT_ON_DISK: Final = frozenset([S_IFREG, S_IFDIR, S_IFLNK])
"""What can't be written on a disk that is only read; a device or FIFO leads elsewhere."""


class AttributeOperations(State):
    """Operations on inodes, on the file system, and on what is kept for the caller."""

    @op
    def stat(self, caller: Caller, path: str, follow_symlinks: bool = True) -> Stat:
        """What is known of a file. ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EINVAL."""
        inode = self._walker.find(self._context(caller), path, follow=follow_symlinks)
        return inode.stat or self._volume.stat(inode)

    @op
    def lstat(self, caller: Caller, path: str) -> Stat:
        """`stat` of a symbolic link itself."""
        inode = self._walker.find(self._context(caller), path, follow=False)
        return inode.stat or self._volume.stat(inode)

    @op
    def fstat(self, caller: Caller, fd: int) -> Stat:
        """What `stat` says of an open file. EBADF."""
        inode = self._file(caller, fd).inode
        return inode.stat or self._volume.stat(inode)

    @op
    def access(self, caller: Caller, path: str, mode: int) -> bool:
        """Whether the caller may do what `mode` asks: os.F_OK, or os.R_OK | os.W_OK | os.X_OK."""
        try:
            inode = self._walker.find(self._context(caller), path)
        except OSError:
            return False
        if mode & WRITE and self._read_only and inode.kind in _KEPT_ON_DISK:
            return False
        return 0 <= mode <= 7 and permits(inode, caller, mode)

    @op
    def chmod(self, caller: Caller, path: str, mode: int) -> None:
        """Set a file's permission bits. EPERM unless the caller owns it; path errors."""
        inode = self._walker.find(self._changing(caller, path), path)
        set_mode(inode, caller, mode, path)
        self._attributes_changed(inode)

    @op
    def chown(
        self, caller: Caller, path: str, uid: int, gid: int, follow_symlinks: bool = True
    ) -> None:
        """Set a file's user and group; -1 leaves one as it is. EPERM, EINVAL; path errors."""
        inode = self._walker.find(self._changing(caller, path), path, follow=follow_symlinks)
        set_owner(inode, caller, uid, gid, path)
        self._attributes_changed(inode)

    @op
    def lchown(self, caller: Caller, path: str, uid: int, gid: int) -> None:
        """`chown` of a symbolic link itself."""
        inode = self._walker.find(self._changing(caller, path), path, follow=False)
        set_owner(inode, caller, uid, gid, path)
        self._attributes_changed(inode)

    @op
    def fchmod(self, caller: Caller, fd: int, mode: int) -> None:
        """`chmod` of an open file. EBADF, EPERM."""
        inode = self._file(caller, fd).inode
        self._require_writable()
        set_mode(inode, caller, mode)
        self._attributes_changed(inode)

    @op
    def fchown(self, caller: Caller, fd: int, uid: int, gid: int) -> None:
        """`chown` of an open file. EBADF, EPERM, EINVAL."""
        inode = self._file(caller, fd).inode
        self._require_writable()
        set_owner(inode, caller, uid, gid)
        self._attributes_changed(inode)

    @op
    def utime(
        self,
        caller: Caller,
        path: str,
        times: tuple[float, float] | None = None,
        ns: tuple[int, int] | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """Set the times of access and change, in seconds or nanoseconds; without either, to now.

        The format keeps whole seconds from 1970 to 2106: others become the nearest that it has.
        EINVAL for both forms at once, EPERM, EACCES; path errors.
        """
        if times is not None and ns is not None:
            raise fail(errno.EINVAL, path)
        inode = self._walker.find(self._changing(caller, path), path, follow=follow_symlinks)
        if not owns(inode, caller):
            if times is not None or ns is not None:
                raise fail(errno.EPERM, path)
            require(inode, caller, WRITE, path)
        inode.atime, inode.mtime = self._times(times, ns)
        self._attributes_changed(inode)

    @op
    def truncate(self, caller: Caller, path: str, length: int) -> None:
        """Give a file this size; what is new reads as zeros. EISDIR, EINVAL, EFBIG; path errors."""
        if length < 0:
            raise fail(errno.EINVAL, path)
        inode = self._walker.find(self._changing(caller, path), path)
        if inode.kind == S_IFDIR:
            raise fail(errno.EISDIR, path)
        if inode.kind != S_IFREG:
            raise fail(errno.EINVAL, path)
        require(inode, caller, WRITE, path)
        self._resize(caller, inode, length, path)

    @op
    def statvfs(self, caller: Caller, path: str) -> StatVFS:
        """How large the file system is, and how full. Path errors."""
        self._walker.find(self._context(caller), path)
        found = self._volume.statvfs()
        return found._replace(f_flag=os.ST_RDONLY) if self._read_only else found

    @op
    def sync(self) -> None:
        """Have everything on the medium before this returns. EIO."""
        self._volume.sync()

    @op
    def umask(self, caller: Caller, mask: int) -> int:
        """Set the permission bits that the caller's new files don't get; what they were."""
        context = self._context(caller)
        old, context.umask = context.umask, mask & 0o777
        return old

    @op
    def chdir(self, caller: Caller, path: str) -> None:
        """Set the caller's working directory. ENOTDIR, EACCES; path errors."""
        context = self._settled(caller)
        self._change_directory(context, self._walker.find(context, path), path)

    @op
    def fchdir(self, caller: Caller, fd: int) -> None:
        """Make an open directory the working directory. EBADF, ENOTDIR, EACCES."""
        context = self._context(caller)
        self._change_directory(context, self._file(caller, fd).inode)

    @op
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

    def _times(
        self, times: tuple[float, float] | None, ns: tuple[int, int] | None
    ) -> tuple[int, int]:
        if ns is not None:
            return _clamped(ns[0] // _NS), _clamped(ns[1] // _NS)
        if times is None:
            return self._now(), self._now()
        if not (math.isfinite(times[0]) and math.isfinite(times[1])):
            raise fail(errno.EINVAL)
        return _clamped(math.floor(times[0])), _clamped(math.floor(times[1]))


def set_mode(inode: Inode, who: Caller, mode: int, path: str | None = None) -> None:
    """Set permission bits. EPERM unless `who` owns the file."""
    if not owns(inode, who):
        raise fail(errno.EPERM, path)
    mode &= 0o7777
    if who.uid and not in_group(inode.gid, who):
        mode &= ~S_ISGID
    inode.mode = inode.kind | mode


def set_owner(inode: Inode, who: Caller, uid: int, gid: int, path: str | None = None) -> None:
    """Set user and group; -1 leaves one as it is. EPERM, EINVAL.

    Only the superuser gives files away; an owner may choose among the own groups.
    """
    new_uid = inode.uid if uid == _UNCHANGED else check_id(uid)
    new_gid = inode.gid if gid == _UNCHANGED else check_id(gid)
    if who.uid:
        mine = who.uid == inode.uid
        if uid != _UNCHANGED and not (mine and new_uid == inode.uid):
            raise fail(errno.EPERM, path)
        if gid != _UNCHANGED and not (mine and (new_gid == inode.gid or in_group(new_gid, who))):
            raise fail(errno.EPERM, path)
    if inode.kind != S_IFDIR:
        inode.mode = without_set_id(inode.mode)
        if inode.mode & S_ISGID and who.uid and not in_group(inode.gid, who):
            inode.mode &= ~S_ISGID
    inode.uid, inode.gid = new_uid, new_gid


def _clamped(seconds: int) -> int:
    return min(max(seconds, 0), MAX_TIME)
