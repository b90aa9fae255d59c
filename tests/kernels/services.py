"""Services to try kernels with. At the top of a module, so that a fresh interpreter finds them."""

import enum
import errno
import os
import signal
import time
from typing import Any, NamedTuple

import msgspec

from twinos import Caller, Pages, Region, Service, Signal, Supervision, Waits, fail, op


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Point(NamedTuple):
    x: int
    y: int = 0


class Card(msgspec.Struct, frozen=True):
    title: str
    points: tuple[Point, ...] = ()


class Echo(Service):
    """Gives back what it gets, in every way in which a call can be made."""

    @op
    def null(self) -> None:
        """Nothing."""

    @op
    def number(self, number: int) -> int:
        return number

    @op
    def text(self, text: str) -> str:
        return text

    @op
    def data(self, data: bytes) -> bytes:
        return data

    @op
    def everything(
        self,
        flag: bool,
        ratio: float,
        mood: Mood,
        card: Card,
        points: tuple[Point, ...],
        perhaps: int | str | None,
    ) -> tuple[bool, float, Mood, Card, tuple[Point, ...], int | str | None]:
        return flag, ratio, mood, card, points, perhaps

    @op
    def defaults(self, one: int, two: str = "2", three: bytes = b"3") -> tuple[int, str, bytes]:
        return one, two, three

    @op
    def by_name(self, one: int, *, two: int, three: int = 3) -> tuple[int, int, int]:
        return one, two, three

    @op
    def by_place(self, one: int, two: int = 2, /, three: int = 3) -> tuple[int, int, int]:
        return one, two, three

    @op
    def hiding(
        self,
        len: int,  # noqa: A002 (that is the case)
        type: str,  # noqa: A002
        int: bytes,  # noqa: A002
        OSError: bool,  # noqa: A002, N803
        request: int,
        reply: int,
        payload: int,
    ) -> tuple[int, str, bytes, bool, int, int, int]:
        """Parameters named like what compiled code might use."""
        return len, type, int, OSError, request, reply, payload

    @op
    def caller(self, caller: Caller) -> Caller:
        return caller

    @op
    def caller_and(self, caller: Caller, first: int, *, second: int = 2) -> tuple[int, int, int]:
        return caller.uid, first, second

    @op
    def size(self, data: bytes) -> int:
        return len(data)

    @op
    def zeros(self, size: int) -> bytes:
        if not 0 <= size <= 1 << 31:
            raise fail(errno.EINVAL)
        return bytes(size)

    @op
    def fails(self, code: int, text: str, name: str | None, name2: str | None) -> None:
        if not -(2**31) < code < 2**31:
            raise fail(errno.EINVAL)  # it would be a bug
        if name is None:
            raise OSError(code, text)
        raise OSError(code, text, name, None, name2)

    @op
    def fails_oddly(self) -> None:
        raise FileNotFoundError(errno.ENOENT, "no", b"\xff")

    @op
    def laxly(self, kind: int) -> bytes:
        return (b"", bytearray(b"ab"), memoryview(b"abc"))[kind % 3]  # type: ignore[return-value]  # that is the case

    @op
    def listed(self) -> tuple[int, ...]:
        return [1, 2]  # type: ignore[return-value]  # that is the case

    @op
    def pid(self) -> int:
        return os.getpid()

    @op
    def paged(self, length: int, seed: int = 0) -> bytes | Pages:
        """In pages, of which every third is cut."""
        if not 0 <= length <= 1 << 23:
            raise fail(errno.EINVAL)
        return Pages(pages_of(length, seed), 4096, length)


def pages_of(length: int, seed: int) -> list[bytes]:
    """What `Echo.paged` gives."""
    count = -(-length // 4096)
    return [bytes([at + seed & 255]) * (4096 if at % 3 else 4000 + at) for at in range(count)]


class Bugs(Service, supervision=Supervision(most=1000, longest_rest=0.1)):
    """Goes wrong on demand; what it has counted outlives it."""

    def __init__(self, store: Region) -> None:
        if not store.size:
            store.resize(8)
        self._store = store
        self._memory = 0
        self._stubborn = False

    @op
    def pid(self) -> int:
        return os.getpid()

    @op
    def null(self) -> None: ...

    @op
    def count(self) -> int:
        self._memory += 1
        self._store.memory[0] += 1
        return self._store.memory[0]

    @op
    def memory(self) -> int:
        """What this life has counted."""
        return self._memory

    @op(idempotent=True)
    def again(self) -> int:
        return self._store.memory[0]

    @op
    def divide(self, by: int) -> int:
        return 1 // by

    @op
    def complain(self, text: str) -> None:
        raise ValueError(text)

    @op
    def nameless(self) -> None:
        raise OSError("an OSError without an errno")

    @op
    def ill_typed(self) -> int:
        return "x"  # type: ignore[return-value]  # that is the case

    @op
    def too_long(self) -> int:
        return 2**64

    @op
    def odd_inside(self) -> Point:
        return Point(object())  # type: ignore[arg-type]  # that is the case

    @op
    def leave(self, status: int) -> None:
        os._exit(status)

    @op
    def give_up(self) -> None:
        raise SystemExit(3)

    @op
    def die(self, number: int) -> None:
        """In the middle of the request."""
        os.kill(os.getpid(), number)
        time.sleep(60)

    @op(idempotent=True)
    def die_once(self) -> int:
        """Until it has been asked to three times."""
        self._store.memory[1] += 1
        if self._store.memory[1] < 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._store.memory[1]

    @op(idempotent=True)
    def die_always(self) -> int:
        self._store.memory[2] += 1
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    @op
    def deaths(self) -> int:
        return self._store.memory[2]

    @op
    def wait_for_nothing(self) -> Waits[None]:
        self._store.memory[3] += 1
        yield Signal()

    @op
    def waiting(self) -> int:
        return self._store.memory[3]

    @op
    def wait_for_a_bug(self, text: str) -> Waits[None]:
        yield Signal().until(0)
        raise ValueError(text)

    @op
    def yields_a_number(self) -> Waits[None]:
        yield 5  # type: ignore[misc]  # that is the case

    @op
    def be_stubborn(self) -> None:
        """Never come to an end."""
        self._stubborn = True

    def _stopping(self) -> None:
        if self._stubborn:
            time.sleep(60)


class Mailbox(Service):
    """Messages to wait for; remembers who has left."""

    def __init__(self) -> None:
        self._items: list[bytes] = []
        self._arrived = Signal()
        self._gone: list[int] = []
        self._waiting = 0
        self._unwound = 0

    @op
    def put(self, item: bytes) -> None:
        self._items.append(item)
        self._arrived.notify()

    @op
    def take(self) -> Waits[bytes]:
        self._waiting += 1
        try:
            while not self._items:
                yield self._arrived
            return self._items.pop(0)
        finally:
            self._waiting -= 1
            self._unwound += 1

    @op
    def take_within(self, caller: Caller, seconds: float) -> Waits[bytes | None]:
        deadline = time.monotonic() + seconds
        while not self._items:
            if time.monotonic() >= deadline:
                return None
            yield self._arrived.until(deadline)
        return self._items.pop(0) + str(caller.uid).encode()

    @op
    def fail_later(self, code: int) -> Waits[int]:
        while not self._items:
            yield self._arrived
        raise fail(code, "later")

    @op
    def at_once(self, number: int) -> Waits[int]:
        """Need not wait at all."""
        if number < 0:
            yield self._arrived
        return number

    @op
    def waiting(self) -> int:
        return self._waiting

    @op
    def unwound(self) -> int:
        return self._unwound

    @op
    def gone(self) -> tuple[int, ...]:
        return tuple(self._gone)

    def _departed(self, caller: Caller) -> None:
        self._gone.append(caller.id)


class Desk(Service):
    """Calls what waits, and must not be entered meanwhile."""

    def __init__(self, mailbox: Mailbox, echo: Echo) -> None:
        self._mailbox = mailbox
        self._echo = echo
        self._inside = 0
        self._entered_inside = 0
        self._gone_inside = 0

    @op
    def collect(self) -> bytes:
        self._entered_inside += self._inside
        self._inside += 1
        item = self._mailbox.take()
        item += self._mailbox.take()
        self._inside -= 1
        return item

    @op
    def look(self) -> tuple[int, int]:
        self._entered_inside += self._inside
        return self._entered_inside, self._gone_inside

    @op
    def who(self) -> Caller:
        """As whom it calls others."""
        return self._echo.caller()

    @op
    def ask(self, code: int) -> None:
        self._echo.fails(code, "below", None, None)

    @op
    def copy(self, data: bytes) -> bytes:
        return self._echo.data(data)

    @op
    def paged(self, length: int) -> int:
        """How many bytes there are, and that they are bytes."""
        return len(b"" + self._echo.paged(length))

    @op
    def named(self) -> tuple[int, int, int]:
        return self._echo.by_name(1, three=5, two=4)

    def _departed(self, caller: Caller) -> None:
        self._gone_inside += self._inside * (caller.uid == 77)


class Office(Service):
    """Above the desk, but not in the middle of its operations unless it was asked itself."""

    def __init__(self, desk: Desk, mailbox: Mailbox) -> None:
        self._desk = desk
        self._mailbox = mailbox

    @op
    def send(self, item: bytes) -> None:
        self._mailbox.put(item)

    @op
    def collect(self) -> bytes:
        return self._desk.collect()


class Journal(Service):
    """Writes down what becomes of it."""

    def __init__(self, path: str, refuse: int = 0) -> None:
        self._path = path
        self._refuse = refuse
        self._write("start")

    @op
    def note(self, text: str) -> None:
        self._write(text)

    def _stopping(self) -> None:
        self._write("stop")
        if self._refuse:
            raise fail(self._refuse, self._path)

    def _write(self, text: str) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{type(self).__name__} {text}\n")


class UpperJournal(Journal):
    def __init__(self, lower: Journal, path: str, refuse: int = 0, bug: bool = False) -> None:
        self._lower = lower
        self._bug = bug
        super().__init__(path, refuse)

    def _stopping(self) -> None:
        self._lower.note("flush")
        super()._stopping()
        if self._bug:
            raise ValueError("a bug in an upper journal")


class Settings(Service):
    """Says how it was set, or does not start."""

    def __init__(
        self,
        number: int = 1,
        text: str = "x",
        mood: Mood = Mood.GOOD,
        point: Point | None = None,
        items: tuple[bytes, ...] = (),
        error: int = 0,
        bug: str = "",
    ) -> None:
        if error:
            raise fail(error, text)
        if bug:
            raise ValueError(bug)
        self._all = (number, text, mood, point, items)

    @op
    def all(self) -> tuple[int, str, Mood, Point | None, tuple[bytes, ...]]:
        return self._all


class Early(Service):
    """Calls others while it is built, one that waits among them."""

    def __init__(self, mailbox: Mailbox, echo: Echo) -> None:
        self._found = mailbox.take_within(0.0)
        self._number = echo.number(5)

    @op
    def found(self) -> tuple[bytes | None, int]:
        return self._found, self._number


class Fragile(Service):
    """Starts once, and never again."""

    def __init__(self, store: Region) -> None:
        if store.size:
            raise ValueError("once was enough")
        store.resize(1)

    @op
    def null(self) -> None: ...

    @op
    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Front(Service):
    """Holds a handle to Bugs and to nothing else."""

    def __init__(self, bugs: Bugs) -> None:
        self._bugs = bugs

    @op
    def divide(self, by: int) -> int:
        return self._bugs.divide(by)

    @op
    def die(self) -> None:
        self._bugs.die(signal.SIGKILL)

    @op
    def again(self) -> int:
        return self._bugs.again()

    @op
    def pid(self) -> int:
        return os.getpid()

    @op
    def try_connecting(self, service: str, caller: int) -> int:
        """What the kernel says when this server asks for what it was not wired to."""
        agent: Any = _agent()
        try:
            agent._connect(service, Caller(caller)).close()
        except OSError as error:
            return error.errno or 0
        return 0

    @op
    def try_enrolling(self) -> int:
        try:
            _agent().enrol(0, 0, ())
        except OSError as error:
            return error.errno or 0
        return 0


class Ledger(Service):
    """Takes its time, and forgets what it noted for who is gone."""

    def __init__(self, store: Region) -> None:
        store.resize(2)
        self._store = store
        self._notes: list[int] = []

    @op
    def pid(self) -> int:
        return os.getpid()

    @op
    def note(self, caller: Caller) -> None:
        self._notes.append(caller.id)

    @op
    def work(self) -> None:
        """Until the region says that it is enough."""
        self._store.memory[0] = 1
        while not self._store.memory[1]:
            time.sleep(0.001)

    @op
    def notes(self) -> int:
        return len(self._notes)

    def _departed(self, caller: Caller) -> None:
        self._notes = [each for each in self._notes if each != caller.id]


class Clerk(Service):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @op
    def pid(self) -> int:
        return os.getpid()

    @op
    def work(self) -> None:
        self._ledger.work()

    @op
    def note(self) -> None:
        self._ledger.note()


def _agent() -> Any:
    """This process's agent, found as only a test would."""
    from kernels.forks import running

    own = (each for each in running if hasattr(each, "enrol"))
    return next(
        each for each in own if vars(each).get("_aliases", each) is None
    )  # others were inherited
