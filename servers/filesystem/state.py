"""What all operations share: the volume, the callers' contexts, and the making of new files."""

import errno
import os
import struct
from collections.abc import Callable
from stat import S_IFDIR, S_IFLNK
from typing import Annotated, Final

from servers.disk import Disk
from servers.filesystem.descriptors import Context, OpenFile
from servers.filesystem.heap import keep_free_memory
from servers.filesystem.inode import Inode
from servers.filesystem.layout import MAX_TIME
from servers.filesystem.locks import WHOLE, Locks
from servers.filesystem.path import Walker, checked
from servers.filesystem.permission import SEARCH, SET_ID, WRITE, ownership, require, without_set_id
from servers.filesystem.survival import describe
from servers.filesystem.volume import Volume
from twinos import NO_JOURNAL, Caller, Journal, Region, Service, fail, limit, only, replayed, shared

MEMORY: Final = 64 << 20
DESCRIPTORS: Final = 1024
MAPPED: Final = 1024
_SMALLEST_MEMORY: Final = 1 << 20
_MOST_MAPPED: Final = 1 << 20
ACCESS: Final = struct.Struct("<QQ")
"""A note of an access: the inode, and when."""

DiskHandle = Annotated[
    Disk, only("geometry", "writable", "read", "readv", "writev", "flush", "blank")
]
"""All of the disk that a file system needs: `twinos privileges --learn` found it."""


class State(Service):
    """The common base of the operations' classes. See `FileSystem` for the parameters."""

    def __init__(
        self,
        disk: DiskHandle,
        time: int | None = None,
        memory: int = MEMORY,
        descriptors: Annotated[int, limit("open files of one process", "EMFILE")] = DESCRIPTORS,
        inodes: int | None = None,
        log: int | None = None,
        pages: Annotated[Region, shared] = None,  # type: ignore[assignment]  # kernels give one
        mapped: int = MAPPED,
        journal: Annotated[Journal, replayed] = NO_JOURNAL,
    ) -> None:
        if memory < _SMALLEST_MEMORY:
            raise OSError(errno.EINVAL, f"{memory} bytes of memory are too few for a file system")
        if not 0 <= mapped <= _MOST_MAPPED:
            raise OSError(errno.EINVAL, f"mapped must be 0 to {_MOST_MAPPED}, not {mapped}")
        if time is not None and not 0 <= time <= MAX_TIME:
            raise OSError(errno.EINVAL, f"the format has no room for the time {time}")
        keep_free_memory()
        self._time: Callable[[], float] = journal.time if time is None else lambda: time
        self._volume = Volume(disk, self._now, memory, inodes, log, (pages, mapped), journal)
        self._journal = journal
        self._volume.tell = self._tell
        self._content = self._volume.content
        self._memory = self._volume.memory
        self._walker = Walker(self._volume)
        self._max_files = descriptors
        self._read_only = not disk.writable()
        # Flags for which any regular file can be opened by the superuser.
        self._harmless = os.O_CLOEXEC | (os.O_RDONLY if self._read_only else os.O_ACCMODE)
        self._contexts: dict[int, Context] = {}
        self._records, self._flocks = Locks(), Locks()
        self._forget_asker()

    def _tell(self) -> bytes:
        return describe(self._volume, self._contexts, self._records, self._flocks)

    def _now(self) -> int:
        """The time in seconds."""
        return int(self._time())

    def _forget_asker(self) -> None:
        """Nobody has asked last."""
        self._asker = Caller(0)
        self._asking = Context(self._asker, self._volume.root)

    def _context(self, caller: Caller) -> Context:
        """What this caller has; a new one begins in the root.

        Who asks often looks first whether the `_asker` asks again, who has `_asking`.
        """
        context = self._contexts.get(caller.id)
        if context is None:
            self._volume.root.opens += 1  # its working directory
            context = self._contexts[caller.id] = Context(caller, self._volume.root)
        elif context.caller != caller:
            context.caller = caller
            context.known.clear()
        self._asker, self._asking = caller, context
        return context

    def _file(self, caller: Caller, fd: int) -> OpenFile:
        """What the caller has open as `fd`. EBADF."""
        context = self._asking if caller is self._asker else self._context(caller)
        try:
            return context.files[fd]
        except KeyError:
            raise fail(errno.EBADF) from None

    def _used(self, caller: Caller, fd: int) -> OpenFile:
        """`_file`, of which more is wanted than to know where the file is. EBADF."""
        file = self._file(caller, fd)
        if file.access.place:
            raise fail(errno.EBADF)
        return file

    def _at(self, context: Context, path: str, dir_fd: int | None) -> Inode | None:
        """Where a relative path begins: at an open directory; None is the working directory.

        EBADF, ENOTDIR; what is wrong with the path itself comes first.
        """
        if dir_fd is None or checked(path).startswith("/"):
            return None
        file = context.files.get(dir_fd)
        if file is None:
            raise fail(errno.EBADF, path)
        if file.inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, path)
        return file.inode

    def _find(
        self,
        context: Context,
        path: str | int,
        dir_fd: int | None = None,
        *,
        follow: bool = True,
        fully: bool = True,
    ) -> Inode:
        """The file that an operation is about.

        Args:
            context: whose request it is.
            path: its path, or a descriptor.
            dir_fd: where a relative path begins, if not in the working directory.
            follow: whether a symbolic link in last place is followed.
            fully: whether a descriptor must be more than a place (O_PATH).

        Raises:
            OSError: path errors; EBADF; EINVAL, a descriptor and how to find a path.
        """
        if isinstance(path, str):
            if dir_fd is None and follow:
                return self._walker.find(context, path)
            at = None if dir_fd is None else self._at(context, path, dir_fd)
            return self._walker.find_at(context, path, follow=follow, at=at)
        if dir_fd is not None or not follow:
            raise fail(errno.EINVAL)
        file = context.files.get(path)
        if file is None or (fully and file.access.place):
            raise fail(errno.EBADF)
        return file.inode

    def _settled(self, caller: Caller) -> Context:
        """The caller's context, after making room in memory: for the start of an operation."""
        if self._memory.used > self._memory.limit:
            self._make_room()
        return self._asking if caller is self._asker else self._context(caller)

    def _changing(self, caller: Caller, path: str | int) -> Context:
        """`_settled`, for an operation that changes something. EROFS."""
        if self._read_only:
            self._require_writable(name_of(path))
        return self._settled(caller)

    def _require_writable(self, path: str | None = None) -> None:
        if self._read_only:
            raise fail(errno.EROFS, path)

    def _make_room(self) -> None:
        self._forget_paths()
        self._volume.make_room()

    def _forget_paths(self) -> None:
        """Paths may lead elsewhere from now on, or nowhere."""
        for context in self._contexts.values():
            context.known.clear()

    def _touch(self, inode: Inode) -> None:
        """The content changed."""
        inode.mtime = inode.ctime = self._now()
        self._volume.table.mark(inode)

    def _attributes_changed(self, inode: Inode) -> None:
        """Owner, permissions or number of names changed."""
        inode.ctime = self._now()
        self._volume.table.mark(inode)
        if inode.kind == S_IFDIR:
            self._forget_paths()

    def _change_directory(self, context: Context, inode: Inode, path: str | None = None) -> None:
        if inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, path)
        require(inode, context.caller, SEARCH, path)
        old, context.cwd = context.cwd, inode
        inode.opens += 1
        self._volume.closed(old)
        context.known.clear()

    def _accessed(self, inode: Inode) -> None:
        """The content was read."""
        now = self._now()
        if inode.atime != now and not self._read_only:
            inode.atime = now
            self._journal.note(ACCESS.pack(inode.number, now))
            self._volume.table.mark(inode)

    def _make(
        self,
        context: Context,
        parent: Inode,
        name: str,
        mode: int,
        path: str,
        device: int = 0,
        target: bytes = b"",
    ) -> Inode:
        """Make a file, directory, link or device under a name that is not there yet.

        Args:
            context: whose it will be.
            parent: the directory.
            name: the name.
            mode: type and permissions; the umask has been applied.
            path: for the text of an error.
            device: of a device, its number.
            target: of a symbolic link, where it leads to.
        """
        if not parent.links:
            raise fail(errno.ENOENT, path)
        who = context.caller
        if who.uid:
            require(parent, who, WRITE | SEARCH, path)
        mode, uid, gid = ownership(parent, who, mode)
        volume = self._volume
        inode = volume.table.create(mode, uid, gid, device, self._now())
        try:
            if inode.kind == S_IFDIR:
                volume.directories.start(inode, parent)
            elif inode.kind == S_IFLNK:
                volume.content.write(inode, 0, target)
            volume.directories.add(parent, name, inode)
        except Exception as error:
            volume.destroy(inode)
            if isinstance(error, OSError):
                error.filename = path
            raise
        if inode.kind == S_IFDIR:
            parent.links += 1
        parent.mtime = parent.ctime = inode.ctime
        volume.table.mark(parent)
        return inode

    def _resize(self, caller: Caller, inode: Inode, length: int, path: str | None = None) -> None:
        """Give a regular file this size. EFBIG."""
        if length > self._volume.max_size:
            raise fail(errno.EFBIG, path)
        self._volume.content.truncate(inode, length)
        self._content_changed(inode, caller)

    def _content_changed(self, inode: Inode, caller: Caller) -> None:
        """`caller` wrote."""
        if inode.mode & SET_ID and caller.uid:
            self._drop_set_id(inode)
        self._touch(inode)

    def _drop_set_id(self, inode: Inode) -> None:
        """Its content is not what the set-id bits were given to."""
        inode.mode = without_set_id(inode.mode)
        self._volume.table.mark(inode)

    def _release(self, caller: Caller, file: OpenFile) -> None:
        """One descriptor of an open file less."""
        file.shares -= 1
        if self._records:
            self._records.give_back(file.inode, caller.id, WHOLE)
        if not file.shares:
            if self._flocks:
                self._flocks.give_back(file.inode, file, WHOLE)
            self._volume.closed(file.inode)


class Both:
    """Adds both names of an operation that takes two to its errors, as `os` does."""

    __slots__ = ("_dst", "_src")

    def __init__(self, src: str, dst: str) -> None:
        self._src = src
        self._dst = dst

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            error.filename, error.filename2 = self._src, self._dst


def name_of(path: str | int) -> str | None:
    """What the text of an error names: a path, but no descriptor."""
    return path if isinstance(path, str) else None
