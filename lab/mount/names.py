"""Requests about names: what makes, removes, moves and finds files."""

import errno
import os
from typing import Any, Final

from lab.mount.nodes import NO_KEEPER
from lab.mount.reply import absent, answering
from lab.mount.state import MountState
from twinos import fail

_NO_REPLACE: Final = 1
"""`RENAME_NOREPLACE`."""


class NameHandlers(MountState):
    """See pyfuse3 for what each is asked."""

    @answering
    def lookup(self, parent: int, name: bytes, context: Any) -> Any:
        """What has a name in a directory."""
        del context
        place = self._place(parent, name)
        try:
            return self._entry(place)
        except FileNotFoundError:
            return absent()

    @answering
    def forget(self, forgotten: list[tuple[int, int]]) -> None:
        """The host's kernel does not know these inodes any more."""
        for number, count in forgotten:
            keeper = self._nodes.forgotten(number, count)
            if keeper != NO_KEEPER:
                self._files.close(keeper)

    @answering
    def readlink(self, number: int, context: Any) -> bytes:
        """Where a symbolic link leads to."""
        del context
        return os.fsencode(self._files.readlink(self._path(self._nodes[number])))

    @answering
    def mknod(self, parent: int, name: bytes, mode: int, device: int, context: Any) -> Any:
        """Make a file, FIFO, socket or device."""
        files, place = self._asker(context).files, self._place(parent, name)
        files.mknod(self._places.within(files, place), mode, device)
        return self._entry(place)

    @answering
    def mkdir(self, parent: int, name: bytes, mode: int, context: Any) -> Any:
        """Make a directory."""
        files, place = self._asker(context).files, self._place(parent, name)
        files.mkdir(self._places.within(files, place), mode & 0o7777)
        return self._entry(place)

    @answering
    def symlink(self, parent: int, name: bytes, target: bytes, context: Any) -> Any:
        """Make a symbolic link."""
        files, place = self._asker(context).files, self._place(parent, name)
        files.symlink(os.fsdecode(target), self._places.within(files, place))
        return self._entry(place)

    @answering
    def link(self, number: int, parent: int, name: bytes, context: Any) -> Any:
        """Give a file one more name."""
        files, place = self._asker(context).files, self._place(parent, name)
        files.link(*self._places.link(files, self._nodes[number], place))
        return self._entry(place)

    @answering
    def unlink(self, parent: int, name: bytes, context: Any) -> None:
        """Remove a name."""
        files, place = self._asker(context).files, self._place(parent, name)
        with self._losing(place):
            files.unlink(self._places.within(files, place))
        self._nodes.removed(*place)

    @answering
    def rmdir(self, parent: int, name: bytes, context: Any) -> None:
        """Remove an empty directory."""
        files, place = self._asker(context).files, self._place(parent, name)
        with self._losing(place):
            files.rmdir(self._places.within(files, place))
        self._nodes.removed(*place)

    @answering
    def rename(
        self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int, context: Any
    ) -> None:
        """Give a file another name."""
        files = self._asker(context).files
        old, new = self._place(parent, name), self._place(new_parent, new_name)
        if flags & ~_NO_REPLACE:  # and whether it replaces anything the host has looked up
            raise fail(errno.EINVAL)
        with self._losing(new):
            files.rename(*self._places.pair(files, old, new))
        self._nodes.moved(*old, *new)
