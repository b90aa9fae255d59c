"""Bits in a row, in bytes: what a bitmap is made of."""


def clear_bits(bits: bytearray, first: int, count: int) -> int:
    """Clear bits in a row; how many of them were set."""
    start, end = first >> 3, (first + count + 7) >> 3
    mask = ((1 << count) - 1) << (first & 7)
    old = int.from_bytes(bits[start:end], "little")
    bits[start:end] = (old & ~mask).to_bytes(end - start, "little")
    return (old & mask).bit_count()


def count_bits(bits: bytearray, first: int, count: int) -> int:
    """How many bits in a row are set."""
    part = int.from_bytes(bits[first >> 3 : (first + count + 7) >> 3], "little")
    return (part >> (first & 7) & ((1 << count) - 1)).bit_count()


def union(one: bytearray, other: bytearray) -> bytes:
    """The bits that are set in either."""
    either = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return either.to_bytes(len(one), "little")


def with_margins_taken(bits: bytearray, count: int) -> bytearray:
    """A copy in which bit 0 and the bits beyond `count` are set."""
    size = len(bits)
    margins = ((1 << 8 * size) - 1) ^ ((1 << (count + 1)) - 2)
    return bytearray((int.from_bytes(bits, "little") | margins).to_bytes(size, "little"))
