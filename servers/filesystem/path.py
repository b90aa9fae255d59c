"""Paths: from a name to an inode, by way of directories and symbolic links (`namei`).

A path is a *head*, up to its last slash, and a last *name*. Where a head leads to is remembered for
each caller, with the permission to search it; so a path looked up again costs three dictionary
lookups. What is remembered is thrown away when a directory or link is moved, removed or given
other permissions; new names can't make it wrong.
"""

import errno
from stat import S_IFDIR, S_IFLNK
from typing import Final

from servers.filesystem.descriptors import Context
from servers.filesystem.directory import check_name, decode_name, encode_name
from servers.filesystem.inode import Inode
from servers.filesystem.layout import NAME_MAX, PATH_MAX, damaged
from servers.filesystem.permission import SEARCH, permits
from servers.filesystem.volume import Volume
from twinos import fail

MAX_LINKS: Final = 40
"""Symbolic links that one path may lead through, as on Linux."""
MAX_DEPTH: Final = PATH_MAX // 2
"""Directories in one another that a path can lead through."""
_SPECIAL: Final = frozenset(["", ".", ".."])
_KNOWN: Final = 512
_KNOWN_LENGTH: Final = 1000

Place = tuple[Inode, str, Inode | None]
"""A directory, a name in it (or `.`, `..`, or nothing for the root), and what has this name."""


class Walker:
    """Looks paths up.

    Args:
        volume: the file system.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._inodes = volume.table.inodes

    def find(self, context: Context, path: str) -> Inode:
        """The file at `path`; if that is a symbolic link, what it leads to.

        Raises:
            OSError: see `find_at`.
        """
        cut = path.rfind("/") + 1
        directory = context.known.get(path[:cut])
        if directory is not None and (names := directory.names) is not None:
            inode = self._inodes.get(names.inodes.get(path[cut:], 0))
            if inode is not None and inode.kind != S_IFLNK:
                return inode
        return self.find_at(context, path)

    def find_at(
        self, context: Context, path: str, *, follow: bool = True, at: Inode | None = None
    ) -> Inode:
        """The file at `path`; if that is a symbolic link, what it leads to, or the link itself.

        Args:
            context: whose path it is.
            path: the path.
            follow: whether a link in last place is followed.
            at: where a relative path begins, if not in the working directory.

        Raises:
            OSError: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EINVAL (a zero in the path),
                EILSEQ; EUCLEAN and EIO.
        """
        walk = _Walk(self._volume, context, path)
        _, _, inode = walk.last(at or context.cwd, walk.path, follow=follow)
        if inode is None:
            raise fail(errno.ENOENT, path)
        return inode

    def place(self, context: Context, path: str, at: Inode | None = None) -> Place:
        """Where the last name of `path` stands, or would stand. Errors are those of `find`."""
        place = self.known_place(context, path) if at is None else None
        if place is not None:
            return place
        walk = _Walk(self._volume, context, path)
        head, name = split(walk.path)
        return walk.look(walk.directory(at or context.cwd, head), name)

    def place_to_create(
        self, context: Context, path: str, *, follow: bool, at: Inode | None = None
    ) -> Place:
        """`place` for `open` with O_CREAT: where links lead to, and EISDIR for a final slash."""
        place = self.known_place(context, path) if at is None else None
        if place is not None:
            inode = place[2]
            if inode is None or inode.kind != S_IFLNK or not follow:
                return place
        walk = _Walk(self._volume, context, path, creating=True)
        return walk.last(at or context.cwd, walk.path, follow=follow)

    def parent(self, context: Context, path: str, at: Inode | None = None) -> tuple[Inode, str]:
        """The directory of the last name of `path`, and that name, whether it is there or not."""
        walk = _Walk(self._volume, context, path)
        head, name = split(walk.path)
        return walk.directory(at or context.cwd, head), name

    def look(self, directory: Inode, name: str) -> Inode | None:
        """What has this name in a directory that `parent` found. ENAMETOOLONG."""
        names = directory.names or self._volume.directories.names(directory)
        number = names.inodes.get(name)
        if number is None:
            check_name(name, name)
            return None
        return self._inodes.get(number) or self._volume.table.get(number)

    def name_of(self, directory: Inode) -> tuple[Inode, str]:
        """The directory above this one, and its name there. ENOENT if it has been removed."""
        if not directory.links:
            raise fail(errno.ENOENT)
        volume = self._volume
        above = volume.table.get(volume.directories.names(directory).parent)
        for name, number in volume.directories.names(above).inodes.items():
            if number == directory.number:
                return above, name
        raise damaged(f"directory {directory.number} is not in the one above it")

    def known_place(self, context: Context, path: str) -> Place | None:
        """The place of `path`, if the way there is known and the name is a common one."""
        cut = path.rfind("/") + 1
        directory = context.known.get(path[:cut])
        if directory is None or (names := directory.names) is None:
            return None
        name = path[cut:]
        number = names.inodes.get(name)
        if number is not None:
            return directory, name, self._inodes.get(number) or self._volume.table.get(number)
        if len(name) <= NAME_MAX and name.isascii() and name not in _SPECIAL and "\0" not in name:
            return directory, name, None
        return None

    def target(self, link: Inode) -> str:
        """Where a symbolic link leads to."""
        return _target(self._volume, link)


class _Walk:
    """One path on its way: how many links it went through, and whose it is."""

    def __init__(
        self, volume: Volume, context: Context, path: str, *, creating: bool = False
    ) -> None:
        self._volume = volume
        self._context = context
        self._creating = creating
        self._links = 0
        self.path = checked(path)

    def last(self, start: Inode, path: str, *, follow: bool) -> Place:
        """The place of the last name of `path`, which begins at `start`."""
        head, name = split(path)
        slashed = path.endswith("/")
        directory = self.directory(start, head)
        if slashed and self._creating and is_plain(name):
            raise fail(errno.EISDIR, self.path)
        directory, name, inode = self.look(directory, name)
        if inode is not None and inode.kind == S_IFLNK and (follow or slashed):
            target = self._follow(inode) + "/" * slashed
            return self.last(directory, target, follow=True)
        if slashed and inode is not None and inode.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, self.path)
        return directory, name, inode

    def look(self, directory: Inode, name: str) -> Place:
        """What has this name in a directory that may be searched."""
        if name in {"", "."}:
            return directory, name, directory
        if name == "..":
            return directory, name, self._above(directory)
        check_name(name, self.path)
        number = self._volume.directories.names(directory).inodes.get(name)
        return directory, name, None if number is None else self._volume.table.get(number)

    def directory(self, start: Inode, head: str) -> Inode:
        """The directory that `head` leads to, which may be searched."""
        known = self._context.known
        lasting = start is self._context.cwd or head.startswith("/")
        here = known.get(head) if lasting else None
        if here is not None and here.links:  # or else it has been removed
            return here
        here = self._volume.root if head.startswith("/") else start
        self._enter(here)
        for name in head.split("/"):
            if name:
                here = self._next(here, name)
                self._enter(here)
        if lasting and len(head) <= _KNOWN_LENGTH:
            if len(known) >= _KNOWN:
                known.clear()
            known[head] = here
        return here

    def _next(self, here: Inode, name: str) -> Inode:
        inode = self.look(here, name)[2]
        if inode is None:
            raise fail(errno.ENOENT, self.path)
        if inode.kind == S_IFLNK:
            return self.directory(here, self._follow(inode) + "/")
        return inode

    def _enter(self, directory: Inode) -> None:
        if directory.kind != S_IFDIR:
            raise fail(errno.ENOTDIR, self.path)
        if not permits(directory, self._context.caller, SEARCH):
            raise fail(errno.EACCES, self.path)

    def _above(self, directory: Inode) -> Inode:
        if directory is self._volume.root:
            return directory
        if not directory.links:
            return self._volume.above_removed[directory.number]
        return self._volume.table.get(self._volume.directories.names(directory).parent)

    def _follow(self, link: Inode) -> str:
        self._links += 1
        if self._links > MAX_LINKS:
            raise fail(errno.ELOOP, self.path)
        return _target(self._volume, link)


def checked(path: str) -> str:
    """A path as it can be on the disk: `os.fsencode` maps some different strings to one."""
    if not path:
        raise fail(errno.ENOENT, path)
    if "\0" in path:
        raise fail(errno.EINVAL, path)
    length = len(path)
    if not path.isascii():
        encoded = encode_name(path)
        length = len(encoded)
        path = decode_name(encoded)
    if length >= PATH_MAX:
        raise fail(errno.ENAMETOOLONG, path)
    return path


def is_plain(name: str) -> bool:
    """Whether the last name of a path is one that can be removed or moved."""
    return name not in _SPECIAL


def split(path: str) -> tuple[str, str]:
    """The head and the last name; the root has none."""
    body = path.rstrip("/")
    if not body:
        return "/", ""
    cut = body.rfind("/") + 1
    return body[:cut], body[cut:]


def _target(volume: Volume, link: Inode) -> str:
    target = volume.content.read(link, 0, link.size)
    if b"\0" in target:
        raise damaged(f"link {link.number} leads nowhere")
    return decode_name(target)
