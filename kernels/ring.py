"""The ring transport: messages in shared memory, watched for a moment before anybody sleeps.

A channel has one request under way at most, so its ring has one slot for each direction. Whoever
sends owns the memory file that holds the slot; the receiver can only read it:

       0  u64 the ticket of the message in the slot, and its length
      64  u64 1 while the owner of this file sleeps
     128  u64 0; or on which CPU the owner can run: that + 2; or 1, on several
    4096  the slot, and from BOXES on the contents of large messages (`kernels.bulk`)

The receiver polls the other end's ticket for a while, then says that it sleeps, looks once more and
reads from a pipe. The sender puts the message down, then the ticket, then looks whether the other
sleeps, and wakes it by a byte in that pipe. What orders these steps, and what becomes of peers that
die or lie in between, is in docs/ring.md.
"""

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import repeat
from mmap import PAGESIZE, mmap
from struct import Struct
from threading import Lock
from typing import Final, Self

from kernels.bulk import STORE, Bulk, Frame, Inbox, Outbox
from kernels.frames import HEADER, IN_STORE, LARGE, SIZE, MalformedFrameError
from kernels.patience import Patience
from kernels.pipes import adopted, channel_ends
from kernels.transport import Channel, Transport

WORD: Final = 8
TICKET: Final = 0
ASLEEP: Final = 64 // WORD
"""On a line of the cache of its own."""
PLACE: Final = 128 // WORD
SLOT: Final = 4096
ROOM: Final = 5 * PAGESIZE
"""Of the slot: a message shorter than `LARGE`, a header, and something to spare."""
BOXES: Final = SLOT + ROOM
MEMORY: Final = BOXES + STORE

NEXT: Final = 1 << 16
"""From one ticket to the next. Below it is the length: `ROOM` is less."""

PIECE: Final = Struct("<IBI")
_MORE: Final = IN_STORE - 1
"""The size in the header of a piece of a message that is larger than the memory."""


class RingChannel(Channel):
    """One end of a channel.

    Args:
        source: where to be woken, as a descriptor.
        sink: where to wake the other end.
        theirs: the memory that the other end owns.
        ours: the memory that this end owns.
        life: which incarnation of the server is at the other end.
    """

    def __init__(self, source: int, sink: int, theirs: mmap, ours: mmap, life: int = 0) -> None:
        self.source = self.hangup = source
        self.sink = sink
        self.life = life
        self._theirs, self._ours = theirs, ours
        self._inbox, self._outbox = Inbox(theirs, BOXES), Outbox(ours, BOXES)
        self._said, self._heard = memoryview(ours).cast("Q"), memoryview(theirs).cast("Q")
        self._fence = Lock()
        self._tickets = [0, 0, 0]  # sent, received; polls before sleeping
        self._patience = Patience(partial(self._said.__setitem__, PLACE), self._place_of_other)
        os.set_blocking(sink, False)
        fence = (self._fence.acquire, self._fence.release)
        self.hot = (self._tickets, ours, self._said, *fence, theirs, self._heard, self)

    @classmethod
    def adopt(cls, descriptors: Sequence[int], life: int = 0) -> Self:
        """The end that these descriptors are; see `Transport.adopt`."""
        return cls(*adopted(descriptors, MEMORY), life)

    def _place_of_other(self) -> int:
        return self._heard[PLACE]

    def send(self, message: Frame) -> None:
        """Put a message into the slot; its contents beside it, piece by piece if they are large."""
        if isinstance(message, Bulk):
            message = self._outbox.lay_down(message) if message.fits else message.whole()
        rest = memoryview(message)
        while len(rest) > ROOM:
            self._send_piece(message[SIZE - 1], rest[:STORE])
            rest = rest[STORE:]
        self._publish(rest)

    def _send_piece(self, code: int, piece: memoryview) -> None:
        """Put down what fits, and wait until it has been taken."""
        self._outbox.lay(piece)
        self._publish(PIECE.pack(_MORE, code, len(piece)))
        if self._await():
            raise MalformedFrameError("an answer to half a message")

    def _publish(self, message: bytes | memoryview) -> None:
        """What `Transport.send` does, for any message that the slot has room for."""
        self._tickets[0] += NEXT
        self._ours[SLOT : SLOT + len(message)] = message
        self._said[TICKET] = self._tickets[0] + len(message)
        with self._fence:
            pass
        if self._heard[ASLEEP]:
            self.wake()

    def wake(self) -> None:
        """Wake the other end, which says that it sleeps.

        Raises:
            BrokenPipeError: it is closed.
        """
        with suppress(BlockingIOError):  # so many wait there that it will not miss one
            os.write(self.sink, b"\0")

    def receive(self, room: int) -> Frame:
        """The next message."""
        del room  # it lies there, however long it is
        return self.complete(self._await())

    def _await(self) -> bytes:
        """What `Transport.receive` does."""
        self._tickets[1] = ticket = self._tickets[1] + NEXT
        for _ in repeat(None, self._tickets[2]):
            word = self._heard[TICKET]
            if word >= ticket:
                break
        else:
            word = self.sleep(ticket)
        return self._theirs[SLOT : SLOT - ticket + word]

    def sleep(self, ticket: int) -> int:
        """Wait for a ticket without polling; it, and the length of its message.

        Raises:
            EOFError: the other end is closed.
        """
        said, heard = self._said, self._heard
        self._tickets[2] = self._patience.next(ticket // NEXT)
        said[ASLEEP] = 1
        with self._fence:  # it must see that we sleep, or we what it has said
            pass
        while (word := heard[TICKET]) < ticket:
            if not os.read(self.source, LARGE):
                word = heard[TICKET]  # its last words, perhaps
                if word < ticket:
                    raise EOFError
                break
        said[ASLEEP] = 0
        return word

    def complete(self, start: bytes) -> Frame:
        """The message of which `start` was in the slot.

        Raises:
            EOFError: the other end is closed.
            MalformedFrameError: that was none.
        """
        whole = bytearray()
        while start.startswith(_PIECE_STARTS):
            whole += self._take_piece(start)
            self._publish(b"")
            start = self._await()
        if whole:
            start = bytes(whole + start)
        if len(start) < SIZE:
            raise MalformedFrameError("a message of no bytes")
        size, _ = HEADER.unpack_from(start)
        if size & ~IN_STORE != len(start) - SIZE:
            raise MalformedFrameError(f"a message of {len(start)} bytes that says {size}")
        return self._inbox.take_up(start) if size & IN_STORE else start

    def _take_piece(self, start: bytes) -> bytes:
        if len(start) != PIECE.size:
            raise MalformedFrameError("a piece of nothing")
        _, _, size = PIECE.unpack(start)
        if not ROOM < size <= STORE:
            raise MalformedFrameError(f"a piece of {size} bytes")
        return self._theirs[BOXES : BOXES + size]

    def close(self) -> None:
        """Let go of both files and both pipes; whoever sleeps at the other end is woken by that."""
        os.close(self.source)
        os.close(self.sink)
        self._said.release()
        self._heard.release()
        self._theirs.close()
        self._ours.close()


_PIECE_STARTS: Final = HEADER.pack(_MORE, 0)[: SIZE - 1]


def unusable() -> str:
    """The ring relies on x86's order of memory accesses."""
    machine = platform.machine()
    if machine in {"x86_64", "AMD64"}:
        return ""
    return f"it relies on the order in which x86_64 makes stores visible, and this is {machine}"


RING: Final = Transport(
    name="ring",
    unusable=unusable,
    ends=partial(channel_ends, MEMORY),
    adopt=RingChannel.adopt,
    hot="tickets, ours, said, fence, unfence, theirs, heard, channel",
    send=f"""\
tickets[0] = ticket = tickets[0] + {NEXT}
length = _len({{message}})
ours[{SLOT}:{SLOT} + length] = {{message}}
said[{TICKET}] = ticket + length
fence(); unfence()
if heard[{ASLEEP}]: channel.wake()""",
    receive=f"""\
tickets[1] = ticket = tickets[1] + {NEXT}
for _ in _repeat(None, tickets[2]):
    word = heard[{TICKET}]
    if word >= ticket: break
else:
    word = channel.sleep(ticket)
{{start}} = theirs[{SLOT}:{SLOT} - ticket + word]""",
    names={"_len": len, "_repeat": repeat},
)
