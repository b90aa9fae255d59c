"""A caller that asks several things at a time: it has one turn, and nothing of it is mixed up."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels import boot
from kernels.crew import MANY, Crew, Seat
from tests.conftest import Kernel, eventually
from tests.kernels.services import Echo, Mailbox

ROOT = Path(__file__).parents[2]


class Bench:
    """A crew, and channels of which nothing is served before it is let."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.started: list[int] = []
        self.at_work: list[int] = []
        self.most_at_work = 0
        self.closed: list[int] = []
        self.may_go_on = threading.Semaphore(0)
        self.crew = Crew(self.start, self.watch)
        self._wait = threading.local()

    def start(self, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def watch(self, hangup: int, before_waiting: Callable[[], None]) -> None:
        del hangup
        self._wait.before = before_waiting

    def seat(self, number: int, *, waits: bool) -> int:
        """Admit a channel; where to write its requests."""
        source, sink = os.pipe()

        def step() -> bool:
            if not os.read(source, 1):
                return False
            self.started.append(number)
            self.at_work.append(number)
            self.most_at_work = max(self.most_at_work, len(self.at_work))
            if waits:
                self._wait.before()
                self._wait.before()  # it may wait several times
                self.may_go_on.acquire()
            self.at_work.remove(number)
            return True

        def close() -> None:
            os.close(source)
            self.closed.append(number)

        assert self.crew.admit(Seat(source, step, close))
        return sink


def test_one_at_a_time_unless_it_waits() -> None:
    bench = Bench()
    busy = [bench.seat(number, waits=False) for number in range(3)]
    waiting = [bench.seat(number, waits=True) for number in range(3, 6)]
    for sink in waiting:
        os.write(sink, b"x")
    eventually(lambda: sorted(bench.at_work) == [3, 4, 5], "those that wait are all under way")
    bench.most_at_work = 0
    for sink in busy * 20:
        os.write(sink, b"x")
    eventually(lambda: len(bench.started) == 63)
    assert bench.most_at_work == 4  # beside those that wait one
    for _ in waiting:
        bench.may_go_on.release()
    eventually(lambda: not bench.at_work)
    for sink in (*busy, *waiting):
        os.close(sink)
    bench.crew.disband()
    assert bench.crew.is_over
    assert sorted(bench.closed) == list(range(6))
    assert not any(thread.is_alive() for thread in bench.threads)
    assert not bench.crew.admit(Seat(0, lambda: False, lambda: None))


def test_it_ends_with_its_last_channel_though_that_waited() -> None:
    bench = Bench()
    sink = bench.seat(0, waits=True)
    os.write(sink, b"x")
    eventually(lambda: bench.at_work == [0])
    os.close(sink)
    bench.may_go_on.release()
    eventually(lambda: bench.crew.is_over)
    bench.crew.disband()
    assert bench.closed == [0]


@pytest.mark.parametrize("threads", [2, MANY + 4])
def test_several_threads_of_one_caller(kernel: Kernel, threads: int) -> None:
    """Each gets its own answers, small, large, waited for or refused; and so does another."""
    wrong: list[object] = []

    def work(seed: int, echo: Echo, mailbox: Mailbox) -> None:
        rng = random.Random(seed)
        for number in range(60):
            size = rng.choice((0, 1, 5000, 100_000))
            mine = rng.randbytes(8) + bytes(size)
            if echo.number(seed * 1000 + number) != seed * 1000 + number:
                wrong.append((seed, number))
            if echo.data(mine) != mine:
                wrong.append((seed, number, size))
            with pytest.raises(FileNotFoundError):
                echo.fails(2, f"{seed}", None, None)
            if number % 20 == 0:
                mailbox.put(b"x")
                mailbox.take()

    with kernel.boot(Echo, Mailbox) as system, system.user() as other:
        system[Echo].number(0)  # the first channel is there, and is given up for the crew
        users = [system] * threads + [other]
        crowd = [
            threading.Thread(target=work, args=(number, user[Echo], user[Mailbox]))
            for number, user in enumerate(users)
        ]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join(60)
        assert not any(thread.is_alive() for thread in crowd)
    assert not wrong


def test_a_crowd_leaves_nothing_behind() -> None:
    with boot("microkernel", Mailbox, Echo) as system:
        (server,) = [one.pid for one in system.status() if one.services == ("Mailbox",)]
        system[Mailbox].waiting()

        def held() -> list[int]:
            return [len(os.listdir(f"/proc/{server}/{what}")) for what in ("fd", "task")]

        before = held()
        with system.user() as user:
            crowd = [threading.Thread(target=user[Mailbox].take) for _ in range(10)]
            for thread in crowd:
                thread.start()
            eventually(lambda: system[Mailbox].waiting() == 10)
            for _ in crowd:
                system[Mailbox].put(b"x")
            for thread in crowd:
                thread.join()
        eventually(lambda: held() == before, "what it was given is given back")


ONCE = """
import mmap

from kernels import boot
from kernels.road import Road
from tests.kernels.services import Echo

made = mmap.mmap(-1, mmap.PAGESIZE)
handler = Road.handler


def counting(road):
    made[0] += 1
    return handler(road)


Road.handler = counting
with boot("microkernel", Echo) as system:
    for number in range(20):
        system[Echo].number(number)
print(made[0])
"""
"""A process with one thread forks its servers, and they count, too."""


def test_what_answers_an_operation_is_made_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONCE], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    assert int(done.stdout) == 1, "it costs more than ten requests"
