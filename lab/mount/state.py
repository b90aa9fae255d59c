"""What all requests share: who asks, which files the host knows, and what is open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import Any, Final, NamedTuple

import pyfuse3

from kernels import System
from lab.mount.nodes import NO_KEEPER, Node, Nodes
from lab.mount.places import Place, Places
from lab.mount.reply import attributes
from lab.mount.users import Asker, Users, groups_of
from servers.filesystem import Stat
from twinos import KernelPanic

_KEEPER: Final = {S_IFREG: os.O_RDWR, S_IFDIR: os.O_RDONLY}
"""How a keeper is opened, by type: so that whatever is asked of it can be done."""


class OpenFile(NamedTuple):
    """What the host has open.

    Attributes:
        asker: who opened it, by whom it is read and written whoever holds it now.
        number: of which inode.
        descriptor: of that asker.
    """

    asker: Asker
    number: int
    descriptor: int


class MountState(pyfuse3.Operations):  # type: ignore[misc]  # unchecked: it is an extra
    """The common base of the handlers' classes.

    Args:
        system: a booted file system.

    Attributes:
        panic: why nothing is answered any more, if the system panicked.
    """

    def __init__(self, system: System) -> None:
        super().__init__()
        self.panic: KernelPanic | None = None
        self._users = Users(system)
        self._superuser = self._users(0, 0, ())
        self._superuser.opens += 1  # it stays
        self._files = self._superuser.files
        self._nodes = Nodes()
        self._places = Places(self._nodes)
        self._handles: dict[int, OpenFile] = {}
        self._last_handle = 0

    def _asker(self, context: Any) -> Asker:
        if not context.uid:
            return self._users(0, context.gid, ())
        return self._users(context.uid, context.gid, groups_of(context.pid))

    def _place(self, parent: int, name: bytes) -> Place:
        return self._nodes[parent], os.fsdecode(name)

    def _path(self, node: Node) -> str:
        return self._places.of(self._files, node)

    def _stat(self, node: Node) -> Stat:
        """What is known of a node."""
        if node.names or node is self._nodes.root:
            return self._files.lstat(self._path(node))
        return self._files.fstat(node.keeper)

    def _attributes(self, node: Node) -> Any:
        return attributes(self._stat(node))

    def _entry(self, place: Place) -> Any:
        """Tell the host what has this name. ENOENT."""
        found = self._files.lstat(self._places.within(self._files, place))
        self._nodes.found(*place, found.st_ino, S_IFMT(found.st_mode))
        return attributes(found)

    def _open(self, asker: Asker, node: Node, flags: int) -> int:
        """The handle of a file that is now open; without a name it is its keeper's file."""
        if node.names or node is self._nodes.root:
            path = self._places.of(asker.files, node)
            return self._opened(asker, node.number, asker.files.open(path, flags))
        if flags & os.O_TRUNC:
            self._files.ftruncate(node.keeper, 0)
        return self._opened(self._superuser, node.number, self._files.dup(node.keeper))

    def _opened(self, asker: Asker, number: int, descriptor: int) -> int:
        """The handle of what was just opened."""
        self._last_handle += 1
        self._handles[self._last_handle] = OpenFile(asker, number, descriptor)
        asker.opens += 1
        return self._last_handle

    def _closed(self, handle: int) -> None:
        file = self._handles.pop(handle)
        file.asker.opens -= 1
        file.asker.files.close(file.descriptor)

    @contextmanager
    def _losing(self, place: Place) -> Iterator[None]:
        """Keep hold of a file while the last name that we know of it goes."""
        parent, name = place
        node = parent.children.get(name)
        if node is None or not node.only_name_is(place) or node.keeper != NO_KEEPER:
            yield
            return
        flags = _KEEPER.get(node.kind, os.O_PATH) | os.O_NOFOLLOW
        node.keeper = self._files.open(self._path(node), flags)
        try:
            yield
        except BaseException:
            self._files.close(node.keeper)
            node.keeper = NO_KEEPER
            raise
