"""A scheduler at the gate of every address space: the policy says which request goes next."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kernels import boot
from kernels.desk import ROWS, Desk
from kernels.queues import Queues
from kernels.regions import identities
from kernels.scheduling import policies
from kernels.turnstile import Turnstile
from servers.clock import Clock
from servers.console import Console
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.process import ProcessManager
from tests.conftest import Kernel, eventually
from tests.kernels.services import Echo
from tests.servers import programs
from tests.servers.test_process import Machine, run
from twinos import Caller, Region, WiringError

ALL = list(policies())


@contextmanager
def a_turnstile(name: str) -> Iterator[tuple[Turnstile, Desk]]:
    region = Region.create("ready")
    desk = Desk(region, 2)
    try:
        yield Turnstile(policies()[name](0.001, 7), desk, 1), desk
    finally:
        desk.close()
        region.close()


def order_of_entry(lock: Turnstile, callers: list[Caller]) -> list[int]:
    """Who enters when, if all of them come while somebody is inside, one after the other."""
    entered: list[int] = []

    def enter(caller: Caller) -> None:
        lock.serve(caller)
        with lock:
            entered.append(caller.id)

    lock.acquire()
    threads = []
    for count, caller in enumerate(callers, 1):
        threads.append(threading.Thread(target=enter, args=(caller,)))
        threads[-1].start()
        eventually(lambda wanted=count: len(lock._waiting) == wanted)
    lock.release()
    for thread in threads:
        thread.join(10)
    return entered


def callers(*users: int) -> list[Caller]:
    return [Caller(number, "user", uid) for number, uid in enumerate(users, 1)]


@pytest.mark.parametrize("name", ["fcfs", "rr"])
def test_who_comes_first_enters_first(name: str) -> None:
    with a_turnstile(name) as (lock, _):
        assert order_of_entry(lock, callers(0, 0, 0, 0)) == [1, 2, 3, 4]


def test_the_urgent_enter_first() -> None:
    with a_turnstile("priority") as (lock, desk):
        for caller, priority in ((1, 500), (2, -500), (3, 1500), (4, -1500)):
            desk.weigh(caller, priority)
        assert order_of_entry(lock, callers(0, 0, 0, 0)) == [4, 2, 1, 3]


def test_users_take_turns_however_many_requests_they_have() -> None:
    with a_turnstile("fair") as (lock, _):
        found = order_of_entry(lock, callers(1, 1, 1, 2))
    assert sorted(found) == [1, 2, 3, 4]
    assert found.index(4) <= 1, "the other user's only request is not behind three"


def test_a_lottery_repeats_itself() -> None:
    orders = []
    for _ in range(2):
        with a_turnstile("lottery") as (lock, _desk):
            orders.append(order_of_entry(lock, callers(0, 0, 0, 0, 0)))
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == [1, 2, 3, 4, 5]


def test_waits_are_counted() -> None:
    with a_turnstile("fcfs") as (lock, desk):
        lock.acquire()
        waiting = threading.Thread(target=lock.__enter__)
        waiting.start()
        eventually(lambda: lock._waiting)
        eventually(lambda: desk.passages(1).waiting == 1)
        time.sleep(0.02)
        lock.release()
        waiting.join(10)
        lock.release()
        found = desk.passages(1)
        assert (found.entered, found.waiting) == (2, 0)
        assert 0.02 <= found.longest == found.wait <= found.turnaround
        assert desk.passages(0) == (0, 0.0, 0.0, 0.0, 0)


def test_after_a_fork_nobody_waits() -> None:
    with a_turnstile("fcfs") as (lock, _):
        lock.acquire()
        lock.after_fork()
        assert lock.acquire()
        assert lock.acquire()


@pytest.mark.parametrize("scheduler", ALL)
def test_requests_are_answered_under_every_scheduler(kernel: Kernel, scheduler: str) -> None:
    """Many at a time, of several users; nobody gets another's answer, and all are counted."""
    with kernel.boot(Echo, Clock, scheduler=scheduler) as system:
        users = [system.user(uid=uid, gid=uid) for uid in (0, 1000, 1000, 1001)]
        wrong: list[int] = []

        def ask(place: int) -> None:
            echo = users[place][Echo]
            wrong.extend(n for n in range(100) if echo.number(place * 1000 + n) != place * 1000 + n)
            users[place][Clock].sleep(0.001)

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(users))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not wrong
        passages = system.passages()
        assert sum(each.entered for each in passages.values()) >= 400
        assert all(each.wait <= each.turnaround for each in passages.values())
        for user in users:
            user.close()


def test_without_a_scheduler_nothing_is_counted(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        assert not system.passages()


def test_there_is_no_such_scheduler() -> None:
    with pytest.raises(WiringError, match="there is no scheduler 'x': choose from fair, fcfs"):
        boot("monolithic", Clock, scheduler="x")


def test_programs_run_and_their_niceness_is_that_of_their_requests() -> None:
    services = (ProcessManager, Console, Clock, MemoryManager, FileSystem)
    with boot("microkernel", *services, scheduler="priority") as system:
        machine = Machine(system, programs)
        assert run(machine, "exits", "7")[0] == 7
        pid, source = machine.start("waits")
        assert machine.process.read(source, 99) == b"ready\n"
        assert machine.process.manager.nice(pid, 5) == 5
        machine.process.kill(pid, 9)
        assert machine.wait(pid) == -9
        machine.process.close(source)
        machine.process.leave(0)


def test_what_a_caller_weighs_is_seen_at_every_gate() -> None:
    queues = Queues("priority", [(Clock,), (Echo,)], identities((Clock, Echo)))
    locks = [queues.seat(space).lock() for space in range(2)]
    queues.weigh(ROWS + 3, 7)
    for lock in locks:
        assert lock is not None
        lock.serve(Caller(3, "user"))
        assert lock._thread.task.priority == 7
        lock.close()
    queues.close()
