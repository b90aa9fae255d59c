"""Content cut into pages, and pages put together from blocks."""

from functools import cache
from struct import Struct

from servers.filesystem.layout import BLOCK_SIZE


@cache  # of 256 counts at most: no write is longer
def cutter(count: int, page: int) -> Struct:
    """What cuts bytes into so many pages of so many bytes."""
    return Struct(f"{page}s" * count)


def with_holes(data: bytes, zones: list[int]) -> bytes:
    """A page, up to the last block that it has, from the blocks that it has."""
    page = bytearray()
    at = 0
    for number, zone in enumerate(zones):
        if zone:
            page = page.ljust(number * BLOCK_SIZE, b"\0") + data[at : at + BLOCK_SIZE]
            at += BLOCK_SIZE
    return bytes(page)
