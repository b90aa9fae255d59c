"""Routed messages: the same requests, with the kernel proper on the way of every one."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from kernels.bulk import STORE
from kernels.frames import LARGE
from kernels.relay import _Hop
from kernels.switchboard import Switchboard
from tests.conftest import eventually
from tests.kernels import programs
from tests.kernels.channels import channel
from tests.kernels.services import Bugs, Desk, Echo, Mailbox
from twinos import ServerDied, WiringError


@pytest.fixture
def routed() -> Iterator[System]:
    with boot("microkernel", Bugs, Desk, transport="routed") as system:
        yield system


def nucleus(system: System) -> int:
    pid = system._kernel._nucleus.pid  # type: ignore[attr-defined]  # a microkernel has one
    assert isinstance(pid, int)
    return pid


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("transport", ["pipe", "routed"])
def test_messages_pass_through_the_kernel_or_they_do_not(transport: str) -> None:
    with boot("microkernel", Echo, transport=transport) as system:
        number = system[Echo].number
        assert number(1) == 1
        answered = threading.Event()
        asking = threading.Thread(target=lambda: (number(2), answered.set()))
        with stopped(nucleus(system)):
            asking.start()
            assert answered.wait(0.1 if transport == "routed" else 10) == (transport == "pipe")
        asking.join()


@pytest.mark.parametrize("size", [0, 1, LARGE - 7, LARGE, 1 << 20, STORE, STORE + 1, 9 << 20])
def test_messages_of_every_size(routed: System, size: int) -> None:
    data = os.urandom(size)
    assert routed[Echo].data(data) == data
    assert routed[Desk].copy(data) == data


def test_many_clients_at_once(routed: System) -> None:
    failures: list[BaseException] = []

    def ask(user: Any, number: int) -> None:
        try:
            for each in range(50):
                assert user[Echo].number(number * 1000 + each) == number * 1000 + each
                assert user[Echo].size(bytes(each * 1000)) == each * 1000
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            failures.append(error)

    users = [routed.user() for _ in range(6)]
    threads = [threading.Thread(target=ask, args=each) for each in zip(users, range(6))]  # noqa: B905
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_server_s_death_is_noticed(routed: System) -> None:
    with pytest.raises(ServerDied, match="SIGKILL"):
        routed[Bugs].die(signal.SIGKILL)
    assert routed[Bugs].count() == 1
    os.kill(routed[Bugs].pid(), signal.SIGKILL)
    with pytest.raises(ServerDied):  # between two requests
        eventually(routed[Bugs].null)
    assert routed[Bugs].count() == 2


def test_a_client_s_death_is_noticed(routed: System) -> None:
    waiting = routed.process(programs.take)
    eventually(lambda: routed[Mailbox].waiting() == 1)
    waiting.kill()
    waiting.join()
    eventually(lambda: routed[Mailbox].unwound() == 1)
    sending = routed.process(programs.send_much_for_ever, 9 << 20)
    eventually(lambda: routed[Echo].number(1))
    sending.kill()
    sending.join()
    assert routed[Echo].data(bytes(STORE + 1)) == bytes(STORE + 1)


def test_who_asks_for_much_and_reads_nothing_stops_nobody(routed: System) -> None:
    end = channel(routed)
    before = len(os.listdir(f"/proc/{nucleus(routed)}/fd"))
    end.send(b"\0\0\0\0\0" * 20_000)  # requests, far more than one at a time: no client of ours
    assert routed[Echo].number(3) == 3
    end.close()
    eventually(lambda: len(os.listdir(f"/proc/{nucleus(routed)}/fd")) <= before)


def test_there_is_no_such_transport() -> None:
    with pytest.raises(WiringError, match=r"no transport 'pigeon': choose from pipe, .*routed"):
        boot("microkernel", Echo, transport="pigeon")


moves = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 200_000)),
        st.tuples(st.just("write"), st.integers(1, 200)),
        st.tuples(st.just("read"), st.integers(1, 200_000)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=30,
)


class Hop:
    """A hop between two pipes, whose outer ends are ours."""

    def __init__(self) -> None:
        hop_source, self._sink = os.pipe()
        self._source, hop_sink = os.pipe()
        os.set_blocking(self._sink, False)
        os.set_blocking(self._source, False)
        self._board = Switchboard(lambda *_: None, lambda _: None)
        _Hop(self._board, hop_source, hop_sink)
        self.sent = self.received = b""

    def write(self, size: int) -> None:
        data = os.urandom(size)
        with suppress(BlockingIOError):
            self.sent += data[: os.write(self._sink, data)]

    def read(self, size: int) -> bool:
        """Whether there may be more."""
        with suppress(BlockingIOError):
            data = os.read(self._source, size)
            self.received += data
            return bool(data)
        return True

    def turn(self, times: int) -> None:
        for _ in range(times):
            self._board.turn(0)

    def close(self, end: int) -> None:
        os.close(end)
        self.turn(8)

    def finish(self) -> None:
        """Nobody writes any more: what was sent arrives, and then the end."""
        self.close(self._sink)
        while self.read(1 << 16):
            self.turn(1)
        self.close(self._source)
        self._board._selector.close()

    def leave(self) -> None:
        """Nobody reads any more: who writes is told."""
        self.close(self._source)
        with pytest.raises(BrokenPipeError):
            self._write_for_ever()
        self.close(self._sink)
        self._board._selector.close()

    def _write_for_ever(self) -> None:
        while True:
            with suppress(BlockingIOError):
                os.write(self._sink, bytes(1 << 16))
            self.turn(1)


@given(moves, st.booleans())
@settings(max_examples=100)
def test_a_hop_is_a_pipe(program: list[tuple[str, int]], leaves: bool) -> None:
    """What goes in comes out, in order, whatever the sizes and whoever leaves when."""
    hop = Hop()
    for what, size in program:
        getattr(hop, what)(size)
        assert hop.sent.startswith(hop.received)
    if leaves:
        hop.leave()
    else:
        hop.finish()
        assert hop.received == hop.sent
