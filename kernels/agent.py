"""An agent: one process's dealings with the kernel proper.

User programs and servers alike ask it for channels, and get what they are entitled to.
"""

import errno
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import Final

from kernels import probe
from kernels.asking import Ask
from kernels.bundle import RemoteCarrier
from kernels.control import (
    ANSWERS,
    Connect,
    Dismiss,
    Enrol,
    Granted,
    Inquest,
    Knock,
    OpenMailbox,
    Report,
    Reported,
    Share,
    Tour,
    Verdict,
    approved,
)
from kernels.counters import Counters
from kernels.forks import running
from kernels.host import unpoked
from kernels.line import Exchange, Line
from kernels.mail import SocketCounter
from kernels.parcels import Parcel, close_all, post, socket_pair, take
from kernels.remote import remote_binder
from kernels.system import SHUT_DOWN, LeftError
from kernels.tasking import Ended, Started
from kernels.transport import Channel, Transport
from twinos import (
    Bind,
    Caller,
    KernelPanic,
    Region,
    ServerDied,
    Service,
)
from twinos.wiring import needs

GONE: Final = "the kernel's process is gone"


class Agent:
    """Asks the kernel proper, on behalf of the callers that live in this process.

    Args:
        connection: the socket on which to ask. The agent owns it.
        transport: what the system's channels are.

    Attributes:
        door: the socket at which a child of this process gets a connection of its own; None: it
            gets none.
        counters: where messages are counted; None: they aren't.
    """

    def __init__(self, connection: socket.socket, transport: Transport) -> None:
        self._transport = transport
        self.door: socket.socket | None = None
        self.counters: Counters | None = None
        self._connection: socket.socket | None = connection
        self._aliases: dict[int, int] | None = None  # of inherited callers; None: none is
        self._lock = threading.Lock()
        self._asked = 0
        self._gone = GONE
        self._lines: dict[tuple[str, int], Line] = {}
        self._counters: dict[int, list[SocketCounter]] = {}
        running.add(self)

    def ask(
        self, message: Ask, descriptors: tuple[int, ...] = ()
    ) -> tuple[Granted | Verdict | Started | Ended | Reported, list[int]]:
        """Ask, and wait for the answer and the descriptors that come with it.

        Raises:
            OSError: the kernel refuses.
            BootError: a server could not start.
            KernelPanic: the kernel's process is gone, or its one space is.
        """
        with unpoked(), self._lock:
            try:
                parcel = self._exchange(message, descriptors)
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    raise
                raise KernelPanic(self._gone) from None
            except EOFError:
                raise KernelPanic(self._gone) from None
        return approved(ANSWERS(parcel.message)), parcel.descriptors

    def _exchange(self, message: Ask, descriptors: tuple[int, ...]) -> Parcel:
        if self._connection is None:
            self._connection = self.knock()
        self._asked += 1
        post(self._connection, message, descriptors, self._asked)
        parcel = take(self._connection)
        while parcel.number != self._asked:  # the answer to a question that was interrupted
            close_all(parcel.descriptors)
            parcel = take(self._connection)
        return parcel

    def tell(self, message: Ask, descriptors: tuple[int, ...] = ()) -> None:
        """Say something that needs no answer."""
        if self._connection is not None:
            with suppress(OSError):
                post(self._connection, message, descriptors)

    def binder(self, service: type[Service], caller: Caller) -> Bind:
        """Deliver the requests of `caller` to `service` by messages."""
        line = self._line(service.__name__, caller)
        counting = self.counters.counting if self.counters else None
        survives = bool(needs(service).journal)
        return probe.binder(remote_binder(line, probe.exchange(counting), survives=survives))

    def carrier(self, service: type[Service], caller: Caller) -> RemoteCarrier:
        """Deliver several requests at a time, by one message."""
        line = self._line(service.__name__, caller)
        ways: list[Exchange] = [line.exchange, line.exchange_once]
        if self.counters:
            ways = list(map(self.counters.counting, ways))
        return RemoteCarrier(*ways, survives=bool(needs(service).journal))

    def report(self) -> Reported:
        """How the servers are, and what else the kernel knows."""
        answer, _ = self.ask(Report())
        if not isinstance(answer, Reported):
            raise KernelPanic(f"the kernel answered {answer!r}")
        return answer

    def enrol(self, uid: int, gid: int, groups: tuple[int, ...]) -> Caller:
        """A new caller in this process."""
        answer, _ = self.ask(Enrol(uid, gid, groups))
        if not isinstance(answer, Granted) or answer.caller is None:
            raise KernelPanic(f"the kernel answered {answer!r}")
        if self._aliases is not None:
            self._aliases[answer.caller.id] = answer.caller.id
        return answer.caller

    def region(self, service: str, name: str, caller: Caller) -> Region:
        """A grant of a service's region."""
        _, descriptors = self.ask(Share(self._own(caller), service, name))
        return Region(descriptors[0])

    def mailbox(self, caller: Caller, name: str) -> SocketCounter:
        """A party of the rendezvous in the kernel proper."""
        (counter,) = self._mailbox(caller, name, 1)
        return counter

    def open_twice(self, caller: Caller, name: str) -> tuple[SocketCounter, SocketCounter]:
        """The same, for who receives and does other things at the same time."""
        one, other = self._mailbox(caller, name, 2)
        return one, other

    def _mailbox(self, caller: Caller, name: str, sockets: int) -> list[SocketCounter]:
        answer, descriptors = self.ask(OpenMailbox(self._own(caller), name, sockets))
        if not isinstance(answer, Granted) or answer.endpoint is None:
            raise KernelPanic(f"the kernel answered {answer!r}")
        counters = [
            SocketCounter(
                answer.endpoint, socket.socket(fileno=descriptor), lambda: KernelPanic(self._gone)
            )
            for descriptor in descriptors
        ]
        open_ones = [c for c in self._counters.get(caller.id, ()) if not c.is_closed]
        self._counters[caller.id] = [*open_ones, *counters]
        return counters

    def dismiss(self, caller: Caller) -> None:
        """Close the channels of a caller that asks no more, and wait until services know."""
        for counter in self._counters.pop(caller.id, ()):
            counter.close()
        for key in [key for key in list(self._lines) if key[1] == caller.id]:
            self._lines.pop(key).retire(LeftError)
        self.ask(Dismiss(self._own(caller)))

    def look_around(self) -> list[int]:
        """What a user's process is given, as descriptors: see `furnish`."""
        _, given = self.ask(Tour())
        return given

    def furnish(self, given: list[int], row: int) -> None:
        """Take up the door and, if messages are counted, the table of counts, from that row on."""
        door, *tally = given
        self.door = socket.socket(fileno=door)
        if tally:
            self.counters = Counters(Region(tally[0]), row=row)

    def knock(self) -> socket.socket:
        """A new connection to the kernel, had at the door.

        Raises:
            KernelPanic: there is no door, or nobody behind it.
        """
        if self.door is None:
            raise KernelPanic(self._gone)
        ours, theirs = socket_pair()
        with theirs:
            try:
                post(self.door, Knock(), (theirs.fileno(),))
            except OSError:
                ours.close()
                raise KernelPanic(self._gone) from None
        return ours

    def close(self) -> None:
        """Close every channel and the connection: to the kernel, this process has left."""
        self._gone = SHUT_DOWN
        while self._lines:  # another thread may make one
            self._lines.popitem()[1].retire(partial(KernelPanic, SHUT_DOWN))
        for counter in [c for counters in self._counters.values() for c in counters]:
            counter.close(partial(KernelPanic, SHUT_DOWN))
        self._disconnect()
        if self.door is not None:
            self.door.close()
        if self.counters is not None:
            self.counters.region.close()

    def abandon(self) -> None:
        """Be the agent of a child process: another connection, other callers.

        See `kernels.forks`. Stubs that the child inherited work, each for a new caller with
        the credentials of the one that it was made for.
        """
        self._lock = threading.Lock()
        self._aliases = {}
        self._disconnect()

    def be_born(self, connection: socket.socket, aliases: dict[int, int]) -> None:
        """Be the agent of a child that the kernel knows: act for others on this connection.

        Args:
            connection: the child's.
            aliases: who it is now, by whom its stubs were made for.
        """
        self._connection, self._aliases = connection, aliases
        if self.counters is not None:
            self.counters.move(*aliases.values())

    def _disconnect(self) -> None:
        for line in list(self._lines.values()):
            line.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _line(self, service: str, caller: Caller) -> Line:
        line = self._lines.get((service, caller.id))
        if line is None:
            connect, lost = (
                partial(self._connect, service, caller),
                partial(self._lost, service, caller),
            )
            made = Line(self._transport, connect, lost)
            line = self._lines.setdefault((service, caller.id), made)
        return line

    def _connect(self, service: str, caller: Caller) -> Channel:
        answer, descriptors = self.ask(Connect(self._own(caller), service))
        if not isinstance(answer, Granted):
            raise KernelPanic(f"the kernel answered {answer!r}")
        channel = self._transport.adopt(descriptors, answer.life)
        channel.number, channel.messages = answer.channel, 0
        return channel

    def _own(self, caller: Caller) -> int:
        """The id under which this process acts for `caller`."""
        if self._aliases is None:
            return caller.id
        if caller.id not in self._aliases:
            alias = self.enrol(caller.uid, caller.gid, caller.groups).id
            self._aliases[caller.id] = alias
            if self.counters is not None:
                self.counters.move(alias)
        return self._aliases[caller.id]

    def _lost(self, service: str, caller: Caller, channel: Channel) -> OSError:
        try:
            answer, _ = self.ask(Inquest(self._own(caller), service, channel.life))
        except BlockingIOError as crowded:
            return crowded
        if not isinstance(answer, Verdict):
            raise KernelPanic(f"the kernel answered {answer!r}")
        died = ServerDied(errno.ECONNRESET, f"{service} {answer.sentence}")
        died.restarted, died.survived = answer.restarted, bool(channel.number)
        died.fault = answer.fault
        return died
