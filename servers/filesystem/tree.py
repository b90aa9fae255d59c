"""Operations on names: what makes and removes them."""

import errno
from stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK
from typing import Final

from servers.filesystem.descriptors import Context
from servers.filesystem.directory import encode_name
from servers.filesystem.inode import S_IFMT, Inode
from servers.filesystem.layout import LINK_MAX, PATH_MAX
from servers.filesystem.path import is_plain
from servers.filesystem.permission import SEARCH, WRITE, require, require_removable
from servers.filesystem.state import Both, State
from twinos import Caller, fail, op

_DEVICES: Final = frozenset([S_IFCHR, S_IFBLK])
_NODES: Final = frozenset([0, S_IFREG, S_IFIFO, S_IFSOCK])
SHAPES_PATHS: Final = frozenset([S_IFDIR, S_IFLNK])
"""Kinds of files that paths lead through."""
_MAX_DEVICE: Final = 0xFFFF


class TreeOperations(State):
    """Operations on names. With `dir_fd` a relative path begins in that open directory."""

    @op
    def mkdir(
        self, caller: Caller, path: str, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> None:
        """Make a directory. EEXIST, EACCES, EMLINK, ENOSPC; path errors."""
        context = self._changing(caller, path)
        mode = S_IFDIR | mode & 0o1777 & ~context.umask
        place = self._vacant(context, path, dir_fd, slash=True)
        self._make(context, *place, mode, path)

    @op
    def rmdir(self, caller: Caller, path: str, *, dir_fd: int | None = None) -> None:
        """Remove an empty directory. ENOTDIR, ENOTEMPTY, EBUSY, EINVAL; path errors."""
        context = self._changing(caller, path)
        at = None if dir_fd is None else self._at(context, path, dir_fd)
        parent, name, inode = self._walker.place(context, path, at)
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
    def unlink(self, caller: Caller, path: str, *, dir_fd: int | None = None) -> None:
        """Remove a name; the file goes with its last one, once nobody has it open.

        EISDIR, ENOTDIR, EACCES, EPERM; path errors.
        """
        self._unlink(self._changing(caller, path), path, dir_fd)

    @op
    def remove(self, caller: Caller, path: str, *, dir_fd: int | None = None) -> None:
        """The same as `unlink`."""
        self._unlink(self._changing(caller, path), path, dir_fd)

    def _unlink(self, context: Context, path: str, dir_fd: int | None) -> None:
        at = None if dir_fd is None else self._at(context, path, dir_fd)
        parent, name, inode = self._walker.place(context, path, at)
        if not is_plain(name):
            raise fail(errno.EISDIR, path)
        if inode is None:
            raise fail(errno.ENOENT, path)
        if path.endswith("/"):
            raise fail(errno.EISDIR if inode.kind == S_IFDIR else errno.ENOTDIR, path)
        if context.caller.uid:
            require_removable(parent, inode, context.caller, path)
        if inode.kind == S_IFDIR:
            raise fail(errno.EISDIR, path)
        self._remove(parent, name, inode)

    @op
    def link(
        self,
        caller: Caller,
        src: str,
        dst: str,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = False,
    ) -> None:
        """Give a file one more name; of a symbolic link, the link itself gets it, as on Linux.

        EEXIST, EPERM for a directory, EMLINK, EACCES, ENOSPC; path errors.
        """
        context = self._settled(caller)
        with Both(src, dst):
            self._require_writable()
            inode = self._find(context, src, src_dir_fd, follow=follow_symlinks)
            parent, name = self._vacant(context, dst, dst_dir_fd)
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
    def symlink(
        self,
        caller: Caller,
        src: str,
        dst: str,
        target_is_directory: bool = False,
        *,
        dir_fd: int | None = None,
    ) -> None:
        """Make a symbolic link `dst` that leads to `src`, whatever that is or will be.

        EEXIST, EACCES, ENAMETOOLONG, ENOSPC; path errors. `target_is_directory` means nothing here.
        """
        del target_is_directory
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
            place = self._vacant(context, dst, dir_fd)
            self._make(context, *place, S_IFLNK | 0o777, dst, target=target)

    @op(repeatable=True)
    def readlink(self, caller: Caller, path: str, *, dir_fd: int | None = None) -> str:
        """Where a symbolic link leads to. EINVAL if it is none; path errors.

        An empty path means the link that `dir_fd` itself is (of O_PATH | O_NOFOLLOW).
        """
        context = self._settled(caller)
        if not path and dir_fd is not None:
            inode = self._find(context, dir_fd, fully=False)
            if inode.kind != S_IFLNK:
                raise fail(errno.ENOENT, path)
        else:
            inode = self._find(context, path, dir_fd, follow=False)
        if inode.kind != S_IFLNK:
            raise fail(errno.EINVAL, path)
        self._accessed(inode)
        return self._walker.target(inode)

    @op
    def mknod(
        self,
        caller: Caller,
        path: str,
        mode: int = 0o600,
        device: int = 0,
        *,
        dir_fd: int | None = None,
    ) -> None:
        """Make a file, FIFO, socket or, for the superuser, a device; its type is in `mode`.

        EEXIST, EPERM, EINVAL, EACCES, ENOSPC; path errors.
        """
        kind = mode & S_IFMT
        if kind == S_IFDIR:
            raise fail(errno.EPERM, path)
        if kind not in _DEVICES | _NODES or not 0 <= device <= _MAX_DEVICE:
            raise fail(errno.EINVAL, path)
        context = self._changing(caller, path)
        parent, name = self._vacant(context, path, dir_fd)
        if kind in _DEVICES and caller.uid:
            require(parent, caller, WRITE | SEARCH, path)
            raise fail(errno.EPERM, path)
        mode = (kind or S_IFREG) | mode & 0o7777 & ~context.umask
        device = device if kind in _DEVICES else 0
        self._make(context, parent, name, mode, path, device)

    @op
    def mkfifo(
        self, caller: Caller, path: str, mode: int = 0o666, *, dir_fd: int | None = None
    ) -> None:
        """Make a FIFO. EEXIST, EACCES, ENOSPC; path errors."""
        context = self._changing(caller, path)
        mode = S_IFIFO | mode & 0o7777 & ~context.umask
        self._make(context, *self._vacant(context, path, dir_fd), mode, path)

    def _vacant(
        self, context: Context, path: str, dir_fd: int | None = None, *, slash: bool = False
    ) -> tuple[Inode, str]:
        """The directory and the name for something new; a slash may follow that of a directory."""
        at = None if dir_fd is None else self._at(context, path, dir_fd)
        parent, name, inode = self._walker.place(context, path, at)
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
            self._volume.last_name_goes(inode, parent)
            self._lose_directory(parent)
            if inode.opens:  # one that is gone altogether has no names: nobody is led there
                self._forget_paths()
        elif inode.links == 1:
            if inode.opens:
                self._volume.last_name_goes(inode)
            else:
                self._volume.destroy(inode)
        else:
            inode.links -= 1
            self._attributes_changed(inode)
        if inode.kind == S_IFLNK:
            self._forget_paths()
