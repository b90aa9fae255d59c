"""Renaming: the operation with the most rules."""

import errno
from stat import S_IFDIR

from servers.filesystem.descriptors import Context
from servers.filesystem.inode import Inode
from servers.filesystem.layout import LINK_MAX, damaged
from servers.filesystem.path import Place, is_plain
from servers.filesystem.permission import WRITE, require, require_removable
from servers.filesystem.tree import SHAPES_PATHS, TreeOperations
from twinos import Caller, fail, op


class RenameOperation(TreeOperations):
    """The operation `rename`, beside the simpler ones on names."""

    @op
    def rename(
        self,
        caller: Caller,
        src: str,
        dst: str,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        """Give a file another name, in one step; what had that name goes.

        EISDIR, ENOTDIR, ENOTEMPTY, EINVAL (into itself), EBUSY, EACCES, EPERM, EMLINK, ENOSPC; path
        errors.
        """
        self._rename(self._settled(caller), src, dst, src_dir_fd, dst_dir_fd)

    @op
    def replace(
        self,
        caller: Caller,
        src: str,
        dst: str,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        """The same as `rename`."""
        self._rename(self._settled(caller), src, dst, src_dir_fd, dst_dir_fd)

    def _rename(
        self, context: Context, src: str, dst: str, src_fd: int | None, dst_fd: int | None
    ) -> None:
        try:
            self._require_writable()
            walker, source, target = self._walker, None, None
            if src_fd is None is dst_fd:
                source = walker.known_place(context, src)
                target = walker.known_place(context, dst)
            if source is None or target is None:
                at = None if src_fd is None else self._at(context, src, src_fd)
                old_parent, old_name = walker.parent(context, src, at)
                at = None if dst_fd is None else self._at(context, dst, dst_fd)
                new_parent, new_name = walker.parent(context, dst, at)
                if not (is_plain(old_name) and is_plain(new_name)):
                    raise fail(errno.EBUSY)
                source = old_parent, old_name, walker.look(old_parent, old_name)
                if source[2] is None:
                    raise fail(errno.ENOENT)
                target = new_parent, new_name, walker.look(new_parent, new_name)
            self._rename_at(context.caller, source, target, src[-1] + dst[-1])
        except OSError as error:
            error.filename, error.filename2 = src, dst
            raise

    def _rename_at(self, caller: Caller, source: Place, target: Place, ends: str) -> None:
        """Rename what `source` is, if that is all right; `ends` may have a slash."""
        old_parent, old_name, inode = source
        new_parent, new_name, victim = target
        if inode is None:
            raise fail(errno.ENOENT)
        if inode.kind != S_IFDIR and "/" in ends:
            raise fail(errno.ENOTDIR)
        if old_parent is not new_parent:
            self._check_not_inside(inode, new_parent, errno.EINVAL)
            if victim is not None:
                self._check_not_inside(victim, old_parent, errno.ENOTEMPTY)
        if victim is not inode:
            self._check_rename(caller, old_parent, inode, new_parent, victim)
            self._move(old_parent, old_name, inode, new_parent, new_name, victim)

    def _check_not_inside(self, upper: Inode, lower: Inode, code: int) -> None:
        """Fail with `code` if `upper` is `lower` or a directory somewhere above it."""
        if upper.kind != S_IFDIR:
            return
        volume = self._volume
        here = lower
        for _ in range(volume.statvfs().f_files):
            if here is upper:
                raise fail(code)
            if here is volume.root or not here.links:
                return
            here = volume.table.get(volume.directories.names(here).parent)
        raise damaged("directories lead in a circle")

    def _check_rename(
        self,
        caller: Caller,
        old_parent: Inode,
        inode: Inode,
        new_parent: Inode,
        victim: Inode | None,
    ) -> None:
        """All that may be wrong when both names have been found, in Linux's order."""
        if caller.uid:
            require_removable(old_parent, inode, caller)
        is_directory = inode.kind == S_IFDIR
        if victim is None:
            self._require_open(new_parent, caller)
        else:
            require_removable(new_parent, victim, caller)
            if is_directory != (victim.kind == S_IFDIR):
                raise fail(errno.ENOTDIR if is_directory else errno.EISDIR)
        if is_directory and old_parent is not new_parent:
            require(inode, caller, WRITE)
            if victim is None and new_parent.links >= LINK_MAX:
                raise fail(errno.EMLINK)
            self._volume.directories.names(inode)  # if it can't be read, nothing is changed
        if is_directory and victim is not None and self._volume.directories.names(victim).inodes:
            raise fail(errno.ENOTEMPTY)

    def _move(
        self,
        old_parent: Inode,
        old_name: str,
        inode: Inode,
        new_parent: Inode,
        new_name: str,
        victim: Inode | None,
    ) -> None:
        directories = self._volume.directories
        if victim is not None:
            self._lose_name(new_parent, victim)
            directories.replace(new_parent, new_name, inode)
            directories.remove(old_parent, old_name)
        elif old_parent is new_parent:
            directories.change_name(old_parent, old_name, new_name)
        else:
            directories.add(new_parent, new_name, inode)
            directories.remove(old_parent, old_name)
        if inode.kind == S_IFDIR and old_parent is not new_parent:
            directories.change_parent(inode, new_parent)
            self._lose_directory(old_parent)
            new_parent.links += 1
        mark = self._volume.table.mark
        now = inode.ctime = old_parent.mtime = old_parent.ctime = self._now()
        mark(inode)
        mark(old_parent)
        if new_parent is not old_parent:
            new_parent.mtime = new_parent.ctime = now
            mark(new_parent)
        if inode.kind in SHAPES_PATHS:
            self._forget_paths()
