"""Keys: the register of a keyboard, memory that the device fills and its driver empties.

A ring of pieces, each two bytes of length and as many of text. One end writes, the other reads, and
each has a word of its own that says how far it has come; so no lock is needed.
"""

import struct
from collections.abc import Iterator
from typing import Final

from twinos import Region

SIZE: Final = 64 << 10
"""Bytes of the ring; a whole number of times in 2**32, where the words begin anew."""
_WRITTEN, _READ = 0, 1
_HEADER: Final = 8
_LENGTH: Final = struct.Struct("<H")
_WRAP: Final = 1 << 32


class Keys:
    """The register.

    Args:
        region: where it is; made large enough if it is new.
    """

    def __init__(self, region: Region) -> None:
        if not region.size:
            region.resize(_HEADER + SIZE)
        self._region = region

    def press(self, piece: bytes) -> bool:
        """Something is typed, up to 65,535 bytes; false: there is no room for it."""
        data = _LENGTH.pack(len(piece)) + piece
        written, read = self._word(_WRITTEN), self._word(_READ)
        if len(data) > SIZE - (written - read) % _WRAP:
            return False
        for place, byte in enumerate(data, written):
            self._region.memory[_HEADER + place % SIZE] = byte
        self._set(_WRITTEN, written + len(data))
        return True

    def pressed(self) -> Iterator[bytes]:
        """What has been typed and not been taken; it is now."""
        while (read := self._word(_READ)) != self._word(_WRITTEN):
            (length,) = _LENGTH.unpack(self._bytes(read, _LENGTH.size))
            piece = self._bytes(read + _LENGTH.size, length)
            self._set(_READ, read + _LENGTH.size + length)
            yield piece

    def _bytes(self, start: int, count: int) -> bytes:
        memory = self._region.memory
        return bytes(memory[_HEADER + place % SIZE] for place in range(start, start + count))

    def _word(self, which: int) -> int:
        return int.from_bytes(self._region.memory[4 * which : 4 * which + 4], "little")

    def _set(self, which: int, value: int) -> None:
        word = (value % _WRAP).to_bytes(4, "little")
        self._region.memory[4 * which : 4 * which + 4] = word
