"""A few numbers in a file that everybody has mapped: they outlive every process of a trial."""

import mmap
import struct
from pathlib import Path
from typing import Final

_NUMBERS: Final = struct.Struct("=q")


class Cell:
    """The state of one fault.

    Args:
        path: of the file; it is made if it is not there.
    """

    _FIELDS: Final = ("armed", "struck", "uses", "block", "spared")
    SIZE: Final = _NUMBERS.size * len(_FIELDS)

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(self.SIZE)
            self._memory = mmap.mmap(file.fileno(), self.SIZE)

    @property
    def armed(self) -> bool:
        """Whether the next request that can be hit is."""
        return bool(self._get(0))

    def arm(self, spared: int) -> None:
        """Have a request hit, after so many others."""
        self._put(4, spared)
        self._put(0, 1)

    def spares(self) -> bool:
        """Whether this request is one of those that pass before."""
        left = self._get(4)
        self._put(4, max(left - 1, 0))
        return left > 0

    @property
    def struck(self) -> int:
        """When the fault struck, in ns of the monotonic clock; 0: it has not yet."""
        return self._get(1)

    def strike(self, now: int) -> None:
        """The fault strikes."""
        self._put(1, now)

    def use(self) -> int:
        """How many requests were hit, this one included."""
        self._put(2, self._get(2) + 1)
        return self._get(2)

    @property
    def block(self) -> int:
        """The block that has gone bad."""
        return self._get(3)

    @block.setter
    def block(self, number: int) -> None:
        self._put(3, number)

    def _get(self, place: int) -> int:
        return int(_NUMBERS.unpack_from(self._memory, place * _NUMBERS.size)[0])

    def _put(self, place: int, number: int) -> None:
        _NUMBERS.pack_into(self._memory, place * _NUMBERS.size, number)
