"""Handles: what a service of a space reaches other services by.

A plain method call, where the other one is in the same space; a message, where it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kernels.check import joined
from kernels.gate import Gate
from kernels.paths import Paths
from kernels.stub import Layer, checked_stub, layered, plain_stub
from kernels.turns import Turns, in_turn, outside
from twinos import Bind, Caller, Op, Service
from twinos.privileges import narrowed
from twinos.wiring import Services

Reach = Callable[[type[Service], type[Service]], Bind]
"""How requests of the first service are delivered to the second, which is in another space."""


class Handles:
    """Makes the handles of a space's services.

    Args:
        gate: of the space.
        instances: its services, as far as they are built.
        turns: of those that overlap.
        paths: by which they lead to each other.
        identity: who each service is to those that it calls.
        reach: delivers to services elsewhere.
        layers: binders around every handle.
    """

    def __init__(
        self,
        gate: Gate,
        instances: Mapping[type[Service], Service],
        turns: Mapping[type[Service], Turns],
        paths: Paths,
        identity: Mapping[type[Service], Caller],
        reach: Reach,
        layers: Sequence[Layer],
    ) -> None:
        self._gate = gate
        self._instances = instances
        self._turns = turns
        self._paths = paths
        self._identity = identity
        self._reach = reach
        self._layers = layers

    def make(
        self, client: type[Service], callee: type[Service], allowed: frozenset[str]
    ) -> Service:
        """A handle of `client` to `callee`, for the operations that are allowed."""
        is_here = callee in self._instances
        deliver = partial(self._local if is_here else self._elsewhere, client, callee)
        make = plain_stub if is_here else checked_stub
        bind = narrowed(deliver, client.__name__, allowed)
        return make(callee, layered(bind, self._layers, client.__name__))

    def _elsewhere(
        self, client: type[Service], callee: type[Service], operation: Op
    ) -> Callable[..., Any]:
        """A request to another space."""
        deliver = self._reach(client, callee)(operation)
        if client not in self._turns:
            return deliver
        return outside(self._gate, partial(self._in_the_middle, client), deliver)

    def _local(
        self, client: type[Service], callee: type[Service], operation: Op
    ) -> Callable[..., Any]:
        """A call between services of this space: the method itself, no more."""
        method: Callable[..., Any] = getattr(self._instances[callee], operation.name)
        if operation.wants_caller:
            method = partial(method, self._identity[client])
        if operation.paged:
            method = joined(method, operation)
        if callee in self._turns:
            busy = partial(self._in_the_middle, client)
            return in_turn(self._turns[callee], operation, busy, method)
        if not operation.waits:
            return method

        def drive(*args: Any, **keywords: Any) -> Any:
            return self._gate.drive(method(*args, **keywords), self._in_the_middle(client))

        return drive

    def _in_the_middle(self, client: type[Service]) -> Services:
        """Services that serve nobody while `client`, to which a call has led, waits."""
        return self._paths.between(self._gate.inside, client)
