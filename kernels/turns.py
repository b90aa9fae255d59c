"""Turns: who may be in the middle of an operation of a service that overlaps its waits.

The gate lets one thread run at a time. A service that overlaps lets go of it while it waits for
another service, and others get in: those of its operations that it declared may then be in the
middle together, any other one is in the middle alone. So what two operations can see of each other
changes only where one of them calls what waits, and only for those that were declared.

Turns are given in the order in which they are asked for; so nobody waits for ever. Only where one
that is alone admits the others while it waits, they pass by whoever waits for its end.
"""

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, TypeVar

from kernels.gate import Gate, Waiting
from twinos import NotAloneError, Op, Service, Signal
from twinos.wiring import Services

R = TypeVar("R")


class Turn(Enum):
    """How an operation is in the middle: with others, alone, or alone but for those."""

    TOGETHER = auto()
    ALONE = auto()
    ADMITTING = auto()


class Turns:
    """The turns of one service.

    All is called with the gate's lock held, but for `enter`.

    Args:
        gate: that of its address space.
        service: whose operations they are.
    """

    def __init__(self, gate: Gate, service: type[Service]) -> None:
        self._gate = gate
        self._service = service
        self._together: set[int] = set()
        self._alone: int | None = None
        self._is_admitting = False
        self._waiting: deque[object] = deque()
        self._changed = Signal()

    def turn_of(self, operation: Op) -> Turn:
        """Which one an operation takes."""
        if operation.name in self._service.__overlaps__:
            return Turn.TOGETHER
        return Turn.ADMITTING if operation.name in self._service.__admits__ else Turn.ALONE

    def enter(self, turn: Turn) -> None:
        """Take the lock, and a turn."""
        self._gate.lock.acquire()
        try:
            self.begin(turn)
        except BaseException:
            self._gate.lock.release()
            raise
        self._gate.inside = self._service

    def leave(self, _baton: bool = True) -> None:
        """Give up both."""
        self.end()
        self._gate.lock.release()

    def begin(self, turn: Turn, busy: Services = ()) -> None:
        """Take a turn, waited for outside the gate.

        Args:
            turn: which.
            busy: services in the middle of an operation that led here; see `Gate.drive`.
        """
        if not self._is_admitted(turn) and (self._waiting or not self._is_free(turn)):
            self._await_turn(turn, busy)
        if turn is Turn.TOGETHER:
            self._together.add(threading.get_ident())
            return
        self._alone = threading.get_ident()
        self._is_admitting = turn is Turn.ADMITTING
        if self._is_admitting:
            self._changed.notify()

    def end(self) -> None:
        """Give this thread's turn up, if it has one."""
        thread = threading.get_ident()
        self._together.discard(thread)
        if self._alone == thread:
            self._alone = None
            self._is_admitting = False
        self._changed.notify()

    def drive(self, waiting: Waiting[R], turn: Turn) -> R:
        """Run an operation that waits by itself: there it has no turn. Others may use its time."""

        def step_outside(signal: Any) -> None:
            self.end()
            self._gate.step_outside(signal, ())
            self.begin(turn)

        return self._gate.drive(waiting, step_outside=step_outside)

    def taught(self, instance: Service) -> None:
        """Tell a service whose turn it is, and have it begin again where it asks to be alone."""
        instance._is_alone = self._is_alone  # type: ignore[method-assign]  # noqa: SLF001 (its hook)
        for name in self._service.__overlaps__:
            setattr(instance, name, self._again_alone(getattr(instance, name)))

    def _is_alone(self) -> bool:
        return self._alone == threading.get_ident()

    def _again_alone(self, method: Callable[..., R]) -> Callable[..., R]:
        def call(*arguments: Any, **named: Any) -> R:
            try:
                return method(*arguments, **named)
            except NotAloneError:
                pass
            self.end()
            self.begin(Turn.ALONE)
            return method(*arguments, **named)

        return call

    def _is_free(self, turn: Turn) -> bool:
        return self._alone is None and (turn is Turn.TOGETHER or not self._together)

    def _is_admitted(self, turn: Turn) -> bool:
        return turn is Turn.TOGETHER and self._is_admitting

    def _await_turn(self, turn: Turn, busy: Services) -> None:
        ticket = object()
        self._waiting.append(ticket)
        try:
            while not self._is_admitted(turn) and (
                self._waiting[0] is not ticket or not self._is_free(turn)
            ):
                self._gate.step_outside(self._changed, busy)
        finally:
            self._waiting.remove(ticket)
            self._changed.notify()  # the next one may be free to go, too


def in_turn(
    turns: Turns, operation: Op, busy: Callable[[], Services], method: Callable[..., Any]
) -> Callable[..., Any]:
    """A call of a method, from inside the gate, by a service of the same space.

    Args:
        turns: of the service that is called.
        operation: the operation that the method is.
        busy: which services are in the middle of what led there.
        method: it.
    """
    turn = turns.turn_of(operation)

    def call(*args: Any, **keywords: Any) -> Any:
        turns.begin(turn, busy())
        try:
            result = method(*args, **keywords)
            return turns.drive(result, turn) if operation.waits else result
        finally:
            turns.end()

    return call


def outside(gate: Gate, busy: Callable[[], Services], call: Callable[..., R]) -> Callable[..., R]:
    """`call`, which waits for another address space, without the gate's lock meanwhile.

    Args:
        gate: the gate.
        busy: which services are in the middle of an operation that leads there, and serve nobody.
        call: delivers a request.
    """

    def released(*arguments: Any, **named: Any) -> R:
        with gate.left(busy()):
            return call(*arguments, **named)

    return released
