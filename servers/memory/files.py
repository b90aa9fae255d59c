"""Files, as the memory manager has them: FileSystem, which lends their pages."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated

from servers.filesystem import Cuts, FileSystem, Mapped, Text
from servers.memory.reclaim import Reclaim
from servers.memory.violations import LOST
from servers.who import Who
from twinos import only

FilesHandle = Annotated[
    FileSystem,
    only(
        "mapping_open",
        "mapping_program",
        "mapping_close",
        "mapping_page",
        "mapping_return",
        "mapping_copy",
        "mapping_sync",
        "mapping_cuts",
        "mapping_reset",
        "mapping_resume",
    ),
]
"""What of FileSystem a memory manager needs."""


class Files:
    """FileSystem's pages.

    A page that can't be had is EIO, whatever FileSystem says: the program that touches it can do
    nothing about it. What can't be given back (the disk is full, or FileSystem has died) is lost.

    Args:
        files: FileSystem.
    """

    def __init__(self, files: FilesHandle) -> None:
        self._files = files

    def begin(self) -> int:
        """Nothing is mapped. How many pages can be borrowed."""
        return self._files.mapping_reset()

    def go_on(self, files: Sequence[int], slots: Sequence[int]) -> dict[int, int]:
        """These files are mapped, these pages are borrowed, and no others; the files' sizes."""
        return dict(self._files.mapping_resume(tuple(files), tuple(slots)))

    def open(self, who: int, fd: int) -> Mapped:
        """A file that a caller has open is mapped once more. EACCES, EBADF, ENODEV."""
        return self._files.mapping_open(who, fd)

    def program(self, who: Who, path: str) -> Text:
        """The file of a program that `who` may execute is mapped once more. EACCES, ENOENT."""
        return self._files.mapping_program(who, path)

    def close(self, file: int) -> None:
        """A file is mapped once less."""
        with suppress(OSError):
            self._files.mapping_close(file)

    def borrow(self, file: int, page: int, reclaim: Reclaim, *, write: bool) -> int:
        """The slot of a page. EIO: there is no such page. ENOMEM: no page can be given back."""
        while True:
            try:
                return self._files.mapping_page(file, page, write)
            except OSError as error:
                if error.errno != errno.ENOMEM:
                    raise OSError(LOST, str(error)) from error
            reclaim.evict(own=False)

    def give_back(self, slot: int) -> None:
        """A page is not needed any more."""
        with suppress(OSError):
            self._files.mapping_return((slot,))

    def copy(self, slot: int) -> bytes:
        """The bytes of a page."""
        with lost():
            return self._files.mapping_copy(slot)

    def cuts(self) -> Cuts:
        """What was cut since this was last asked. EIO."""
        with lost():
            return self._files.mapping_cuts()

    def sync(self, file: int) -> None:
        """Have what was stored on the medium. EIO, ENOSPC."""
        self._files.mapping_sync(file)


@contextmanager
def lost() -> Iterator[None]:
    """Whatever FileSystem says is EIO."""
    try:
        yield
    except OSError as error:
        raise OSError(LOST, str(error)) from error
