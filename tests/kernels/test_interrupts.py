"""The shield: Ctrl-C never tears an operation apart, and is never lost or doubled."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import System, boot
from kernels.gate import CallerGoneError
from kernels.interrupts import Shield, shield
from tests.conftest import eventually
from tests.kernels.services import Mailbox
from twinos import Bind, Op, Service, Signal, Waits, fail, op

ROOT = Path(__file__).parents[2]


class Torn(Service):
    """An operation in two halves, interrupted between them."""

    def __init__(self) -> None:
        self._halves = 0

    @op
    def both(self, code: int) -> int:
        self._halves += 1
        interrupt()
        self._halves += 1
        if code:
            raise fail(code)
        return self._halves

    @op
    def null(self) -> int:
        return self._halves

    @op
    def twice(self) -> int:
        self._halves += 2
        interrupt()
        interrupt()
        return self._halves

    @op
    def wait(self) -> Waits[None]:
        interrupt()
        yield Signal()


class TornAtTheEnd(Torn):
    def _stopping(self) -> None:
        interrupt()
        STOPPED.append(True)


STOPPED: list[bool] = []


def interrupt() -> None:
    """Ctrl-C, here and now: the handler runs before the next line does."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def system() -> Iterator[System]:
    with boot("monolithic", Torn, Mailbox) as system:
        system[Torn].null()
        yield system


@pytest.mark.parametrize("code", [0, 2])
def test_an_operation_is_whole_when_the_interrupt_comes(system: System, code: int) -> None:
    torn = system[Torn]
    for count in range(1, 5):
        with pytest.raises(KeyboardInterrupt):
            torn.both(code)
        assert torn.null() == 2 * count


class Interrupting:
    """A number that is interrupted when it is asked what it is."""

    def __index__(self) -> int:
        interrupt()
        return 0


def test_arguments_are_still_the_users_when_they_are_checked(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks are written into the function that enters the gate, before it enters."""
    monkeypatch.setattr("kernels.interrupts.PATIENCE", 1e6)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            system[Torn].both(Interrupting())  # type: ignore[arg-type]  # it is a number after all
        assert system[Torn].null() == 0
    assert not shield._retried


def test_arguments_that_are_wrong_do_not_go_in(system: System) -> None:
    for wrong in ("0", None, 1 << 70):
        with pytest.raises((TypeError, OverflowError), match=r"both\(\) argument 'code'"):
            system[Torn].both(wrong)  # type: ignore[arg-type]  # that is the case
    with system.user() as other:
        assert other[Torn].null() == 0  # nobody is inside, and nobody has panicked


def test_a_layer_between_stub_and_gate_is_called() -> None:
    asked: list[str] = []

    def layer(bind: Bind) -> Bind:
        def bound(operation: Op) -> Callable[..., Any]:
            deliver = bind(operation)

            def deliver_and_say(*arguments: Any) -> Any:
                asked.append(operation.name)
                return deliver(*arguments)

            return deliver_and_say

        return bound

    with boot("monolithic", Torn, layers=[layer]) as system:
        with pytest.raises(KeyboardInterrupt):
            system[Torn].both(0)
        assert system[Torn].null() == 2
    assert asked == ["both", "null"]


def test_two_interrupts_in_one_operation_are_one(system: System) -> None:
    with pytest.raises(KeyboardInterrupt):
        system[Torn].twice()
    for _ in range(200):
        assert system[Torn].null() == 2


def test_outside_it_comes_at_once(system: System) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert system[Torn].null() == 0


def test_who_waits_is_interrupted_and_unwound(system: System) -> None:
    with pytest.raises(KeyboardInterrupt):
        system[Torn].wait()
    mailbox = system[Mailbox]

    def later() -> None:
        eventually(lambda: mailbox.waiting() == 1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=later)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        mailbox.take()
    thread.join()
    assert (mailbox.waiting(), mailbox.unwound()) == (0, 1)
    mailbox.put(b"x")
    assert mailbox.take() == b"x"


def test_stopping_is_not_torn_apart_either() -> None:
    STOPPED.clear()
    system = boot("monolithic", TornAtTheEnd)
    with pytest.raises(KeyboardInterrupt):
        system.close()
    assert STOPPED == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_operation_that_never_ends_is_interrupted_all_the_same(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernels.interrupts.PATIENCE", 0.0)
    with pytest.raises(KeyboardInterrupt):
        system[Torn].both(0)
    assert system[Torn].null() == 1  # torn, as nothing else would have ended it


def test_the_handler_that_was_there_comes_back() -> None:
    seen: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    ours = signal.getsignal(signal.SIGINT)
    try:
        with boot("monolithic", Torn) as one:
            with boot("monolithic", Torn) as other:
                assert signal.getsignal(signal.SIGINT) == shield._handle
                other[Torn].both(0)
            assert one[Torn].null() == 0
            assert signal.getsignal(signal.SIGINT) == shield._handle
        assert signal.getsignal(signal.SIGINT) is ours
    finally:
        signal.signal(signal.SIGINT, previous)
    eventually(lambda: seen)
    assert set(seen) == {signal.SIGINT}


def test_a_system_closed_by_another_thread_leaves_a_handler_that_works() -> None:
    system = boot("monolithic", Torn)
    closing = threading.Thread(target=system.close)
    closing.start()
    closing.join()
    with boot("monolithic", Torn) as again:
        with pytest.raises(KeyboardInterrupt):
            again[Torn].both(0)
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    program = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from kernels import boot
from tests.kernels.services import Echo
with boot("monolithic", Echo) as system:
    os.kill(os.getpid(), signal.SIGINT)
    assert system[Echo].number(1) == 1
assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_shield_of_ones_own() -> None:
    one = Shield()
    before: Any = signal.getsignal(signal.SIGINT)
    one.raise_()
    one.raise_()
    one.lower()
    assert signal.getsignal(signal.SIGINT) == one._handle
    one.lower()
    assert signal.getsignal(signal.SIGINT) is before
    assert not issubclass(CallerGoneError, Exception)
