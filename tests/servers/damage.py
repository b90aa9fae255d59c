"""Images with something wrong in them, by chance."""

import lzma
import random
import struct
from functools import cache
from pathlib import Path

from servers.filesystem.layout import (
    BLOCK_SIZE,
    DIRECT,
    INODE,
    Superblock,
)

_DATA = Path(__file__).parents[1] / "data"
_INTERESTING = (0, 1, 2, 3, 63, 64, 127, 128, 192, 255, 256, 1023, 1024, 0x7FFF_FFFF, 0xFFFF_FFFF)


@cache
def linux_image() -> bytes:
    """What the Linux driver wrote; `tests/data` says what is in it."""
    return lzma.decompress((_DATA / "linux-minix-v3.img.xz").read_bytes())


@cache
def _targets(image: bytes) -> tuple[tuple[int, int], ...]:
    """Where damage matters, offset and length: tables, inodes, directories, indirect blocks."""
    superblock = Superblock.unpack(image[BLOCK_SIZE : 2 * BLOCK_SIZE])
    first = superblock.first_data_zone
    found = [(BLOCK_SIZE, 31), (2 * BLOCK_SIZE, (first - 2) * BLOCK_SIZE)]
    table = superblock.table_start * BLOCK_SIZE
    for number in range(1, superblock.inodes + 1):
        at = table + (number - 1) * INODE.size
        mode, links, *_ = record = INODE.unpack_from(image, at)
        if links:
            found.append((at, INODE.size))
            zones = record[8:]
            metadata = [*zones[DIRECT:], *(zones[:DIRECT] if mode & 0o170000 != 0o100000 else ())]
            found += [(zone * BLOCK_SIZE, BLOCK_SIZE) for zone in metadata if zone and mode >> 15]
            found += [(zone * BLOCK_SIZE, BLOCK_SIZE) for zone in zones if zone and mode >> 14 == 1]
    return tuple(found)


def _place(image: bytes, rng: random.Random) -> int:
    offset, length = rng.choice(_targets(image))
    return offset + rng.randrange(length)


def _flip(image: bytes, damaged: bytearray, rng: random.Random) -> None:
    damaged[_place(image, rng)] ^= 1 << rng.randrange(8)


def _byte(image: bytes, damaged: bytearray, rng: random.Random) -> None:
    damaged[_place(image, rng)] = rng.randrange(256)


def _number(image: bytes, damaged: bytearray, rng: random.Random) -> None:
    """A whole number becomes another one that may mean something."""
    code, size = rng.choice([("<H", 2), ("<I", 4)])
    at = _place(image, rng) // size * size
    blocks, inodes = len(image) // BLOCK_SIZE, len(image) // BLOCK_SIZE // 3
    value = rng.choice([*_INTERESTING, rng.randrange(blocks), rng.randrange(inodes), blocks])
    struct.pack_into(code, damaged, at, value & (1 << 8 * size) - 1)


def _copy(image: bytes, damaged: bytearray, rng: random.Random) -> None:
    """A record or a block is where another one was."""
    size = rng.choice([4, 64, BLOCK_SIZE])
    source, target = (_place(image, rng) // size * size for _ in range(2))
    damaged[target : target + size] = image[source : source + size]


def _erase(image: bytes, damaged: bytearray, rng: random.Random) -> None:
    size = rng.choice([4, 64, 512, BLOCK_SIZE])
    at = _place(image, rng) // size * size
    damaged[at : at + size] = rng.choice([b"\0", b"\xff"]) * len(damaged[at : at + size])


def _noise(image: bytes, damaged: bytearray, rng: random.Random) -> None:
    size = rng.choice([4, 64, 512])
    at = _place(image, rng) // size * size
    damaged[at : at + size] = rng.randbytes(len(damaged[at : at + size]))


def damaged(image: bytes, rng: random.Random) -> bytearray:
    """A copy of a clean image with one to four things wrong."""
    copy = bytearray(image)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        rng.choice([_flip, _byte, _number, _number, _copy, _erase, _noise])(image, copy, rng)
    if not rng.randrange(20):
        del copy[rng.randrange(len(copy)) :]
    return copy
