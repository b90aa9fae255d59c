"""Loopback sockets: the host's own TCP is the oracle of what each call answers."""

import errno
import os
import socket as host
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from kernels.system import User
from lab.agreement import check_agreement
from servers.examples.loopback import Loopback
from tests.conftest import Kernel, eventually

WAIT_NOT = host.MSG_DONTWAIT


def test_the_kernels_agree() -> None:
    check_agreement(Loopback)


@pytest.fixture
def user(kernel: Kernel) -> Iterator[User]:
    with kernel.boot(Loopback, config={Loopback: {"buffer": 16}}) as system:
        yield system


def connected(net: Loopback) -> tuple[int, int]:
    """Both ends of a connection: of who asked for it, and of who accepted it."""
    listener = net.socket()
    port = net.bind(listener)
    net.listen(listener)
    client = net.socket()
    net.connect(client, port)
    server = net.accept(listener)
    net.close(listener)
    return client, server


def test_two_users_talk(user: User) -> None:
    net = user[Loopback]
    listener = net.socket()
    port = net.bind(listener, 7)
    net.listen(listener)
    with ThreadPoolExecutor(1) as pool:

        def echo() -> bytes:
            fd = net.accept(listener)
            data = b""
            while part := net.recv(fd, 5):
                data += part
                net.send(fd, part.upper())
            net.close(fd)
            return data

        server = pool.submit(echo)
        client = net.socket()
        net.connect(client, port)
        assert (net.getpeername(client), net.getsockname(client)) == (7, 49_152)
        text = b"a sentence that is longer than the buffer of either direction"
        sender = ThreadPoolExecutor(1)
        sent = sender.submit(net.send, client, text)
        back = b""
        while len(back) < len(text):
            back += net.recv(client, 100)
        assert sent.result(10) == len(text)
        net.shutdown(client, host.SHUT_WR)
        assert net.recv(client, 1) == b""
        assert server.result(10) == text
        assert back == text.upper()
        sender.shutdown()


@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 20))
def test_bytes_arrive_in_order_whatever_the_sizes(parts: list[bytes], size: int) -> None:
    with boot("monolithic", Loopback, config={Loopback: {"buffer": 16}}) as system:
        net = system[Loopback]
        client, server = connected(net)
        waiting, got = b"".join(parts), b""
        total = waiting
        while len(got) < len(total):
            if waiting:
                with suppress(BlockingIOError):
                    waiting = waiting[net.send(client, waiting, WAIT_NOT) :]
            got += net.recv(server, size, WAIT_NOT)
        assert got == total


class OfTheHost:
    """The same calls on the host's TCP."""

    def __init__(self) -> None:
        self._sockets: dict[int, host.socket] = {}

    def socket(self) -> int:
        made = host.socket()
        self._sockets[made.fileno()] = made
        return made.fileno()

    def bind(self, fd: int, port: int = 0) -> int:
        self._find(fd).bind(("127.0.0.1", port))
        return self.getsockname(fd)

    def listen(self, fd: int) -> None:
        self._find(fd).listen()

    def connect(self, fd: int, port: int) -> None:
        self._find(fd).connect(("127.0.0.1", port))

    def accept(self, fd: int, flags: int = 0) -> int:
        listener = self._find(fd)
        listener.setblocking(not flags)
        try:
            made, _ = listener.accept()
        finally:
            listener.setblocking(True)
        self._sockets[made.fileno()] = made
        return made.fileno()

    def send(self, fd: int, data: bytes, flags: int = 0) -> int:
        return self._find(fd).send(data, flags)

    def recv(self, fd: int, size: int, flags: int = 0) -> bytes:
        return self._find(fd).recv(size, flags)

    def shutdown(self, fd: int, how: int) -> None:
        self._find(fd).shutdown(how)

    def close(self, fd: int) -> None:
        self._find(fd)
        self._sockets.pop(fd).close()

    def getsockname(self, fd: int) -> int:
        port: int = self._find(fd).getsockname()[1]
        return port

    def getpeername(self, fd: int) -> int:
        port: int = self._find(fd).getpeername()[1]
        return port

    def _find(self, fd: int) -> host.socket:
        try:
            return self._sockets[fd]
        except KeyError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def close_all(self) -> None:
        for one in self._sockets.values():
            one.close()


def outcome(call: Callable[[], Any]) -> Any:
    """What a call answers, or its errno by name."""
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def story(net: Any) -> Iterator[Any]:
    """A conversation with every mistake in it; what each step answers."""
    yield outcome(lambda: net.recv(999, 1))
    listener = net.socket()
    yield outcome(lambda: net.accept(listener, WAIT_NOT))
    yield outcome(lambda: net.send(listener, b"x"))
    yield outcome(lambda: net.getpeername(listener))
    yield outcome(lambda: net.shutdown(listener, host.SHUT_RD))
    yield net.getsockname(listener)
    port = net.bind(listener, 0)
    yield outcome(lambda: net.bind(listener, 0))
    early = net.socket()
    yield outcome(lambda: net.connect(early, port))
    net.close(early)
    net.listen(listener)
    yield outcome(lambda: net.accept(listener, WAIT_NOT))
    client = net.socket()
    yield outcome(lambda: net.connect(client, port))
    yield outcome(lambda: net.connect(client, port))
    yield net.getpeername(client) == port
    server = net.accept(listener)
    yield net.getsockname(server) == port
    yield net.getpeername(server) == net.getsockname(client)
    second = net.socket()
    yield outcome(lambda: net.bind(second, port))
    yield outcome(lambda: net.recv(client, 1, WAIT_NOT))
    yield net.send(client, b"hello")
    yield net.recv(server, 2), net.recv(server, 0), net.recv(server, 10)
    yield outcome(lambda: net.shutdown(client, 7))
    yield net.send(client, b"last"), net.shutdown(client, host.SHUT_WR)
    yield outcome(lambda: net.send(client, b"too late"))
    yield net.recv(server, 10), net.recv(server, 10), net.recv(server, 10)
    yield net.send(server, b"answer"), net.close(server)
    yield net.recv(client, 10), net.recv(client, 10)
    yield outcome(lambda: net.close(server))
    net.close(listener)
    yield outcome(lambda: net.connect(second, port))


def test_every_answer_is_that_of_the_host(user: User) -> None:
    oracle = OfTheHost()
    try:
        assert list(story(user[Loopback])) == list(story(oracle))
    finally:
        oracle.close_all()


def test_a_full_buffer_makes_its_writer_wait(user: User) -> None:
    net = user[Loopback]
    client, server = connected(net)
    assert net.send(client, b"x" * 20, WAIT_NOT) == 16
    with pytest.raises(BlockingIOError):
        net.send(client, b"x", WAIT_NOT)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(net.send, client, b"y" * 4)
        eventually(waiting.running)
        assert net.recv(server, 16) == b"x" * 16
        assert waiting.result(10) == 4


def test_who_writes_to_nobody_is_told(user: User) -> None:
    net = user[Loopback]
    client, server = connected(net)
    net.send(client, b"x" * 16)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(net.send, client, b"y")
        eventually(waiting.running)
        net.close(server)
        assert isinstance(waiting.exception(10), BrokenPipeError)


def test_the_sockets_of_who_leaves_are_closed(kernel: Kernel) -> None:
    with kernel.boot(Loopback) as system:
        net = system[Loopback]
        listener = net.socket()
        port = net.bind(listener, 80)
        net.listen(listener)
        with system.user() as other:
            other[Loopback].connect(other[Loopback].socket(), port)
            server = net.accept(listener)
        assert net.recv(server, 1) == b""
        with pytest.raises(BrokenPipeError):
            net.send(server, b"x")


def test_limits(kernel: Kernel) -> None:
    with kernel.boot(Loopback, config={Loopback: {"sockets": 2}}) as system:
        net = system[Loopback]
        net.close(net.socket())
        assert [net.socket(), net.socket()] == [3, 4]
        with pytest.raises(OSError, match="Too many open files"):
            net.socket()
        with system.user(uid=1000) as other, pytest.raises(PermissionError):
            other[Loopback].bind(other[Loopback].socket(), 80)
        for port in (-1, 65_536):
            with pytest.raises(OSError, match="Invalid argument"):
                net.bind(3, port)
