"""Services that overlap their waits: who is in the middle with whom, under every kernel."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from kernels import System, User, boot
from kernels.gate import Gate
from kernels.turns import Turn, Turns
from tests.conftest import Kernel, eventually
from twinos import ContractError, KernelPanic, NotAloneError, Service, Signal, Waits, op


class Store(Service):
    """Answers `get` when it is told to, and everything else at once."""

    def __init__(self) -> None:
        self._asked = 0
        self._allowed = 0
        self._changed = Signal()

    @op
    def get(self, number: int) -> Waits[int]:
        self._asked += 1
        while self._allowed < 1:
            yield self._changed
        self._allowed -= 1
        return number * 10

    @op
    def answer(self, count: int) -> None:
        self._allowed += count
        self._changed.notify()

    @op
    def asked(self) -> int:
        return self._asked


class Cache(Service, overlaps=("read", "peek")):
    """Remembers what the store said; a read that hits does not wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, int] = {}
        self._inside: list[str] = []
        self._seen: set[str] = set()
        self._released = Signal()
        self._is_released = False
        self._departures = 0

    @op
    def read(self, number: int) -> int:
        with self._noted("read"):
            if number not in self._known:
                self._known[number] = self._store.get(number)
            return self._known[number]

    @op
    def peek(self) -> int:
        with self._noted("peek"):
            return len(self._known)

    @op
    def write(self, number: int) -> int:
        """Alone, waits for the store."""
        with self._noted("write"):
            self._known[number] = self._store.get(number)
            return self._known[number]

    @op
    def clear(self) -> int:
        with self._noted("clear"):
            count = len(self._known)
            self._known.clear()
            return count

    @op
    def hold(self) -> Waits[int]:
        """Alone, but for the time in which it waits by itself."""
        with self._noted("hold"):
            pass
        while not self._is_released:
            yield self._released
        with self._noted("hold"):
            return len(self._known)

    @op
    def release(self) -> None:
        self._is_released = True
        self._released.notify()

    @op
    def together(self) -> tuple[str, ...]:
        """Which operations have been in the middle together."""
        return tuple(sorted(self._seen))

    @op
    def fail(self, number: int) -> None:
        self._store.get(number)
        raise OSError(5, "as asked")

    @op
    def departures(self) -> int:
        return self._departures

    @contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        for other in self._inside:
            self._seen.add("+".join(sorted((name, other))))
        self._inside.append(name)
        try:
            yield
        finally:
            self._inside.remove(name)

    def _departed(self, caller: Any) -> None:
        del caller
        assert not self._inside
        self._departures += 1


class Admitting(Cache, admits=("write",)):
    """One whose write shows nothing half done while it waits."""

    @op
    def peek(self) -> int:
        """How many are known; it would have to wait for the store to know of more than two."""
        with self._noted("peek"):
            if len(self._known) > 1 and not self._is_alone():
                raise NotAloneError
            return len(self._known)


class Serial(Cache, overlaps=()):
    """The same, one request at a time."""


class Above(Service):
    """Calls what overlaps, and does not overlap itself."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._inside = 0

    @op
    def read(self, number: int) -> int:
        self._inside += 1
        assert self._inside == 1
        value = self._cache.read(number)
        self._inside -= 1
        return value

    @op
    def clear(self) -> int:
        assert not self._inside
        return self._cache.clear()


class Background:
    """Calls that may take long, each as a caller of its own."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._threads: list[threading.Thread] = []
        self.results: list[Any] = []

    def start(self, call: Callable[[Any], Any]) -> None:
        def work() -> None:
            with self._system.user() as user:
                try:
                    self.results.append(call(user))
                except KernelPanic:
                    self.results.append(-1)

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def join(self) -> list[Any]:
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        return sorted(self.results)


@pytest.fixture
def system(kernel: Kernel) -> Iterator[System]:
    with kernel.boot(Above) as system:
        yield system


def waits(system: System, count: int) -> None:
    """So many requests wait for the store."""
    eventually(lambda: system[Store].asked() == count)


def test_a_hit_does_not_wait_for_a_miss(system: System) -> None:
    store, cache, background = system[Store], system[Cache], Background(system)
    store.answer(1)
    assert cache.read(1) == 10
    for number in (2, 3, 4):
        background.start(lambda user, number=number: user[Cache].read(number))
    waits(system, 4)  # the disk works for three of them at once
    assert cache.read(1) == 10
    assert cache.peek() == 1
    store.answer(3)
    assert background.join() == [20, 30, 40]
    assert {"read+read", "peek+read"} == set(cache.together())


def test_what_is_not_declared_is_alone(system: System) -> None:
    store, cache, background = system[Store], system[Cache], Background(system)
    background.start(lambda user: user[Cache].read(1))
    waits(system, 1)
    background.start(lambda user: user[Cache].write(2))
    background.start(lambda user: user[Cache].clear())
    store.answer(1)
    waits(system, 2)  # the write has its turn
    background.start(lambda user: user[Cache].read(1))
    store.answer(2)
    results = background.join()
    assert results.count(10) == 2
    assert 20 in results
    assert not [each for each in cache.together() if each != "read+read"]


def test_who_is_alone_may_admit_those_that_overlap(kernel: Kernel) -> None:
    with kernel.boot(Admitting) as system:
        store, cache, background = system[Store], system[Admitting], Background(system)
        store.answer(1)
        assert cache.read(1) == 10
        background.start(lambda user: user[Admitting].write(2))
        waits(system, 2)
        background.start(lambda user: user[Admitting].clear() * 100)  # not while it waits
        assert cache.read(1) == 10
        assert cache.peek() == 1  # and passes by who does
        store.answer(1)
        assert background.join() in ([20, 100], [20, 200])
        assert set(cache.together()) <= {"peek+write", "read+write"}


def test_who_was_admitted_and_has_to_wait_begins_again(kernel: Kernel) -> None:
    with kernel.boot(Admitting) as system:
        store, cache, background = system[Store], system[Admitting], Background(system)
        store.answer(2)
        assert [cache.read(1), cache.read(2)] == [10, 20]
        background.start(lambda user: user[Admitting].write(3))
        waits(system, 3)
        background.start(lambda user: user[Admitting].peek())
        background._threads[1].join(0.05)
        assert not background.results
        store.answer(1)
        assert background.join() == [3, 30]


def test_what_admits_is_no_typo_and_alone() -> None:
    with pytest.raises(ContractError, match="has no operation 'wirte' to overlap"):

        class Typo(Cache, admits=("wirte",)):
            pass

    with pytest.raises(ContractError, match=r"Both\.read can't both overlap and be alone"):

        class Both(Cache, admits=("read",)):
            pass


def test_turns_come_in_the_order_in_which_they_were_asked_for(rng: random.Random) -> None:
    """Whoever is alone is not passed by for ever: those who come later wait."""
    gate = Gate(lambda _where, error: error)
    turns = Turns(gate, Cache)
    order: list[tuple[int, bool]] = []
    gate.lock.acquire()
    turns.begin(Turn.ALONE)
    threads = []
    asked = [rng.random() < 0.7 for _ in range(12)]
    for number, together in enumerate(asked):

        def work(number: int = number, together: bool = together) -> None:
            turns.enter(Turn.TOGETHER if together else Turn.ALONE)
            order.append((number, together))
            turns.leave()

        threads.append(threading.Thread(target=work))
        gate.lock.release()
        threads[-1].start()
        eventually(lambda number=number: len(turns._waiting) == number + 1)  # type: ignore[misc]
        gate.lock.acquire()
    turns.end()
    gate.lock.release()
    for thread in threads:
        thread.join(20)
    assert order == list(enumerate(asked))


def test_an_operation_that_waits_by_itself_lets_others_in(system: System) -> None:
    store, cache, background = system[Store], system[Cache], Background(system)
    background.start(lambda user: user[Cache].hold())
    store.answer(1)
    assert cache.read(1) == 10
    assert cache.clear() == 1
    store.answer(2)
    assert cache.read(1) == 10
    assert cache.write(2) == 20
    cache.release()
    assert background.join() == [2]
    assert not cache.together()


def test_a_service_above_is_in_the_middle_while_one_below_waits(system: System) -> None:
    store, background = system[Store], Background(system)
    background.start(lambda user: user[Above].read(1))
    waits(system, 1)
    background.start(lambda user: user[Cache].read(2))
    waits(system, 2)
    background.start(lambda user: user[Above].clear())
    store.answer(2)
    results = background.join()
    assert {10, 20} <= set(results)


def test_errors_give_the_turn_back(system: System) -> None:
    store, cache = system[Store], system[Cache]
    for _ in range(3):
        store.answer(1)
        with pytest.raises(OSError, match="as asked"):
            cache.fail(1)
    store.answer(1)
    assert cache.read(3) == 30
    assert cache.clear() == 1


def test_a_caller_s_departure_finds_nobody_in_the_middle(system: System) -> None:
    background = Background(system)
    background.start(lambda user: user[Cache].read(1))
    waits(system, 1)
    background.start(lambda user: user[Store].answer(1) or 0)
    assert background.join() == [0, 10]
    eventually(lambda: system[Cache].departures() == 2)


def test_shutting_down_waits_for_who_is_in_the_middle(kernel: Kernel) -> None:
    with kernel.boot(Cache) as system:
        background = Background(system)
        background.start(lambda user: user[Cache].read(1))
        waits(system, 1)
        system[Store].answer(1)
    assert background.join() in ([10], [-1])  # the reply may be lost, the operation is not


def test_a_service_that_does_not_overlap_stalls() -> None:
    with boot("microkernel", Serial) as system:
        background = Background(system)
        background.start(lambda user: user[Serial].read(1))
        waits(system, 1)
        peeked = Background(system)
        peeked.start(lambda user: user[Serial].peek())
        peeked._threads[0].join(0.05)
        assert not peeked.results
        system[Store].answer(1)
        assert background.join() == [10]
        assert peeked.join() == [1]


def test_only_operations_overlap() -> None:
    with pytest.raises(ContractError, match="has no operation 'rad' to overlap"):

        class Typo(Cache, overlaps=("read", "rad")):
            pass


def carry_out(plan: list[tuple[str, int]], user: User) -> int:
    for name, number in plan:
        if name == "above":
            assert user[Above].read(number) == number * 10
        elif name in {"read", "write"}:
            assert getattr(user[Cache], name)(number) == number * 10
        else:
            getattr(user[Cache], name)()
    return 1


@pytest.mark.parametrize("kernel_name", ["monolithic", "microkernel"])
def test_random_requests_keep_the_rules(kernel_name: str, rng: random.Random) -> None:
    """Many clients at once: whatever they do, only what is declared meets."""
    with boot(kernel_name, Above) as system:
        stop = threading.Event()

        def answer(user: Any) -> int:
            while not stop.is_set():
                user[Store].answer(1)
            return 0

        answering, clients = Background(system), Background(system)
        answering.start(answer)
        for _ in range(6):
            names = rng.choices(["read", "read", "peek", "write", "clear", "above"], k=40)
            clients.start(partial(carry_out, [(name, rng.randrange(5)) for name in names]))
        assert clients.join() == [1] * 6
        stop.set()
        answering.join()
        assert set(system[Cache].together()) <= {"read+read", "peek+read", "peek+peek"}
