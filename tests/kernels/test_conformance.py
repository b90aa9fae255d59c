"""One suite for every kernel: whatever a client can see is the same in all of them."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System
from tests.conftest import KERNELS, RING, eventually
from tests.kernels.services import Bugs, Card, Desk, Echo, Mailbox, Mood, Office, Point, Settings
from twinos import Caller, WiringError
from twinos.errors import as_delivered

INTS = st.integers(-(2**63), 2**64 - 1)
ROUNDS = 40
"""Of somebody who asks again and again."""
TEXTS = st.text(st.characters(categories=None), max_size=20)


@pytest.fixture(scope="module", params=[*KERNELS, RING], ids=lambda kernel: kernel.name)
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    """One system for all tests of calls that change nothing."""
    with request.param.boot(Office, Bugs) as system:
        yield system


@pytest.fixture
def echo(system: System) -> Echo:
    return system[Echo]


def test_a_stub_knows_its_service(system: System, echo: Echo) -> None:
    assert system[Echo] is echo
    assert repr(echo) == "<handle to Echo>"
    assert "Echo" in repr(system)
    assert not hasattr(echo, "unknown")


@settings(max_examples=30)
@given(
    st.tuples(
        st.booleans(),
        st.floats(allow_nan=False),
        st.sampled_from(Mood),
        st.builds(Card, TEXTS, st.lists(st.builds(Point, INTS, INTS)).map(tuple)),
        st.lists(st.builds(Point, INTS, INTS)).map(tuple),
        st.none() | TEXTS | INTS,
    )
)
def test_values_go_and_come(system: System, values: tuple[Any, ...]) -> None:
    assert system[Echo].everything(*values) == values


@given(TEXTS)
@settings(max_examples=30)
def test_texts_go_and_come(system: System, text: str) -> None:
    assert system[Echo].text(text) == text


def test_none_comes(echo: Echo) -> None:
    assert echo.null() is None  # type: ignore[func-returns-value]  # that is the case


def test_defaults_and_names(echo: Echo) -> None:
    assert echo.defaults(1) == (1, "2", b"3")
    assert echo.defaults(1, three=b"x") == (1, "2", b"x")
    assert echo.defaults(two="x", one=5) == (5, "x", b"3")
    assert echo.by_name(1, two=2) == (1, 2, 3)
    assert echo.by_name(one=1, three=5, two=2) == (1, 2, 5)
    assert echo.by_place(1) == (1, 2, 3)
    assert echo.by_place(1, 5, three=6) == (1, 5, 6)
    assert echo.by_place(1, 5, 6) == (1, 5, 6)
    assert echo.hiding(1, "2", b"3", True, 4, 5, 6) == (1, "2", b"3", True, 4, 5, 6)


@pytest.mark.parametrize(
    "call",
    [
        lambda echo: echo.null(1),
        lambda echo: echo.null(x=1),
        lambda echo: echo.number(),
        lambda echo: echo.number(1, 2),
        lambda echo: echo.number(nummer=1),
        lambda echo: echo.by_name(1, 2),
        lambda echo: echo.by_name(1),
        lambda echo: echo.by_place(one=1),
        lambda echo: echo.defaults(1, two=b"x"),
        lambda echo: echo.number("1"),
        lambda echo: echo.number(1.0),
        lambda echo: echo.text(b"x"),
        lambda echo: echo.data("x"),
        lambda echo: echo.caller(Caller(1)),
        lambda echo: echo.caller(caller=Caller(1)),
        lambda echo: echo.caller_and(Caller(1), 1),
        lambda echo: echo.everything(1, 0.0, Mood.GOOD, Card("x"), (), None),
        lambda echo: echo.everything(True, 0.0, "good", Card("x"), (), None),
        lambda echo: echo.everything(True, 0.0, Mood.GOOD, Card("x"), ((1, 2),), None),
    ],
)
def test_calls_that_do_not_fit_are_type_errors_and_harm_nothing(
    echo: Echo, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(TypeError):
        call(echo)
    assert echo.number(1) == 1


def test_a_refused_argument_is_named(echo: Echo) -> None:
    with pytest.raises(TypeError, match=r"^text\(\) argument 'text': expected str, got bytes$"):
        echo.text(b"x")  # type: ignore[arg-type]  # that is the case
    with pytest.raises(OverflowError, match=r"number\(\) argument 'number': .* 64 bits"):
        echo.number(2**64)


def test_arguments_are_coerced_at_the_gate(echo: Echo) -> None:
    class Index:
        def __index__(self) -> int:
            return 7

    assert echo.number(Index()) == 7  # type: ignore[arg-type]  # as os takes it
    assert echo.number(True) == 1
    assert echo.text(PurePath("/x")) == "/x"  # type: ignore[arg-type]  # as os takes it
    assert echo.data(bytearray(b"ab")) == b"ab"
    assert type(echo.data(memoryview(b"ab"))) is bytes


def test_results_have_the_declared_type(echo: Echo) -> None:
    for kind, expected in enumerate((b"", b"ab", b"abc")):
        assert type(echo.laxly(kind)) is bytes
        assert echo.laxly(kind) == expected
    assert echo.listed() == (1, 2)


@settings(max_examples=40)
@given(
    st.one_of(st.sampled_from(sorted(errno.errorcode)), st.integers(-(2**31), 2**31 - 1)),
    TEXTS,
    st.none() | TEXTS,
    st.none() | TEXTS,
)
def test_errors_arrive_as_they_were_raised(
    system: System, code: int, text: str, name: str | None, name2: str | None
) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 (every attribute is compared below)
        system[Echo].fails(code, text, name, name2)
    names = () if name is None else (name, None, name2)
    expected, error = OSError(code, text, *names), caught.value
    assert type(error) is type(expected)
    assert (error.args, error.errno, error.strerror) == (expected.args, code, text)
    assert (error.filename, error.filename2, str(error)) == (
        name,
        expected.filename2,
        str(expected),
    )


def test_an_odd_error_arrives_the_same_everywhere(echo: Echo) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        echo.fails_oddly()
    assert caught.value.filename == "\udcff"
    assert type(as_delivered(caught.value)) is FileNotFoundError


def test_who_asks(system: System, echo: Echo) -> None:
    assert echo.caller() == system.caller
    assert echo.caller_and(5, second=6) == (0, 5, 6)
    with system.user(uid=1000, gid=100, groups=(4, 5)) as user:
        assert user.caller.id != system.caller.id
        assert user[Echo].caller() == user.caller
        assert user.caller == Caller(user.caller.id, "user", 1000, 100, (4, 5))
        assert user[Echo].caller_and(1) == (1000, 1, 2)
    assert echo.caller() == system.caller


def test_services_call_as_themselves(system: System) -> None:
    assert system[Desk].who().name == "Desk"
    with system.user(uid=5) as user:
        assert user[Desk].who() == system[Desk].who()
    assert system[Desk].named() == (1, 4, 5)


def test_ids_are_never_used_twice(system: System) -> None:
    seen = {system.caller.id}
    for _ in range(5):
        with system.user() as user:
            assert user.caller.id not in seen
            seen.add(user.caller.id)


@pytest.mark.parametrize("wrong", [{"uid": "root"}, {"gid": None}, {"groups": 5}, {"uid": 2**64}])
def test_credentials_are_numbers(system: System, wrong: Any) -> None:
    with pytest.raises((TypeError, OverflowError)):
        system.user(**wrong)
    assert system[Echo].number(1) == 1


def test_errors_pass_through_services(system: System) -> None:
    with pytest.raises(PermissionError, match="below"):
        system[Desk].ask(errno.EPERM)


@pytest.mark.parametrize("size", [0, 1, 479, 480, 481, 16 * 1024, 65535, 65536, 65537, 1 << 20])
def test_messages_of_any_size(system: System, size: int) -> None:
    data = os.urandom(1 + size // 100) * 100
    assert system[Echo].data(data[:size]) == data[:size]
    assert system[Desk].copy(data[:size]) == data[:size]


def test_messages_of_tens_of_megabytes_in_both_directions_at_once(system: System) -> None:
    data = bytes(range(256)) * (24 << 12)
    with ThreadPoolExecutor(2) as threads:
        copies = list(threads.map(lambda _: system[Echo].data(data), range(2)))
    assert all(copy == data for copy in copies)
    assert system[Echo].size(data) == len(data)
    assert system[Echo].zeros(len(data)) == bytes(len(data))


def test_operations_that_wait(system: System) -> None:
    mailbox = system[Mailbox]
    assert mailbox.at_once(5) == 5
    mailbox.put(b"here already")
    assert mailbox.take() == b"here already"
    assert mailbox.take_within(0.0) is None
    assert mailbox.take_within(0.001) is None
    mailbox.put(b"x")
    with pytest.raises(NotADirectoryError, match="later"):
        mailbox.fail_later(errno.ENOTDIR)
    assert mailbox.take() == b"x"


def test_another_user_wakes_who_waits(system: System) -> None:
    mailbox = system[Mailbox]
    with system.user(uid=7) as other, ThreadPoolExecutor(3) as threads:
        taken = [threads.submit(mailbox.take) for _ in range(3)]
        eventually(lambda: mailbox.waiting() == 3)
        assert system[Echo].number(3) == 3
        for item in (b"a", b"b", b"c"):
            other[Mailbox].put(item)
        assert sorted(each.result(timeout=10) for each in taken) == [b"a", b"b", b"c"]
        limited = threads.submit(other[Mailbox].take_within, 30.0)
        mailbox.put(b"uid ")
        assert limited.result(timeout=10) == b"uid 7"


def test_nobody_enters_a_service_that_calls_what_waits(system: System) -> None:
    desk, mailbox = system[Desk], system[Mailbox]
    before = desk.look()
    with ThreadPoolExecutor(4) as threads:
        collected = [threads.submit(desk.collect) for _ in range(2)]
        looked = threads.submit(desk.look)
        for number in range(4):
            eventually(lambda: mailbox.waiting() == 1)
            assert mailbox.waiting() <= 1  # never two: the second one is not let in
            mailbox.put(b"%d" % number)
        assert {each.result(timeout=10) for each in collected} == {b"01", b"23"}
        assert looked.result(timeout=10) == before
    assert desk.look() == before


def test_who_asks_again_and_again_does_not_keep_others_out(system: System) -> None:
    collected: list[bytes] = []
    with system.user() as eager, ThreadPoolExecutor(2) as threads:
        desk, mailbox = eager[Desk], system[Mailbox]

        def ask_again_and_again() -> None:
            collected.extend(desk.collect() for _ in range(ROUNDS))

        all_in = threads.submit(ask_again_and_again)
        eventually(lambda: mailbox.waiting() == 1)
        looked = threads.submit(lambda: (system[Desk].look(), len(collected))[1])
        for _ in range(2 * ROUNDS):
            eventually(lambda: mailbox.waiting() == 1)
            mailbox.put(b"x")
        assert looked.result(timeout=10) < ROUNDS
        all_in.result(timeout=10)
    assert collected == [b"xx"] * ROUNDS


def test_a_service_above_is_not_in_the_middle_of_what_others_asked_for(system: System) -> None:
    with ThreadPoolExecutor(2) as threads:
        collected = threads.submit(system[Desk].collect)
        eventually(lambda: system[Mailbox].waiting() == 1)
        system[Office].send(b"a")  # goes around the desk, which is busy
        system[Office].send(b"b")
        assert collected.result(timeout=10) == b"ab"
        collected = threads.submit(system[Office].collect)
        eventually(lambda: system[Mailbox].waiting() == 1)
        sent = threads.submit(system[Office].send, b"late")
        system[Mailbox].put(b"c")
        eventually(lambda: system[Mailbox].waiting() == 1)
        system[Mailbox].put(b"d")
        assert collected.result(timeout=10) == b"cd"
        sent.result(timeout=10)
        assert system[Mailbox].take() == b"late"


def test_who_leaves_waits_for_no_operation_and_interrupts_none(system: System) -> None:
    desk = system[Desk]
    with ThreadPoolExecutor(1) as threads:
        collected = threads.submit(desk.collect)
        eventually(lambda: system[Mailbox].waiting() == 1)
        user = system.user(uid=77)
        leaving = threading.Thread(target=user.close)
        leaving.start()
        system[Mailbox].put(b"1")
        system[Mailbox].put(b"2")
        assert collected.result(timeout=10) == b"12"
        leaving.join(10)
        eventually(lambda: user.caller.id in system[Mailbox].gone())
    assert desk.look() == (0, 0)


def test_many_threads_at_once(system: System) -> None:
    echo = system[Echo]
    seen: list[int] = []
    lock = threading.Lock()

    def work(start: int) -> None:
        for number in range(start, start + 50):
            got = echo.number(number)
            with lock:
                seen.append(got)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(0, 800, 100)))
    assert sorted(seen) == [n for start in range(0, 800, 100) for n in range(start, start + 50)]


def test_services_learn_at_once_that_a_user_has_left(system: System) -> None:
    for _ in range(5):
        with system.user() as user:
            user[Mailbox].put(b"x")
            assert user[Mailbox].take() == b"x"
        assert system[Mailbox].gone()[-1] == user.caller.id
    with system.user() as silent:
        pass
    assert silent.caller.id in system[Mailbox].gone()


def test_who_has_left_asks_no_more(system: System) -> None:
    user = system.user()
    echo, late = user[Echo], user[Mailbox]
    assert echo.number(1) == 1
    user.close()
    user.close()
    for call in (lambda: echo.number(1), late.waiting, lambda: user[Echo]):
        with pytest.raises(WiringError, match="this user has left the system"):
            call()
    with pytest.raises(WiringError, match="left the system"):
        user.region(Bugs, "store")
    assert system[Mailbox].gone().count(user.caller.id) == 1
    assert system[Echo].number(1) == 1


def test_regions_are_shared_by_grant(system: System) -> None:
    bugs = system[Bugs]
    before = bugs.count()
    region = system.region(Bugs, "store")
    assert region is system.region(Bugs, "store")
    assert region.memory[0] == before
    region.memory[0] = 100
    assert bugs.count() == 101
    with system.user() as user:
        other = user.region(Bugs, "store")
        assert other is not region
        other.memory[0] = 7
        assert region.memory[0] == 7
    assert other.descriptor < 0
    region.close()
    assert bugs.count() == 8
    assert system.region(Bugs, "store").memory[0] == 8


def test_what_is_not_there_can_not_be_had(system: System) -> None:
    for absent in (Settings, int, "Echo"):
        with pytest.raises(WiringError, match=r"not in this system, which has .*Echo"):
            system[absent]  # type: ignore[type-var,index]  # that is the case
        with pytest.raises(WiringError, match="not in this system"):
            system.region(absent, "x")  # type: ignore[arg-type]  # that is the case
    for service, name in ((Bugs, "shop"), (Echo, "store")):
        with pytest.raises(Exception, match=f"{service.__name__} has no region '{name}'"):
            system.region(service, name)
    assert system[Echo].number(1) == 1


def test_deadlines_that_are_over_do_not_wait(system: System) -> None:
    start = time.monotonic()
    assert system[Mailbox].take_within(-1e9) is None
    assert time.monotonic() >= start
