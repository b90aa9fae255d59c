"""Signals against a model: who waits is woken once, by the next notification."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twinos import Signal, Until


class Waiters(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.signal = Signal()
        self.woken: list[int] = []
        self.expected: list[int] = []
        self.waiting: list[int] = []
        self.wakes = [lambda number=number: self.woken.append(number) for number in range(4)]

    @rule(number=st.integers(0, 3))
    def subscribe(self, number: int) -> None:
        self.signal.subscribe(self.wakes[number])
        self.waiting.append(number)

    @rule(number=st.integers(0, 3))
    def unsubscribe(self, number: int) -> None:
        self.signal.unsubscribe(self.wakes[number])
        if number in self.waiting:
            self.waiting.remove(number)

    @rule()
    def notify(self) -> None:
        self.signal.notify()
        self.expected += self.waiting
        self.waiting = []

    @invariant()
    def all_woken_in_order(self) -> None:
        assert self.woken == self.expected


TestWaiters = Waiters.TestCase


def test_who_waits_again_when_woken_waits_for_the_next_notification() -> None:
    signal, woken = Signal(), []

    def again() -> None:
        woken.append(1)
        signal.subscribe(again)

    signal.subscribe(again)
    signal.notify()
    assert len(woken) == 1
    signal.notify()
    assert len(woken) == 2


@given(st.floats())
def test_until(deadline: float) -> None:
    signal = Signal()
    until = signal.until(deadline)
    assert isinstance(until, Until)
    assert until.signal is signal
    assert until.deadline is deadline
