"""Operations on names: what makes, removes, moves and lists them."""

import errno
from stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK
from typing import Final

from servers.filesystem.descriptors import Context
from servers.filesystem.directory import encode_name
from servers.filesystem.inode import S_IFMT, Inode
from servers.filesystem.layout import LINK_MAX, PATH_MAX
from servers.filesystem.path import is_plain
from servers.filesystem.permission import READ, SEARCH, WRITE, require, require_removable
from servers.filesystem.state import Both, State
from twinos import Caller, fail, op

_DEVICES: Final = frozenset([S_IFCHR, S_IFBLK])
_NODES: Final = frozenset([0, S_IFREG, S_IFIFO, S_IFSOCK])
SHAPES_PATHS: Final = frozenset([S_IFDIR, S_IFLNK])
"""Kinds of files that paths lead through."""
_MAX_DEVICE: Final = 0xFFFF


class TreeOperations(State):
    """Operations on directories."""

    @op
    def mkdir(self, caller: Caller, path: str, mode: int = 0o777) -> None:
        """Make a directory. EEXIST, EACCES, EMLINK, ENOSPC; path errors."""
        context = self._changing(caller, path)
        mode = S_IFDIR | mode & 0o1777 & ~context.umask
        self._make(context, *self._vacant(context, path, slash=True), mode, path=path)

    @op
    def rmdir(self, caller: Caller, path: str) -> None:
        """Remove an empty directory. ENOTDIR, ENOTEMPTY, EBUSY, EINVAL; path errors."""
        context = self._changing(caller, path)
        parent, name, inode = self._walker.place(context, path)
        if not is_plain(name):
            code = {".": errno.EINVAL, "..": errno.ENOTEMPTY, "": errno.EBUSY}[name]
            raise fail(code, path)
        if inode is None:
            raise fail(errno.ENOENT, path)
        if caller.uid:
            require_removable(parent, inode, caller, path)
        if inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, path)
        if self._volume.directories.names(inode).inodes:
            raise fail(errno.ENOTEMPTY, path)
        self._remove(parent, name, inode)

    @op
    def unlink(self, caller: Caller, path: str) -> None:
        """Remove a name; the file goes with its last one, once nobody has it open.

        EISDIR, ENOTDIR, EACCES, EPERM; path errors.
        """
        context = self._changing(caller, path)
        parent, name, inode = self._walker.place(context, path)
        if not is_plain(name):
            raise fail(errno.EISDIR, path)
        if inode is None:
            raise fail(errno.ENOENT, path)
        if path.endswith("/"):
            raise fail(errno.EISDIR if inode.kind == S_IFDIR else errno.ENOTDIR, path)
        if caller.uid:
            require_removable(parent, inode, caller, path)
        if inode.kind == S_IFDIR:
            raise fail(errno.EISDIR, path)
        self._remove(parent, name, inode)

    @op
    def link(self, caller: Caller, src: str, dst: str) -> None:
        """Give a file one more name; of a symbolic link, the link itself gets it.

        EEXIST, EPERM for a directory, EMLINK, EACCES, ENOSPC; path errors.
        """
        context = self._settled(caller)
        with Both(src, dst):
            self._require_writable()
            inode = self._walker.find(context, src, follow=False)
            parent, name = self._vacant(context, dst)
            self._require_open(parent, caller)
            if inode.kind == S_IFDIR:
                raise fail(errno.EPERM)
            if inode.links >= LINK_MAX:
                raise fail(errno.EMLINK)
            self._volume.directories.add(parent, name, inode)
            inode.links += 1
            self._attributes_changed(inode)
            self._touch(parent)

    @op
    def symlink(self, caller: Caller, src: str, dst: str) -> None:
        """Make a symbolic link `dst` that leads to `src`, whatever that is or will be.

        EEXIST, EACCES, ENAMETOOLONG, ENOSPC; path errors.
        """
        context = self._settled(caller)
        with Both(src, dst):
            self._require_writable()
            target = encode_name(src)
            if not target:
                raise fail(errno.ENOENT)
            if b"\0" in target:
                raise fail(errno.EINVAL)
            if len(target) >= PATH_MAX:
                raise fail(errno.ENAMETOOLONG)
            place = self._vacant(context, dst)
            self._make(context, *place, S_IFLNK | 0o777, path=dst, target=target)

    @op
    def readlink(self, caller: Caller, path: str) -> str:
        """Where a symbolic link leads to. EINVAL if it is none; path errors."""
        inode = self._walker.find(self._settled(caller), path, follow=False)
        if inode.kind != S_IFLNK:
            raise fail(errno.EINVAL, path)
        self._accessed(inode)
        return self._walker.target(inode)

    @op
    def mknod(self, caller: Caller, path: str, mode: int = 0o600, device: int = 0) -> None:
        """Make a file, FIFO, socket or, for the superuser, a device; its type is in `mode`.

        EEXIST, EPERM, EINVAL, EACCES, ENOSPC; path errors.
        """
        kind = mode & S_IFMT
        if kind == S_IFDIR or (kind in _DEVICES and caller.uid):
            raise fail(errno.EPERM, path)
        if kind not in _DEVICES | _NODES or not 0 <= device <= _MAX_DEVICE:
            raise fail(errno.EINVAL, path)
        context = self._changing(caller, path)
        place = self._vacant(context, path)
        mode = (kind or S_IFREG) | mode & 0o7777 & ~context.umask
        device = device if kind in _DEVICES else 0
        self._make(context, *place, mode, path=path, device=device)

    @op
    def mkfifo(self, caller: Caller, path: str, mode: int = 0o666) -> None:
        """Make a FIFO. EEXIST, EACCES, ENOSPC; path errors."""
        context = self._changing(caller, path)
        mode = S_IFIFO | mode & 0o7777 & ~context.umask
        self._make(context, *self._vacant(context, path), mode, path=path)

    @op
    def listdir(self, caller: Caller, path: str = ".") -> tuple[str, ...]:
        """The names in a directory, `.` and `..` apart, in no order. ENOTDIR, EACCES; path errors.

        It is all of them at one moment: names that come and go later don't confuse it.
        """
        inode = self._walker.find(self._settled(caller), path)
        if inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, path)
        require(inode, caller, READ, path)
        names = self._volume.directories.names(inode)
        self._accessed(inode)
        return tuple(names.inodes)

    def _vacant(self, context: Context, path: str, *, slash: bool = False) -> tuple[Inode, str]:
        """The directory and the name for something new; a slash may follow that of a directory."""
        parent, name, inode = self._walker.place(context, path)
        if inode is not None:
            raise fail(errno.EEXIST, path)
        if path.endswith("/") and not slash:
            raise fail(errno.ENOENT, path)
        return parent, name

    def _require_open(self, parent: Inode, caller: Caller) -> None:
        """ENOENT or EACCES unless the caller may enter names in this directory."""
        if not parent.links:
            raise fail(errno.ENOENT)
        require(parent, caller, WRITE | SEARCH)

    def _remove(self, parent: Inode, name: str, inode: Inode) -> None:
        """Take out a name: of a file, or of an empty directory."""
        self._lose_name(parent, inode)
        self._volume.directories.remove(parent, name)
        self._touch(parent)

    def _lose_directory(self, parent: Inode) -> None:
        """Count one `..` less; what damage did to the count must not make `parent` nameless."""
        parent.links = max(parent.links - 1, 2)

    def _lose_name(self, parent: Inode, inode: Inode) -> None:
        """Count one name less. It fails, if at all, before anything has changed."""
        if inode.kind == S_IFDIR:
            self._volume.last_name_goes(inode)
            self._lose_directory(parent)
            if inode.opens:  # one that is gone altogether has no names: nobody is led there
                self._forget_paths()
        elif inode.links == 1:
            self._volume.last_name_goes(inode)
        else:
            inode.links -= 1
            self._attributes_changed(inode)
        if inode.kind == S_IFLNK:
            self._forget_paths()
