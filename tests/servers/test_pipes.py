"""Pipes: end of file, EPIPE, a full pipe, atomic writes, poll; the host's pipes are the oracle."""

import errno
import os
import random
import select
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import System
from lab.agreement import check_agreement
from servers.pipes import CAPACITY, ENDS, PIPE_BUF, Pipes
from servers.who import Who
from tests.conftest import Kernel


def test_the_kernels_agree() -> None:
    check_agreement(Pipes)


def test_bytes_come_in_order(kernel: Kernel, rng: random.Random) -> None:
    data = rng.randbytes(5 * CAPACITY)
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        source, sink = pipes.pipe()
        writer = Thread(target=lambda: (pipes.write(sink, data), pipes.close(sink)))
        writer.start()
        received = b"".join(iter(lambda: pipes.read(source, rng.randrange(1, 99_999)), b""))
        writer.join()
        assert received == data


def test_a_full_pipe_blocks_its_writer(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        source, sink = pipes.pipe()
        assert pipes.write(sink, bytes(CAPACITY)) == CAPACITY
        with pytest.raises(BlockingIOError):
            pipes.write(sink, b"x", block=False)
        done: list[int] = []
        writer = Thread(target=lambda: done.append(pipes.write(sink, b"x")))
        writer.start()
        assert pipes.poll(((sink, select.POLLOUT),), 0.0) == ()
        assert not done
        assert len(pipes.read(source, 1)) == 1
        writer.join()
        assert done == [1]


def test_without_writers_there_is_an_end(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        source, sink = pipes.pipe()
        pipes.write(sink, b"last")
        pipes.close(sink)
        assert [pipes.read(source, 9), pipes.read(source, 9)] == [b"last", b""]


def test_without_readers_nobody_writes(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        source, sink = pipes.pipe()
        pipes.close(source)
        with pytest.raises(BrokenPipeError):
            pipes.write(sink, b"x")
        with pytest.raises(BrokenPipeError):
            pipes.write(sink, bytes(2 * CAPACITY), block=False)


def test_a_writer_in_waiting_learns_that_the_reader_went(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        source, sink = pipes.pipe()
        pipes.write(sink, bytes(CAPACITY))
        errors: list[int | None] = []

        def write() -> None:
            try:
                pipes.write(sink, b"x")
            except OSError as error:
                errors.append(error.errno)

        writer = Thread(target=write)
        writer.start()
        pipes.close(source)
        writer.join()
        assert errors == [errno.EPIPE]


def test_who_leaves_closes_its_ends(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes, friend = system[Pipes], system.user()
        with friend:
            friend[Pipes].pipe()
        source, sink = pipes.pipe()
        received: list[bytes] = []
        reader = Thread(target=lambda: received.append(pipes.read(source, 1)))
        reader.start()
        pipes.close(sink)
        reader.join()
        assert received == [b""]


def test_small_writes_are_atomic(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        source, sink = pipes.pipe()
        pieces = [bytes([letter]) * PIPE_BUF for letter in b"abcd"]
        writers = [
            Thread(target=lambda piece=piece: [pipes.write(sink, piece) for _ in range(20)])
            for piece in pieces
        ]
        for writer in writers:
            writer.start()
        total = b""
        while len(total) < 80 * PIPE_BUF:
            total += pipes.read(source, 100_000)
        for writer in writers:
            writer.join()
        cut = [total[at : at + PIPE_BUF] for at in range(0, len(total), PIPE_BUF)]
        assert {len(set(piece)) for piece in cut} == {1}


def test_poll_waits_for_one_of_several(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system:
        pipes = system[Pipes]
        ends = [pipes.pipe() for _ in range(3)]
        asked = tuple((source, select.POLLIN) for source, _ in ends)
        assert pipes.poll(asked, 0.0) == ()
        writer = Thread(target=lambda: pipes.write(ends[1][1], b"x"))
        writer.start()
        assert pipes.poll(asked) == ((ends[1][0], select.POLLIN),)
        writer.join()
        pipes.close(ends[1][1])
        assert pipes.poll(asked) == ((ends[1][0], select.POLLIN | select.POLLHUP),)


def test_ends_are_their_callers(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system, system.user() as other:
        source, _ = system[Pipes].pipe()
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            other[Pipes].read(source, 1)
        assert caught.value.errno == errno.EBADF
        me, you = Who(*system.caller), Who(*other.caller)
        with pytest.raises(PermissionError):
            other[Pipes].inherit(me, you, (source,))


def test_there_is_a_limit(kernel: Kernel) -> None:
    with kernel.boot(Pipes) as system, system.user() as other:
        for _ in range(ENDS // 2):
            system[Pipes].pipe()
        with pytest.raises(OSError, match="Too many open files") as caught:
            system[Pipes].pipe()
        assert caught.value.errno == errno.EMFILE
        assert other[Pipes].pipe() == (0, 1)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 70_000)),
        st.tuples(st.just("read"), st.integers(0, 70_000)),
        st.tuples(st.just("close"), st.sampled_from([0, 1])),
    ),
    max_size=12,
)


class Host:
    """The host's pipes, with the operations of ours."""

    def pipe(self) -> tuple[int, int]:
        source, sink = os.pipe()
        os.set_blocking(source, False)
        os.set_blocking(sink, False)
        return source, sink

    def read(self, end: int, length: int) -> bytes:
        return os.read(end, length)

    def write(self, end: int, data: bytes) -> int:
        return os.write(end, data)


class Ours:
    def __init__(self, system: System) -> None:
        self._pipes = system[Pipes]
        self.pipe = self._pipes.pipe
        self.close = self._pipes.close

    def read(self, end: int, length: int) -> bytes:
        return self._pipes.read(end, length, block=False)

    def write(self, end: int, data: bytes) -> int:
        return self._pipes.write(end, data, block=False)


@given(STEPS)
def test_pipes_are_those_of_the_host(steps: list[tuple[str, int]]) -> None:
    with Kernel("monolithic", "monolithic").boot(Pipes) as system:
        assert _play(Ours(system), steps, system[Pipes].close) == _play(Host(), steps, os.close)


def _play(pipes: Host | Ours, steps: list[tuple[str, int]], close: object) -> list[object]:
    source, sink = pipes.pipe()
    ends, answers, held = {0: source, 1: sink}, [], 0
    assert callable(close)
    for what, number in steps:
        try:
            if what == "close" and number in ends:
                close(ends.pop(number))
            elif what == "write" and 1 in ends:
                # Linux fills whole pages: only what surely fits, or surely does not, is defined.
                if held + number > CAPACITY - PIPE_BUF and 0 in ends:
                    continue
                answers.append(written := pipes.write(ends[1], bytes(number)))
                held += written if isinstance(written, int) else 0
            elif what == "read" and 0 in ends:
                answers.append(len(data := pipes.read(ends[0], number)))
                held -= len(data)
        except OSError as error:
            answers.append(error.errno)
    for end in ends.values():
        close(end)
    return answers
