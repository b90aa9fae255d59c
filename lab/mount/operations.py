"""What FUSE asks for, in terms of `FileSystem`.

The host's kernel checks permissions by the attributes that it is told (the mount option
`default_permissions`), and what makes, opens, moves or removes a file is checked once more by the
file system, as a request of the same user. Attributes are looked up, and set, as the superuser: the
host has checked, and it does not pass on all that the check depends on (that a time is "now", say).
"""

import os
from stat import S_IFMT
from typing import Any, Final

import pyfuse3

from lab.mount.names import NameHandlers
from lab.mount.nodes import Node
from lab.mount.reply import answering, attributes, room
from lab.mount.users import Asker
from servers.filesystem.results import DirEntry
from twinos.values import INT_MIN

_OPEN_FLAGS: Final = os.O_ACCMODE | os.O_TRUNC | os.O_NOATIME | os.O_SYNC | os.O_DSYNC
"""Others mean nothing any more when the host has looked up the file, and chosen the place."""
_EXECUTE: Final = 0x20
"""The host opens a file to run it (`__FMODE_EXEC`), and has checked that it may be run."""
_DOTS: Final = (b".", b"..")
_BATCH: Final = 64
"""Entries that are asked for at a time."""


class MountedFiles(NameHandlers):
    """The handlers of all requests; see pyfuse3 for what each is asked."""

    @answering
    def getattr(self, number: int, context: Any) -> Any:
        """What is known of a file."""
        del context
        return self._attributes(self._nodes[number])

    @answering
    def setattr(
        self, number: int, given: Any, fields: Any, handle: int | None, context: Any
    ) -> Any:
        """Change what is known of a file: any of size, owner, permissions and times."""
        node = self._nodes[number]
        if fields.update_size:
            self._resize(node, given.st_size, handle, self._asker(context))
        if fields.update_uid or fields.update_gid:
            uid = given.st_uid if fields.update_uid else -1
            gid = given.st_gid if fields.update_gid else -1
            self._set_owner(node, uid, gid)
        if fields.update_mode:
            self._set_mode(node, given.st_mode & 0o7777)
        if fields.update_atime or fields.update_mtime:
            self._set_times(node, given, fields)
        return self._attributes(node)

    @answering
    def open(self, number: int, flags: int, context: Any) -> Any:
        """Open a file that is there."""
        node = self._nodes[number]
        asker = self._superuser if flags & _EXECUTE else self._asker(context)
        handle = self._open(asker, node, flags & _OPEN_FLAGS | os.O_NOFOLLOW)
        return pyfuse3.FileInfo(fh=handle)

    @answering
    def create(self, parent: int, name: bytes, mode: int, flags: int, context: Any) -> Any:
        """Make a file and open it."""
        asker, place = self._asker(context), self._place(parent, name)
        path = self._places.within(asker.files, place)
        flags = flags & (_OPEN_FLAGS | os.O_EXCL) | os.O_CREAT | os.O_NOFOLLOW
        opened = asker.files.open(path, flags, mode & 0o7777)
        entry = self._entry(place)
        return pyfuse3.FileInfo(fh=self._opened(asker, entry.st_ino, opened)), entry

    @answering
    def read(self, handle: int, offset: int, length: int) -> bytes:
        """Read from an open file."""
        file = self._handles[handle]
        return file.asker.files.pread(file.descriptor, length, offset)

    @answering
    def write(self, handle: int, offset: int, data: bytes) -> int:
        """Write to an open file."""
        file = self._handles[handle]
        return file.asker.files.pwrite(file.descriptor, data, offset)

    @answering
    def flush(self, handle: int) -> None:
        """One descriptor of an open file is closed: nothing was held back."""

    @answering
    def release(self, handle: int) -> None:
        """The last descriptor is closed."""
        self._closed(handle)

    @answering
    def fsync(self, handle: int, datasync: bool) -> None:
        """Have a file on the medium."""
        del datasync  # the same here
        file = self._handles[handle]
        file.asker.files.fsync(file.descriptor)

    @answering
    def opendir(self, number: int, context: Any) -> int:
        """Open a directory."""
        return self._open(self._asker(context), self._nodes[number], os.O_RDONLY | os.O_DIRECTORY)

    @answering
    def readdir(self, handle: int, start: int, token: Any) -> None:
        """The entries of a directory from the place `start` on, until the host has enough."""
        file = self._handles[handle]
        directory = self._nodes[file.number]
        for place, name in enumerate(_DOTS[start:], start + 1):
            dot = attributes(self._stat(directory))  # the host takes the type and number of it
            if not pyfuse3.readdir_reply(token, name, dot, place):
                return
        offset = max(start - len(_DOTS), 0)
        while batch := file.asker.files.readdir(file.descriptor, offset, _BATCH):
            for entry in batch:
                if not self._told(directory, entry, token):
                    return
            offset = batch[-1].d_off

    @answering
    def releasedir(self, handle: int) -> None:
        """Close a directory."""
        self._closed(handle)

    @answering
    def fsyncdir(self, handle: int, datasync: bool) -> None:
        """Have a directory on the medium."""
        del handle, datasync
        self._files.sync()

    @answering
    def statfs(self, context: Any) -> Any:
        """How large the file system is, and how full."""
        del context
        return room(self._files.statvfs("/"))

    def _resize(self, node: Node, size: int, handle: int | None, asker: Asker) -> None:
        if handle is not None:
            file = self._handles[handle]
            file.asker.files.ftruncate(file.descriptor, size)
        elif node.names:
            asker.files.truncate(self._places.of(asker.files, node), size)
        else:
            self._files.ftruncate(node.keeper, size)

    def _set_owner(self, node: Node, uid: int, gid: int) -> None:
        if node.names:
            self._files.chown(self._path(node), uid, gid, follow_symlinks=False)
        else:
            self._files.chown(node.keeper, uid, gid)

    def _set_mode(self, node: Node, mode: int) -> None:
        self._files.chmod(self._path(node) if node.names else node.keeper, mode)

    def _set_times(self, node: Node, given: Any, fields: Any) -> None:
        old = self._stat(node)
        times = (
            _within_reach(given.st_atime_ns) if fields.update_atime else old.st_atime_ns,
            _within_reach(given.st_mtime_ns) if fields.update_mtime else old.st_mtime_ns,
        )
        if node.names:
            self._files.utime(self._path(node), ns=times, follow_symlinks=False)
        else:
            self._files.utime(node.keeper, ns=times)

    def _told(self, directory: Node, entry: DirEntry, token: Any) -> bool:
        """Tell the host of an entry; whether it had room for it."""
        place = directory, entry.name
        try:
            found = self._files.lstat(self._places.within(self._files, place))
        except FileNotFoundError:
            return True  # it went a moment ago
        after = entry.d_off + len(_DOTS)
        if not pyfuse3.readdir_reply(token, os.fsencode(entry.name), attributes(found), after):
            return False
        self._nodes.found(*place, found.st_ino, S_IFMT(found.st_mode))
        return True


def _within_reach(ns: int) -> int:
    """The nearest time that can be asked for: the host knows some beyond 64 bits."""
    return max(INT_MIN, min(ns, -INT_MIN - 1))
