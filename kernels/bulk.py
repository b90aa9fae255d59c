"""Bulk: where the contents of a large message lie, so that nothing has to carry them.

Each end of a channel has an *outbox*, a memory file that it alone may write, and that the other end
maps without the right to: its *inbox*. A message of `LARGE` bytes or more puts its contents there,
and only a few bytes travel: a *grant* of the outbox's first bytes, until the answer. As a channel
has one request under way at most, there is no offset to agree on or to forge.

    grant: u32 IN_STORE | size of the rest, u8 code, u32 size of the contents, payload

Where the payload is empty, the contents are the payload. Else they belong into the one `bytes` that
the payload has at its top, in which they are left out: so they are neither encoded nor decoded, and
are copied twice in all, in and out.

The sender may go on writing while we look. So nothing is checked in the inbox: contents are copied
out first, once, and what is checked and decoded is our copy.
"""

import errno
import fcntl
import mmap
import os
import struct
from typing import Final

from kernels.frames import HEADER, IN_STORE, LARGE, SIZE, MalformedFrameError, check_size
from twinos import Pages, fail

STORE: Final = 4 << 20
"""Bytes that lie in an outbox at most: what each end of a channel can hold of the host's memory. A
page that no message has reached takes none. A larger message goes the way of a small one."""

KEPT: Final = 1 << 20
"""Bytes in pages that an outbox remembers at most. They may be kept alive by that alone."""

GRANT: Final = struct.Struct("<IBI")


class Bulk:
    """A message whose contents are not in one piece with its header.

    Of a message as a whole, only its length and its code are asked; both are answered as a message
    in one piece would.

    Attributes:
        code: the number of the operation, or the status.
        contents: of the one bytes object that the payload lacks, in pages perhaps; or, without a
            payload, all of it.
        payload: the encoding of the rest, with an empty bytes object in place of the contents.

    Raises:
        OSError: EMSGSIZE, it is larger than `MAX_PAYLOAD`.
    """

    __slots__ = ("code", "contents", "payload")

    def __init__(self, code: int, contents: bytes | Pages, payload: bytes = b"") -> None:
        check_size(len(contents) + len(payload))
        self.code = code
        self.contents = contents
        self.payload = payload

    def __len__(self) -> int:
        return SIZE + len(self.payload) + len(self.contents)

    def __getitem__(self, index: int) -> int:
        if index != SIZE - 1:
            raise IndexError(index)
        return self.code

    @property
    def fits(self) -> bool:
        """Whether an outbox has room for the contents."""
        return len(self.contents) <= STORE

    def whole(self) -> bytes:
        """The message in one piece. For one without a payload of its own."""
        return HEADER.pack(len(self.contents), self.code) + bytes(self.contents)


class Outbox:
    """Where this end's large messages lie.

    Args:
        memory: what is shared with the other end; writable here only.
        start: where in it the contents begin.
    """

    def __init__(self, memory: mmap.mmap, start: int = 0) -> None:
        self._memory = memory
        self._start = start
        self._lies: Pages | None = None

    def lay_down(self, message: Bulk) -> bytes:
        """Put the contents of a message that `fits` here; the grant to send for it."""
        size = len(message.contents)
        if isinstance(message.contents, Pages):
            self._lay_pages(message.contents)
        else:
            self.lay(message.contents)
        rest = GRANT.size - SIZE + len(message.payload)
        return GRANT.pack(IN_STORE | rest, message.code, size) + message.payload

    def lay(self, contents: bytes | memoryview) -> None:
        """Put bytes here."""
        self._lies = None
        self._memory[self._start : self._start + len(contents)] = contents

    def _lay_pages(self, pages: Pages) -> None:
        """Put pages here, unless they are what lies here: files are read again and again."""
        if pages != self._lies:
            self._lies = None
            pages.lay(self._memory, self._start)
            self._lies = pages if len(pages) <= KEPT else None


class Inbox:
    """Where the other end's large messages lie.

    Args:
        memory: what is shared with the other end; only that may write it.
        start: where in it the contents begin.
    """

    def __init__(self, memory: mmap.mmap, start: int = 0) -> None:
        self._memory = memory
        self._start = start

    def take_up(self, grant: bytes | bytearray) -> Bulk:
        """A copy of the message that was granted.

        Raises:
            MalformedFrameError: no outbox has contents of that size.
        """
        if len(grant) < GRANT.size:
            raise MalformedFrameError("a grant of nothing")
        _, code, size = GRANT.unpack_from(grant)
        if not LARGE <= size <= STORE:
            raise MalformedFrameError(f"a grant of {size} bytes")
        contents = self._memory[self._start : self._start + size]
        return Bulk(code, contents, bytes(grant[GRANT.size :]))


Frame = bytes | bytearray | Bulk
"""A message, as it is sent and received."""


def payload_of(message: Frame) -> bytes | memoryview:
    """The payload, copied when it is small and viewed when it is large."""
    if isinstance(message, Bulk):
        return message.payload or bytes(message.contents)
    return bytes(message[SIZE:]) if len(message) < LARGE else memoryview(message)[SIZE:]


def create_outbox(size: int = STORE) -> tuple[int, int]:
    """A new outbox, as descriptors: one for its owner, one with which it can only be read.

    It is sealed: nobody can cut it short under the other end.
    """
    owners = os.memfd_create("twinos:bulk", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(owners, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(owners, fcntl.F_ADD_SEALS, seals)
        readers = os.open(f"/proc/self/fd/{owners}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        os.close(owners)
        raise
    return owners, readers


def map_box(descriptor: int, size: int = STORE, *, writable: bool) -> mmap.mmap:
    """Map an outbox. The descriptor stays the caller's.

    Raises:
        OSError: EINVAL, it is no such file; EACCES, it can't be written; EMFILE or ENOMEM, the host
            has no room.
    """
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    try:
        return mmap.mmap(descriptor, size, prot=access)
    except ValueError:
        raise fail(errno.EINVAL) from None
