"""Bulk: where the payload of a large message travels, so that no pipe has to carry it.

Every channel has a store, one memory file that both of its ends map. A large message puts its
payload there, and only its header goes through the pipe, with `IN_STORE` set in the size: a grant
of the store's first bytes to the other end, until that end answers. A channel has one request under
way at most, so its ends take turns in writing, and there is no offset to agree on or to forge.

The other end may go on writing while we look. So nothing is checked in the store: a message is
copied out first, once, and what is checked and decoded is our copy.
"""

import errno
import fcntl
import mmap
import os
import struct
from typing import Final

from kernels.frames import HEADER, IN_STORE, LARGE, SIZE, MalformedFrameError, check_size
from twinos import fail

STORE: Final = 4 << 20
"""Bytes of a store: what one channel can hold of the host's memory. A page that no message has
reached takes none. A larger message goes through the pipe."""

_BYTES: Final = struct.Struct(">BI")
_BIN32: Final = 0xC6
"""MessagePack's mark of bytes; their number follows, and then they themselves."""


class Bulk:
    """A message whose payload is not in one piece with its header.

    Of a message as a whole, only its length and its code are asked; both are answered as a message
    in one piece would.

    Attributes:
        code: the number of the operation, or the status.
        head: when the payload is the encoding of one bytes object: all of it before the content.
        body: that content, or else the whole payload.

    Raises:
        OSError: EMSGSIZE, the payload is larger than `MAX_PAYLOAD`.
    """

    __slots__ = ("body", "code", "head")

    def __init__(self, code: int, body: bytes, head: bytes = b"") -> None:
        check_size(len(head) + len(body))
        self.code = code
        self.head = head
        self.body = body

    @classmethod
    def of_bytes(cls, code: int, data: bytes) -> "Bulk":
        """A message with one bytes object, which needs no encoding."""
        return cls(code, data, _BYTES.pack(_BIN32, len(data)))

    def __len__(self) -> int:
        return HEADER.size + len(self.head) + len(self.body)

    def __getitem__(self, index: int) -> int:
        if index != HEADER.size - 1:
            raise IndexError(index)
        return self.code

    @property
    def payload(self) -> bytes:
        """All of the payload, in one piece."""
        return self.head + self.body if self.head else self.body


class Store:
    """One end's view of a channel's store.

    Args:
        descriptor: the memory file, of `STORE` bytes. It stays the caller's.

    Raises:
        OSError: EINVAL, it is no such file; EMFILE or ENOMEM, the host has no room.
    """

    def __init__(self, descriptor: int) -> None:
        try:
            self._memory = mmap.mmap(descriptor, STORE)
        except ValueError:
            raise fail(errno.EINVAL) from None

    def lay_down(self, message: Bulk) -> bytes:
        """Put a message here; what to write to the pipe for it. All of it, if it is too large."""
        size = len(message) - HEADER.size
        if size > STORE:
            return HEADER.pack(size, message.code) + message.payload
        start = len(message.head)
        self._memory[:start] = message.head
        self._memory[start:size] = message.body
        return HEADER.pack(IN_STORE | size, message.code)

    def take_up(self, code: int, size: int) -> Bulk:
        """A copy of the message that lies here, whose payload has `size` bytes.

        Raises:
            MalformedFrameError: no payload of that size lies in a store.
        """
        if not LARGE <= size <= STORE:
            raise MalformedFrameError(f"a payload of {size} bytes in the store")
        start = _BYTES.size
        head = self._memory[:start]
        if head == _BYTES.pack(_BIN32, size - start):
            return Bulk(code, self._memory[start:size], head)
        return Bulk(code, self._memory[:size])

    def close(self) -> None:
        """Unmap it. The memory is free when the other end has done the same."""
        self._memory.close()


def create_store() -> int:
    """A new store, as a descriptor. Sealed: nobody can cut it short under the other end."""
    descriptor = os.memfd_create("twinos:bulk", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, STORE)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


Frame = bytes | bytearray | Bulk
"""A message, as it is sent and received."""


def payload_of(message: Frame) -> bytes | memoryview:
    """The payload, copied when it is small and viewed when it is large."""
    if isinstance(message, Bulk):
        return message.payload
    return bytes(message[SIZE:]) if len(message) < LARGE else memoryview(message)[SIZE:]
