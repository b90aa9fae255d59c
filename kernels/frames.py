"""Frames: what a message looks like on its way, whatever carries it.

    request: u32 size of the payload, u8 number of the operation, payload (the arguments)
    reply:   u32 size of the payload, u8 status,                  payload (the result or error)

A frame is bytes in one piece or, when its payload is large, a `kernels.bulk.Bulk`.
"""

import errno
import struct
from typing import Final

from twinos import fail

HEADER: Final = struct.Struct("<IB")
SIZE: Final = HEADER.size

OK: Final = 0
FAILED: Final = 1

RESUME: Final = 254
"""The number of no operation: an earlier conversation goes on, see `kernels.resume`."""

BUNDLE: Final = 255
"""The number of no operation: the payload is several requests, see `kernels.bundle`."""

MAX_PAYLOAD: Final = 1 << 30
"""Bytes in one message at most."""

IN_STORE: Final = 1 << 31
"""Set in a header's size: the payload lies in the store."""

SMALL: Final = 480
"""Room for a common message; a read with more room costs more (the interpreter allocates it)."""
LARGE: Final = 16 * 1024
"""Room where a block or a page of data is expected; a larger payload lies in the store."""

_MOST_HEADERS: Final = 1024

MOST: Final = 1024
"""Frames in a bundle at most."""


class MalformedFrameError(Exception):
    """What arrived is no message."""


class Headers(dict[int, bytes]):
    """The headers of frames with one code, by the size of the payload, made when first asked for.

    Looking one up costs less than packing it, and less than unpacking another one to compare.

    Args:
        code: the number of the operation, or the status.
        extra: what is added to a size to ask by something longer than the payload.
        length: how many bytes of each header to keep.
    """

    def __init__(self, code: int = OK, *, extra: int = 0, length: int = SIZE) -> None:
        super().__init__()
        self._code = code
        self._extra = extra
        self._length = length

    def __missing__(self, size: int) -> bytes:
        if size < self._extra:
            return b"\0" * (SIZE + 1)  # no frame begins so: none is as short
        header = HEADER.pack(size - self._extra, self._code)[: self._length]
        if len(self) < _MOST_HEADERS:
            self[size] = header
        return header


def check_size(size: int) -> None:
    """Refuse a payload that is larger than `MAX_PAYLOAD`: EMSGSIZE."""
    if size > MAX_PAYLOAD:
        raise fail(errno.EMSGSIZE)


def frame(code: int, payload: bytes) -> bytes:
    """A message: a request (`code` is the operation's number) or a reply (the status).

    Raises:
        OSError: EMSGSIZE, it is larger than `MAX_PAYLOAD`.
    """
    check_size(len(payload))
    return HEADER.pack(len(payload), code) + payload


def frames_in(payload: bytes) -> list[bytes]:
    """The frames of a bundle.

    Raises:
        MalformedFrameError: it does not consist of frames, or there are none, or too many.
    """
    if not payload:
        raise MalformedFrameError("an empty bundle")
    frames: list[bytes] = []
    at, end, unpack = 0, len(payload), HEADER.unpack_from
    while at < end:
        if end - at < SIZE or len(frames) == MOST:
            raise MalformedFrameError("no bundle")
        next_at = at + SIZE + unpack(payload, at)[0]
        if next_at > end:
            raise MalformedFrameError("a bundle that is cut short")
        frames.append(payload[at:next_at])
        at = next_at
    return frames
