"""Calls that a type checker must accept, and calls that it must not; test_typing.py runs it.

A line that ends in `# E: code` is an error of that kind; every other line is right.
"""

from typing import Any, NamedTuple, assert_type

from kernels import Process, System, User, boot
from servers.clock import Clock
from servers.filesystem import FileSystem
from twinos import (
    Caller,
    Endpoint,
    Mailbox,
    Message,
    Pages,
    Pending,
    Received,
    Region,
    Service,
    Signal,
    Until,
    Waits,
    fail,
    op,
)


class Chat(Message, frozen=True):
    """A conversation."""


class Ping(Chat, frozen=True):
    number: int


class Other(Message, frozen=True):
    """Of another one."""


def box_of(system: System) -> Endpoint:
    return system.mailbox(Chat).endpoint


class Stat(NamedTuple):
    size: int


class Depot(Service):
    """One operation of every kind."""

    def __init__(self, clock: Clock, store: Region, size: int = 4) -> None:
        self._clock = clock
        self._store = store
        self._arrived = Signal()
        self._items = [b""] * size

    @op
    def plain(self, number: int, name: str = "x", *, flag: bool = False) -> Stat:
        return Stat(self._store.size + number + len(name) + flag)

    @op
    def who(self, caller: Caller, number: int) -> int:
        return caller.uid + number

    @op
    def wait(self) -> Waits[bytes]:
        while not self._items:
            yield self._arrived
        return self._items.pop()

    @op
    def wait_as(self, caller: Caller, seconds: float) -> Waits[str]:
        yield self._arrived.until(seconds)
        return caller.name

    @op
    def paged(self, length: int) -> bytes | Pages:
        return Pages([bytes(length)], 4096, length)

    @op
    def paged_for(self, caller: Caller) -> bytes | Pages:
        return self._items[caller.id]

    @op(idempotent=True)
    def again(self, caller: Caller, number: int, /) -> int:
        return caller.id + number

    @op(idempotent=True)
    def wait_again(self, number: int) -> Waits[int]:
        yield Until(self._arrived, 1.0)
        return number

    @op
    def wrong_yield(self) -> Waits[int]:
        yield 5  # E: misc
        return 5

    @op
    def wrong_return(self) -> Waits[int]:
        yield self._arrived
        return "x"  # E: return-value

    @op
    def nested(self) -> float:
        return self._clock.time()

    @op
    def wrong_nested(self) -> str:
        return self._clock.time()  # E: return-value

    @op
    def fails(self) -> None:
        raise fail(2, "/x")


@op(idempotent=1)  # E: call-overload  # E: untyped-decorator
def number_for_a_flag() -> None: ...


def program(user: User, name: str) -> int:
    return user[Depot].plain(1, name).size


def right(system: System) -> None:
    depot = system[Depot]
    assert_type(depot, Depot)
    assert_type(depot.plain(1), Stat)
    assert_type(depot.plain(1, "a", flag=True).size, int)
    assert_type(depot.plain(number=1, name="a"), Stat)
    assert_type(depot.who(1), int)
    assert_type(depot.who(number=1), int)
    assert_type(depot.wait(), bytes)
    assert_type(depot.wait_as(1.5), str)
    assert_type(depot.wait_as(seconds=1.5), str)
    assert_type(depot.paged(1), bytes)
    assert_type(depot.paged_for(), bytes)
    assert_type(depot.again(1), int)
    assert_type(depot.wait_again(1), int)
    assert_type(system[FileSystem].read(3, 10), bytes)
    assert_type(system[Clock].time(), float)
    assert_type(system.region(Depot, "store"), Region)
    assert_type(system.process(program, "x"), Process)
    with system.user(uid=5, gid=5, groups=(1, 2)) as user:
        assert_type(user[Depot], Depot)
        user[Depot].fails()
    with system.batch() as later, system.queue(most=4) as at_once:
        assert_type(later(depot.wait).result(), bytes)
        assert_type(at_once(depot.plain, 1, flag=True).result(), Stat)
        pending: Pending[int] = later(depot.who, 1)
        assert_type(pending.result(), int)
    with system.mailbox(Chat, "chat") as box:
        assert_type(box, Mailbox[Chat])
        assert_type(box.sendrec(box.endpoint, Ping(1)), Chat)
        assert_type(box.receive(), Received[Chat])
    with boot("hybrid", Depot, config={Depot: {"size": 5}}, groups=[[Depot, Clock]]) as booted:
        assert_type(booted, System)


def wrong(system: System, caller: Caller, anything: Any) -> None:
    depot = system[Depot]
    system[FileSystem].read("x")  # E: call-arg  # E: arg-type
    system[FileSystem].read("x", 10)  # E: arg-type
    system[FileSystem].reed(3, 10)  # E: attr-defined
    depot.plain()  # E: call-arg
    depot.plain("x")  # E: arg-type
    depot.plain(1, "x", True)  # E: call-arg
    depot.plain(1, nome="x")  # E: call-arg
    depot.plain(1, flag="x")  # E: arg-type
    depot.who(caller, 1)  # E: call-arg  # E: arg-type
    depot.who(caller=caller, number=1)  # E: call-arg
    depot.wait_as(caller, 1.0)  # E: call-arg  # E: arg-type
    depot.again(number=1)  # E: call-arg
    next(depot.wait())  # E: call-overload
    for _ in depot.wait_again(1):  # E: attr-defined
        pass
    number: int = depot.wait()  # E: assignment
    text: str = depot.plain(1)  # E: assignment
    with system.batch() as later:
        later(depot.plain)  # E: call-arg
        later(depot.plain, "x")  # E: arg-type
        later(depot.plain, 1, nome="x")  # E: call-arg
        text = later(depot.plain, 1).result()  # E: assignment
    system.mailbox(Chat).send(Ping(1), Ping(1))  # E: arg-type
    system.mailbox(Chat).send(box_of(system), Other())  # E: arg-type
    system.mailbox(int)  # E: type-var
    system[Stat]  # E: type-var
    system["Depot"]  # E: index
    system.user(uid="root")  # E: arg-type
    boot("microkernel", Depot, users="threads")  # E: arg-type
    boot("microkernel", Stat)  # E: arg-type
    anything(number, text)
