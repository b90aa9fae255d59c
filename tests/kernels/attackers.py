"""Attackers: each sends nonsense where somebody without privileges may send something."""

import os
import random
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, get_args

import msgspec

from kernels import System, User
from kernels.asking import Ask
from kernels.control import Asks, Become
from kernels.frames import LARGE
from kernels.parcels import close_all, socket_pair, take
from kernels.ring import ASLEEP, RingChannel
from kernels.transport import Channel
from tests.kernels.channels import agent
from tests.kernels.corpus import changed, is_part, mutated
from twinos import Service
from twinos.codec import encode
from twinos.letters import Line, Lookup, Notify, Receive, Send, SendA, SendRec, Table, Withdraw
from twinos.message import ANY, Endpoint

WAIT_MS: Final = 5
"""How long an answer is waited for: operations may wait."""
STAY: Final = 300
"""Channels after which an attacker leaves the system, and another one comes."""
SOMEBODY: Final = (1000, 1000)

NUMBER: Final = 4
"""Bytes in front of a control message: the number of the question."""


class Attacker:
    """Sends frames to one service, over one channel after another.

    Attributes:
        channels: how many it took.
    """

    def __init__(
        self, system: System, service: type[Service], frames: Sequence[bytes], uid: int
    ) -> None:
        self._system = system
        self._service = service.__name__
        self._frames = frames
        self._uid = uid
        self._user: User | None = None
        self._channel: Channel | None = None
        self._noise = bytes(range(256)) * (LARGE // 256)
        self._parts = False
        self.channels = 0

    def attack(self, rng: random.Random) -> None:
        """Send a frame, and wait a moment for whatever comes."""
        self.send(mutated(rng, self._frames))

    def send(self, message: bytes) -> None:
        """The same with this one."""
        if self._channel is None:
            self._channel = self._open()
        try:
            self._channel.send(message)
            if is_part(message):
                self._parts = not self._parts
                if self._parts:
                    return  # the next one goes on with it
            if not _answered(self._channel.hangup):
                self._hang_up()
        except (OSError, EOFError):
            self._hang_up()

    def _open(self) -> Channel:
        if self._user is None:
            self._user = self._system.user(self._uid, self._uid)
        self.channels += 1
        channel = agent(self._system)._connect(self._service, self._user.caller)
        if isinstance(channel, RingChannel):
            channel._said[ASLEEP] = 1  # so that it rings, and can be polled for
            channel._ours[8192 : 8192 + LARGE] = self._noise
        else:
            channel.sent[: len(self._noise)] = self._noise  # type: ignore[attr-defined]  # of pipes
        return channel

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            if not self.channels % STAY:
                self._leave()

    def _leave(self) -> None:
        if self._user is not None:
            self._user.close()
            self._user = None

    def close(self) -> None:
        """Leave."""
        self._hang_up()
        self._leave()


class Nonsense:
    """Sends nonsense over a socket that keeps the bounds of messages: control, or a mailbox.

    Attributes:
        channels: how many it took.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._connection: socket.socket | None = None
        self.channels = 0

    def attack(self, rng: random.Random) -> None:
        """Send a message, with descriptors perhaps, and look at what comes."""
        if self._connection is None:
            self._connection = self._open(rng)
            self.channels += 1
        message = self._message(rng)
        try:
            if rng.randrange(4):
                self._connection.send(message)
            else:
                self._send_descriptors(message, rng.randrange(1, 6))
            if not rng.randrange(4):
                self._listen(self._connection)
            elif not rng.randrange(40):
                self.close()
        except (OSError, EOFError):
            self.close()

    def _open(self, rng: random.Random) -> socket.socket:
        raise NotImplementedError

    def _message(self, rng: random.Random) -> bytes:
        raise NotImplementedError

    def _send_descriptors(self, message: bytes, count: int) -> None:
        ours, theirs = socket_pair()
        with ours, theirs:
            socket.send_fds(self._connection, [message], [ours.fileno()] * count)  # type: ignore[arg-type]  # it is open

    def _listen(self, connection: socket.socket) -> None:
        """Take what has come, its descriptors too."""
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        while self._connection is not None and poll.poll(WAIT_MS):
            close_all(take(connection).descriptors)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Asker(Nonsense):
    """Asks the kernel proper, as a user's process does."""

    def _open(self, rng: random.Random) -> socket.socket:
        del rng
        connection = agent(self._system).knock()
        connection.send(bytes(NUMBER) + encode(Become(*SOMEBODY, ())))
        close_all(take(connection).descriptors)
        return connection

    def _message(self, rng: random.Random) -> bytes:
        number, ask = rng.randbytes(NUMBER), bytearray(encode(_ask(rng)))
        if not rng.randrange(20):
            return rng.randbytes(rng.randrange(1, 40))
        return number + changed(rng, ask, rng.choice([0, 0, 0, 1, 2]), len(ask))


class Writer(Nonsense):
    """Asks for MINIX's primitives, by a mailbox of its own."""

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._user: User | None = None

    def _open(self, rng: random.Random) -> socket.socket:
        if self._user is None or not rng.randrange(10):
            self._leave()
            self._user = self._system.user(*SOMEBODY)
        counter = agent(self._system).mailbox(self._user.caller, "")
        return socket.socket(fileno=os.dup(counter._connection.fileno()))

    def _message(self, rng: random.Random) -> bytes:
        number, letter = rng.randbytes(NUMBER), bytearray(encode(_letter(rng)))
        if not rng.randrange(20):
            return rng.randbytes(rng.randrange(1, 40))
        return number + changed(rng, letter, rng.choice([0, 0, 0, 1, 2]), len(letter))

    def _leave(self) -> None:
        if self._user is not None:
            self._user.close()
            self._user = None

    def close(self) -> None:
        super().close()
        self._leave()


_NAMES: Final = ("FileSystem", "Echo", "Disk", "", "x" * 300, "\udcff", "pages", "store", "frames")
_NUMBERS: Final = (0, 1, 2, 3, 7, 40, 64, 999, -1, 2**31, 2**63 - 1, -(2**63), 1000)
_KINDS: Final[tuple[type[Ask], ...]] = tuple(get_args(Asks))


def _ask(rng: random.Random) -> Ask:
    """Something that a process may say, with arguments of the right types."""
    kind = rng.choice(_KINDS)
    return kind(*[_drawn(rng, field.type) for field in msgspec.structs.fields(kind)])


def _drawn(rng: random.Random, kind: Any) -> Any:
    if kind is int:
        return rng.choice(_NUMBERS)
    if kind is str:
        return rng.choice(_NAMES)
    if kind is float:
        return rng.choice([0.0, -1.0, 1e300])
    if kind == tuple[int, ...]:
        return tuple(rng.choices(_NUMBERS, k=rng.choice([0, 1, 3, 100])))
    return None


def _letter(rng: random.Random) -> msgspec.Struct:
    to = Endpoint(rng.choice([0, 1, 2, 5, 40, -1, 2**40]), rng.choice([0, 1, 2, 3, -1, 99]))
    message = rng.randbytes(rng.choice([0, 1, 50, 4000]))
    lines = tuple(Line(to, message, rng.randrange(10)) for _ in range(rng.choice([0, 1, 8, 300])))
    return rng.choice(
        [
            Send(to, message, wait=rng.random() < 0.3),
            Receive(rng.choice([ANY, to]), wait=rng.random() < 0.3),
            SendRec(to, message),
            Notify(to),
            SendA(lines[:4] if len(message) > 50 else lines),
            Table(),
            Lookup(rng.choice(_NAMES)),
            Withdraw(),
        ]
    )


def _answered(hangup: int) -> bool:
    """Whether something comes, and not the end."""
    poll = select.poll()
    poll.register(hangup, select.POLLIN)
    if not poll.poll(WAIT_MS):
        return False
    got = b""
    with suppress(BlockingIOError):
        got = os.read(hangup, 1 << 16)
    return 0 < len(got) < 1 << 16
