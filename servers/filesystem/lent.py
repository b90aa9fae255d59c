"""The pages of a file of which some are lent: mapped into programs' memory (see `lending`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from servers.filesystem.inode import Inode

PAGE: Final = 4096


class Shelf(Protocol):
    """Where lent pages are."""

    def read(self, slot: int) -> bytes:
        """The bytes of a slot."""

    def write(self, slot: int, offset: int, data: bytes) -> None:
        """Change bytes of a slot."""

    def revoke(self, slot: int) -> None:
        """Take a page away from whoever maps it."""

    def cut(self, inode: Inode) -> None:
        """A file has become shorter."""


class Lent(dict[int, bytes]):
    """The pages of a file of which some are lent: those are elsewhere, but it knows where.

    Who walks through it, to let go of pages, does not meet those.

    Args:
        inode: the file.
        lending: where lent pages are.
        pages: the others.

    Attributes:
        slots: the slots of the pages that are lent.
        written: those of them that may be written to, as they were when last looked at.
        mappings: how often the file is mapped.
    """

    __slots__ = ("_inode", "_lending", "_seen", "mappings", "slots", "written")

    def __init__(self, inode: Inode, lending: Shelf, pages: dict[int, bytes]) -> None:
        super().__init__(pages)
        self.slots: dict[int, int] = {}
        self.written: dict[int, bytes] = {}
        self.mappings = 0
        self._inode = inode
        self._lending = lending
        self._seen: dict[int, bytes] = {}

    def __contains__(self, index: object) -> bool:
        return index in self.slots or super().__contains__(index)

    def __getitem__(self, index: int) -> bytes:
        return self._look(index) if index in self.slots else super().__getitem__(index)

    def get(self, index: int, default: bytes | None = None) -> bytes | None:  # type: ignore[override]  # pages have no other default
        """A page, or `default`."""
        return self._look(index) if index in self.slots else super().get(index, default)

    def __setitem__(self, index: int, page: bytes) -> None:
        """Change a page; of one that is lent only the bytes that differ, for others may be stored.

        Those who change it have looked at it first.
        """
        slot = self.slots.get(index)
        if slot is None:
            super().__setitem__(index, page)
            return
        start, end = _difference(self._seen.pop(index, b""), page)
        self._lending.write(slot, start, page[start:end])

    def described(self) -> tuple[tuple[int, int, bool], ...]:
        """The pages that are lent: page, slot, whether it may be written."""
        return tuple((index, slot, index in self.written) for index, slot in self.slots.items())

    def cut(self) -> None:
        """The file has become shorter: what is beyond its end is nobody's, and zeros."""
        size = self._inode.size
        for index in [index for index in self.slots if index * PAGE >= size]:
            self._lending.revoke(self.slots.pop(index))
            self.written.pop(index, None)
            self._inode.changed.discard(index)
        self._lending.cut(self._inode)
        self.blank()

    def blank(self) -> None:
        """Whatever was stored beyond the end of the file was not stored in the file."""
        index, rest = divmod(self._inode.size, PAGE)
        if rest and index in self.slots:
            self._lending.write(self.slots[index], rest, bytes(PAGE - rest))

    def _look(self, index: int) -> bytes:
        page = self._lending.read(self.slots[index])[: self._inode.size - index * PAGE]
        self._seen[index] = page
        return page


def _difference(old: bytes, new: bytes) -> tuple[int, int]:
    """From which to before which byte `new` differs from `old`; beyond its end, it does."""
    common = min(len(old), len(new))
    if old[:common] == new[:common]:
        return common, len(new)
    bits = int.from_bytes(old[:common], "little") ^ int.from_bytes(new[:common], "little")
    start = ((bits & -bits).bit_length() - 1) // 8
    return start, len(new) if len(new) > common else (bits.bit_length() + 7) // 8
