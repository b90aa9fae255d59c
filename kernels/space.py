"""A space: services that share one address space.

This is all that differs between the kernels as far as a service can tell: which of its handles are
plain method calls, because the other service is in the same space, and which send messages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final

from kernels import probe
from kernels.check import NAMES, container, result_of
from kernels.gate import Gate, OnBug, refuse
from kernels.handles import Handles, Reach
from kernels.headroom import entrance
from kernels.listener import Listener, Mail
from kernels.passage import passage_text
from kernels.paths import Paths
from kernels.probe import Place
from kernels.recorder import NOBODY, Recorder
from kernels.regions import Regions
from kernels.source import NOTHING, Piece
from kernels.stub import Layer, observed
from kernels.system import SHUT_DOWN
from kernels.turns import Turn, Turns
from kernels.turnstile import Turnstile
from kernels.version import implemented, settings_for
from twinos import (
    BootError,
    Caller,
    Journal,
    Line,
    Message,
    Op,
    Post,
    Received,
    Region,
    Service,
    Tasks,
)
from twinos.errors import describe, is_failure
from twinos.wiring import Services, needs

PATIENCE: Final = 1.0
"""Seconds that a caller's departure waits for a service in the middle of an operation."""


class Space:
    """Services built, wired and ready to be entered.

    Args:
        services: in boot order.
        settings: checked constructor parameters.
        regions: the memory that each is given.
        identity: who each service is to those that it calls.
        reach: delivers to services elsewhere.
        mail: opens the mailbox of a service.
        on_bug: see `Gate`.
        layers: binders around every handle.
        tasks: what is given to those that manage processes.
        recorders: the journals that keep something; for others there is one that does not.
        codes: other versions of services, to be built in their place.
        line: the line of a driver's device.
        lock: see `Gate`.
        begun: called with this before any service is built; then there may be interrupts.
        built: called when all services are built, and before any thread is started for them.

    Raises:
        OSError: a constructor failed so.
        BootError: a constructor failed in another way.
    """

    def __init__(
        self,
        services: Services,
        *,
        settings: Mapping[type[Service], Mapping[str, Any]],
        regions: Regions,
        identity: Mapping[type[Service], Caller],
        reach: Reach,
        mail: Mail,
        on_bug: OnBug,
        layers: Sequence[Layer] = (),
        tasks: Tasks,
        recorders: Mapping[type[Service], Recorder] | None = None,
        codes: Mapping[type[Service], type[Service]] | None = None,
        line: Callable[[type[Service]], Line],
        lock: Turnstile | None = None,
        begun: Callable[[Space], None] | None = None,
        built: Callable[[], None] | None = None,
    ) -> None:
        self.gate = Gate(on_bug, lock)
        self._identity = identity
        self._mail = mail
        self._listeners: list[Listener] = []
        self._layers = layers
        self._tasks = tasks
        self.recorders: Final = recorders or {}
        self._codes = codes or {}
        self._line = line
        self._instances: dict[type[Service], Service] = {}
        self._paths = Paths(services)
        self._turns = {s: Turns(self.gate, s) for s in services if s.__overlaps__}
        more = (self._instances, self._turns, self._paths, identity, reach, layers)
        self._handles = Handles(self.gate, *more)
        if begun is not None:
            begun(self)
        with self.gate.lock:  # a constructor may call what waits
            for service in services:
                self.gate.inside = service
                self._instances[service] = self._build(service, settings[service], regions[service])
                if service in self._turns:
                    self._turns[service].taught(self._instances[service])
            for service, recorder in self.recorders.items():
                recorder.recover(self._instances[service])
        if built is not None:
            built()
        for listener in self._listeners:
            listener.start()

    def operations(self, service: type[Service]) -> Iterable[Op]:
        """What can be asked of a service, as its present version has it."""
        return implemented(type(self._instances[service]), service).values()

    def entry(self, service: type[Service], operation: Op, caller: Caller) -> Callable[..., Any]:
        """The callable by which `caller`, from outside, has `operation` carried out."""
        return entrance(operation, self.passage(service, operation, caller))

    def passage(
        self,
        service: type[Service],
        operation: Op,
        caller: Caller,
        room: int = 0,
        *around: Piece,
    ) -> Piece:
        """The same as source, which sets `result`, for who wants no call more than needed.

        `room` is as for `result_of`. Around the operation, inside the gate, more may be done.
        """
        before, after = around or (NOTHING, NOTHING)
        method = getattr(self._instances[service], operation.name)
        names = {
            "_method": probe.around(Place.SERVE, Place.SERVED, method),
            "_caller": caller,
            "_drive": self.gate.drive,
            "_enter": probe.entered(self.gate.lock.acquire),
            "_leave": probe.left(self.gate.lock.give),
            "_failed": self.gate.failed,
            "_operation": operation,
            "_barred": self.gate.barred(caller),
            "_refuse": refuse,
            "_result": result_of(operation, room),
            "_container": container(operation.result),
            **NAMES,
            **before.names,
            **after.names,
        }
        if service in self._turns:
            turns = self._turns[service]
            turn = turns.turn_of(operation)
            names["_enter"] = probe.entered(partial(turns.enter, turn))
            names["_leave"] = probe.left(turns.leave)
            names["_drive"] = partial(turns.drive, turn=turn)
        elif self._paths.may_be_busy(service):
            names["_enter"] = probe.entered(partial(self.gate.enter_when_idle, service))
        names["_enter"] = self.gate.entering(caller, names["_enter"])
        text = passage_text(operation, before, after)
        return Piece(text, names)

    def depart(self, caller: Caller) -> None:
        """Let `caller` in no more, and tell every service that it is gone.

        Raises:
            OSError: a service could not free what it kept; the others were told all the same.
        """
        self.gate.bar(caller)
        failures = []
        for service, instance in self._instances.items():
            try:
                with self._entered(service, PATIENCE):
                    self._carefully(instance._departed, caller)  # noqa: SLF001 (its hook)
                    self.recorders.get(service, NOBODY).departed(caller)
            except OSError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def interrupt(self, driver: type[Service]) -> None:
        """Have a driver deal with an interrupt of its device."""
        with observed(self._layers, driver), self._entered(driver):
            if driver in self._instances:
                self._carefully(self._instances[driver]._interrupted)  # noqa: SLF001 (its hook)

    def quiesce(self) -> None:
        """Let nobody in any more, between two requests, and publish what is to survive.

        Raises:
            OSError: a service could not; then it goes on.
        """
        with ExitStack() as undo:
            for service in self._instances:
                undo.enter_context(self._entered(service))
                if service in self.recorders:
                    self.recorders[service].hand_over()
            undo.pop_all()

    def stop(self) -> None:
        """Have every service write back what it holds, callers before those that they call.

        Raises:
            OSError: one could not; the others did what they could.
        """
        failures = []
        with self.gate.lock:
            for turns in self._turns.values():
                turns.begin(Turn.ALONE)  # who is in the middle of something ends it
            self.gate.shut(SHUT_DOWN)  # what is done after this would be lost
            for service, instance in reversed(self._instances.items()):
                self.gate.inside = service
                try:
                    self._carefully(instance._stopping)  # noqa: SLF001 (its hook)
                except OSError as failure:
                    failures.append(failure)
        if failures:
            raise failures[0]

    def _carefully(self, hook: Callable[..., None], *arguments: Any) -> None:
        try:
            hook(*arguments)
        except Exception as error:
            raise self.gate.failed(error, hook.__qualname__) from error

    def _build(
        self, service: type[Service], settings: Mapping[str, Any], regions: Mapping[str, Region]
    ) -> Service:
        code = self._codes.get(service, service)
        wanted = needs(code)
        settings = settings_for(code, settings)
        handles = {
            name: self._handles.make(service, callee, wanted.allowed[name])
            for name, callee in wanted.handles.items()
        }
        mailboxes = {
            name: self._mailbox(service, conversation)
            for name, conversation in wanted.mailboxes.items()
        }
        others: dict[str, Any] = dict.fromkeys(wanted.tasks, self._tasks)
        others |= {name: self._line(service) for name in wanted.lines}
        try:
            kept: dict[str, Any] = {name: regions[name] for name in wanted.regions}
            if wanted.journal:
                kept[wanted.journal] = self.recorders.get(service) or Journal()
            return code(**handles, **kept, **others, **mailboxes, **settings)
        except Exception as error:
            if is_failure(error):
                raise
            raise BootError(f"{service.__name__} did not start: {describe(error)}") from error

    def _mailbox(self, service: type[Service], conversation: type[Message]) -> Post[Any]:
        entrance, counter = self._mail(self._identity[service], service.__name__)
        post = Post(conversation, counter)
        self._listeners.append(Listener(entrance, post, partial(self._receive, service)))
        return post

    def _receive(self, service: type[Service], received: Received[Any]) -> None:
        """Have a service deal with what has come for its mailbox."""
        with self._entered(service):
            self._carefully(self._instances[service]._received, *received)  # noqa: SLF001 (its hook)

    @contextmanager
    def _entered(self, service: type[Service], patience: float = math.inf) -> Iterator[None]:
        """Inside, for one of the hooks of a service: no operation of it is in the middle."""
        if service in self._turns:
            self._turns[service].enter(Turn.ALONE)
        else:
            self.gate.enter_when_idle(service, patience)
        try:
            yield
        finally:
            if service in self._turns:
                self._turns[service].leave()
            else:
                self.gate.lock.release()
