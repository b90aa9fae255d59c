"""Frames: what a message looks like on its way, whatever carries it.

    request: u32 size of the payload, u8 number of the operation, payload (the arguments)
    reply:   u32 size of the payload, u8 status,                  payload (the result or error)

A frame is bytes in one piece or, when its payload is large, a `kernels.bulk.Bulk`.
"""

import errno
import struct
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from twinos import fail
from twinos.codec import DAMAGED, encode_plain, plain_decoder

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


_Frame = Annotated[bytes, msgspec.Meta(min_length=SIZE)]
_FRAMES: Final = plain_decoder(Annotated[list[_Frame], msgspec.Meta(min_length=1, max_length=MOST)])


def together(frames: Sequence[bytes | None]) -> bytes:
    """The payload of a bundle of these."""
    return encode_plain(frames)


def frames_in(payload: bytes | memoryview) -> list[bytes]:
    """The frames of a bundle.

    Raises:
        MalformedFrameError: it is no list of what may be frames, or there are none, or too many.
    """
    try:
        return _FRAMES(payload)  # type: ignore[no-any-return]  # a list of bytes
    except DAMAGED as error:
        raise MalformedFrameError(str(error)) from None
