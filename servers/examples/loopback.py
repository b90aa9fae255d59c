"""A network that leads nowhere else: stream sockets between the programs of one system.

The calls of sockets(7) with their errors, on one host with 65,535 ports. A connection is two pipes
of bytes; who reads an empty one or writes a full one waits, or with MSG_DONTWAIT is told EAGAIN.
"""

import errno
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from socket import MSG_DONTWAIT, SHUT_RD, SHUT_RDWR, SHUT_WR
from typing import Final

from twinos import Caller, Service, Signal, Waits, fail, op

_FIRST_FREE: Final = 49_152
"""The first port that a socket without one of its own gets (RFC 6335)."""
_LAST: Final = 65_535


@dataclass(eq=False, slots=True)
class _Pipe:
    """Bytes on their way in one direction."""

    data: bytearray = field(default_factory=bytearray)
    written_off: bool = False  # nothing more comes: the reader gets an end of file
    unread: bool = False  # nobody reads any more: the writer gets EPIPE


@dataclass(eq=False, slots=True)
class _Socket:
    """One end; `inward` and `outward` once it is connected, `queue` once it listens."""

    port: int = 0
    peer_port: int = 0
    inward: _Pipe | None = None
    outward: _Pipe | None = None
    backlog: int = 0
    queue: deque["_Socket"] | None = None
    changed: Signal = field(default_factory=Signal)
    other: "_Socket | None" = None


class Loopback(Service):
    """Stream sockets. Descriptors belong to the caller, and are closed when it leaves.

    Args:
        buffer: bytes that one direction of a connection holds.
        sockets: how many one caller may have.
    """

    def __init__(self, buffer: int = 65_536, sockets: int = 1024) -> None:
        if buffer < 1:
            raise OSError(errno.EINVAL, "a buffer holds one byte at least")
        self._buffer = buffer
        self._most = sockets
        self._sockets: dict[int, dict[int, _Socket]] = {}
        self._ports: dict[int, _Socket] = {}

    @op
    def socket(self, caller: Caller) -> int:
        """A new socket; its descriptor. EMFILE."""
        return self._add(caller, _Socket())

    @op
    def bind(self, caller: Caller, fd: int, port: int = 0) -> int:
        """Give a socket its port, or any free one for 0; the port.

        EBADF; EINVAL: it has one, or there is no such port; EADDRINUSE; EACCES: a port below 1024
        is the superuser's.
        """
        socket = self._find(caller, fd)
        if socket.port or not 0 <= port <= _LAST:
            raise fail(errno.EINVAL)
        if 0 < port < 1024 and caller.uid:
            raise fail(errno.EACCES)
        return self._bind(socket, port)

    @op
    def listen(self, caller: Caller, fd: int, backlog: int = 128) -> None:
        """Let others connect. EBADF; EINVAL: it is connected; EADDRINUSE: no port is free."""
        socket = self._find(caller, fd)
        if socket.inward is not None:
            raise fail(errno.EINVAL)
        if not socket.port:
            self._bind(socket, 0)
        socket.backlog = max(backlog, 1)
        if socket.queue is None:
            socket.queue = deque()

    @op
    def connect(self, caller: Caller, fd: int, port: int, flags: int = 0) -> Waits[None]:
        """Connect to whoever listens on a port; while too many others wait there, wait.

        EBADF, EISCONN; ECONNREFUSED: nobody listens there; EOPNOTSUPP: this one listens; EAGAIN.
        """
        socket = self._find(caller, fd)
        if socket.inward is not None:
            raise fail(errno.EISCONN)
        if socket.queue is not None:
            raise fail(errno.EOPNOTSUPP)
        listener, queue = self._listening(port)
        while len(queue) >= listener.backlog:
            if flags & MSG_DONTWAIT:
                raise fail(errno.EAGAIN)
            yield listener.changed
            listener, queue = self._listening(port)
        if not socket.port:
            self._bind(socket, 0)
        queue.append(_connected(socket, listener.port))
        listener.changed.notify()

    @op
    def accept(self, caller: Caller, fd: int, flags: int = 0) -> Waits[int]:
        """The next connection that somebody made to this port, as a new descriptor.

        EBADF; EINVAL: it does not listen; EMFILE; EAGAIN.
        """
        socket = self._find(caller, fd)
        if socket.queue is None:
            raise fail(errno.EINVAL)
        while not socket.queue:
            if flags & MSG_DONTWAIT:
                raise fail(errno.EAGAIN)
            yield socket.changed
            if self._find(caller, fd) is not socket:
                raise fail(errno.EBADF)
        accepted = self._add(caller, socket.queue[0])
        socket.queue.popleft()
        socket.changed.notify()
        return accepted

    @op
    def send(self, caller: Caller, fd: int, data: bytes, flags: int = 0) -> Waits[int]:
        """Send all of `data`, or with MSG_DONTWAIT what there is room for; how much was sent.

        EBADF; EPIPE: nobody reads it, or it is not connected (as Linux says of TCP); EAGAIN.
        """
        socket = self._find(caller, fd)
        sent = 0
        while True:
            pipe = socket.outward
            if pipe is None or pipe.unread or pipe.written_off:
                raise fail(errno.EPIPE)
            part = data[sent : sent + self._buffer - len(pipe.data)]
            pipe.data += part
            sent += len(part)
            if part:
                _notify(socket)
            if sent == len(data) or (sent and flags & MSG_DONTWAIT):
                return sent
            if flags & MSG_DONTWAIT:
                raise fail(errno.EAGAIN)
            yield socket.changed

    @op
    def recv(self, caller: Caller, fd: int, size: int, flags: int = 0) -> Waits[bytes]:
        """Up to `size` bytes, one at least; none when the other end sends no more.

        EBADF, ENOTCONN; EINVAL: a size below 0; EAGAIN.
        """
        socket = self._find(caller, fd)
        if size < 0:
            raise fail(errno.EINVAL)
        while True:
            pipe = socket.inward
            if pipe is None:
                raise fail(errno.ENOTCONN)
            if pipe.data or pipe.written_off or pipe.unread or not size:
                break
            if flags & MSG_DONTWAIT:
                raise fail(errno.EAGAIN)
            yield socket.changed
        data = bytes(pipe.data[:size])
        del pipe.data[:size]
        if data:
            _notify(socket)
        return data

    @op
    def shutdown(self, caller: Caller, fd: int, how: int) -> None:
        """End one direction or both (SHUT_RD, SHUT_WR, SHUT_RDWR). EBADF, ENOTCONN, EINVAL."""
        socket = self._find(caller, fd)
        if how not in {SHUT_RD, SHUT_WR, SHUT_RDWR}:
            raise fail(errno.EINVAL)
        if socket.inward is None:
            raise fail(errno.ENOTCONN)
        _end(socket, reading=how != SHUT_WR, writing=how != SHUT_RD)

    @op
    def close(self, caller: Caller, fd: int) -> None:
        """Close a socket: the other end reads what is left, and then an end of file. EBADF."""
        socket = self._find(caller, fd)
        del self._sockets[caller.id][fd]
        self._dispose(socket)

    @op
    def getsockname(self, caller: Caller, fd: int) -> int:
        """The socket's own port; 0 if it has none. EBADF."""
        return self._find(caller, fd).port

    @op
    def getpeername(self, caller: Caller, fd: int) -> int:
        """The port at the other end. EBADF, ENOTCONN."""
        socket = self._find(caller, fd)
        if socket.inward is None:
            raise fail(errno.ENOTCONN)
        return socket.peer_port

    def _find(self, caller: Caller, fd: int) -> _Socket:
        try:
            return self._sockets[caller.id][fd]
        except KeyError:
            raise fail(errno.EBADF) from None

    def _add(self, caller: Caller, socket: _Socket) -> int:
        mine = self._sockets.setdefault(caller.id, {})
        if len(mine) >= self._most:
            raise fail(errno.EMFILE)
        fd = next(number for number in count(3) if number not in mine)
        mine[fd] = socket
        return fd

    def _bind(self, socket: _Socket, port: int) -> int:
        if not port:
            free = (p for p in range(_FIRST_FREE, _LAST + 1) if p not in self._ports)
            port = next(free, 0)
        if not port or port in self._ports:
            raise fail(errno.EADDRINUSE)
        socket.port = port
        self._ports[port] = socket
        return port

    def _listening(self, port: int) -> tuple[_Socket, deque[_Socket]]:
        """Who listens on a port, and those who wait to be accepted there. ECONNREFUSED."""
        listener = self._ports.get(port)
        if listener is None or listener.queue is None:
            raise fail(errno.ECONNREFUSED)
        return listener, listener.queue

    def _dispose(self, socket: _Socket) -> None:
        if self._ports.get(socket.port) is socket:
            del self._ports[socket.port]
        if socket.inward is not None:
            _end(socket, reading=True, writing=True)
        for waiting in socket.queue or ():
            _end(waiting, reading=True, writing=True)
        socket.changed.notify()

    def _departed(self, caller: Caller) -> None:
        for socket in self._sockets.pop(caller.id, {}).values():
            self._dispose(socket)


def _connected(client: _Socket, port: int) -> _Socket:
    """The other end of a new connection of `client`, on the listener's port."""
    there, back = _Pipe(), _Pipe()
    server = _Socket(port, client.port, inward=there, outward=back, other=client)
    client.inward, client.outward, client.other = back, there, server
    client.peer_port = port
    return server


def _notify(socket: _Socket) -> None:
    """Both ends look again: what one of them did lets the other one go on."""
    socket.changed.notify()
    if socket.other is not None:
        socket.other.changed.notify()


def _end(socket: _Socket, *, reading: bool, writing: bool) -> None:
    if reading and socket.inward is not None:
        socket.inward.unread = True
        socket.inward.data.clear()
    if writing and socket.outward is not None:
        socket.outward.written_off = True
    _notify(socket)
