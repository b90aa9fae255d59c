"""A server: the process that holds one space's services under the microkernel.

Its main thread takes the kernel's orders. Who serves its clients: see `kernels.reception`.
"""

import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn

from kernels.agent import Agent
from kernels.cell import confine
from kernels.control import Failed, LastWords, Loaded, Pong, Quiesced, Ready, Unloadable
from kernels.counters import Counters
from kernels.hardware import RemoteLine
from kernels.orders import ORDERS, Begin, Departed, Orders, Ping, Proven, Quiesce, Serve, Stop
from kernels.parcels import Parcel, take
from kernels.queues import Seat
from kernels.reception import Reception, Work
from kernels.recorder import Recorder
from kernels.regions import Regions
from kernels.space import Space
from kernels.stub import Layer
from kernels.tasks import RemoteTasks
from kernels.transports import TRANSPORTS
from kernels.version import Code, load
from kernels.watch import Watch
from twinos import (
    Bind,
    BootError,
    Caller,
    KernelPanic,
    Region,
    Service,
    UpdateError,
    WiringError,
)
from twinos.errors import describe, take_apart
from twinos.letters import Receive
from twinos.mailbox import Counter
from twinos.message import HARDWARE
from twinos.wiring import Services, drivers, needs

BUG: Final = 70
"""Exit status of a server that met a bug in a service (EX_SOFTWARE of sysexits.h)."""
_LONGEST_SENTENCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Post:
    """What a server is to run."""

    services: Services
    settings: Mapping[type[Service], Mapping[str, Any]]
    regions: Regions
    identity: Mapping[type[Service], Caller]
    layers: Sequence[Layer]
    tally: Region | None
    transport: str
    sandbox: bool
    requests: int
    seat: Seat
    survives: bool
    fault: bool
    code: Code | None
    on_trial: bool
    waits: bool
    beat: float


def run_server(post: Post, connection: socket.socket, orders: socket.socket) -> int:
    """Be a server until the kernel says stop, or is gone. The exit status."""
    return _Server(post, connection).obey(orders)


class _Server:
    def __init__(self, post: Post, connection: socket.socket) -> None:
        self._transport = TRANSPORTS[post.transport]
        self._agent = Agent(connection, self._transport)
        if post.tally is not None:
            row = post.identity[post.services[0]].id
            self._agent.counters = Counters(post.tally, row)
        self._post = post
        self._watch = Watch(post.beat)
        self._codes: dict[type[Service], type[Service]] = {}
        self._named = {service.__name__: service for service in post.services}

    def obey(self, orders: socket.socket) -> int:
        if self._post.code is not None:
            try:
                self._load(self._post.code)
            except UpdateError as error:
                self._agent.tell(Unloadable(str(error)[:_LONGEST_SENTENCE]))
                return BUG
        if self._post.waits and not self._may_begin(orders):
            return 0
        try:
            self._space = self._build()
        except (OSError, BootError) as error:
            self._agent.tell(failure(error))
            return BUG
        more = (self._transport, self._space, self._post.requests)
        self._reception = Reception(*more, self._agent.tell, self._die)
        self._agent.tell(Ready())
        if self._post.sandbox:  # no thread before it is locked in
            self._attend(self._space)
        while True:
            try:
                parcel = take(orders)
            except EOFError:
                return 0  # the kernel is gone, and the system with it
            order = ORDERS(parcel.message)
            if isinstance(order, Stop):
                return self._stop()
            self._carry_out(order, parcel)

    def _load(self, code: Code) -> None:
        """Find the code that takes the place of the service's own."""
        (service,) = self._post.services
        self._codes[service] = load(code, service, self._post.settings[service])

    def _may_begin(self, orders: socket.socket) -> bool:
        """Say that it could, and wait until it is time; whether it is."""
        self._agent.tell(Loaded())
        try:
            return isinstance(ORDERS(take(orders).message), Begin)
        except EOFError:
            return False

    def _quiesce(self) -> None:
        try:
            self._space.quiesce()
        except OSError as error:
            self._agent.tell(Quiesced(describe(error)[:_LONGEST_SENTENCE]))
        else:
            self._agent.tell(Quiesced())

    def _carry_out(self, order: Orders, parcel: Parcel) -> None:
        match order:
            case Serve(service, caller, allowed, number):
                work = Work(caller, self._named[service], frozenset(allowed), number)
                self._reception.welcome(work, parcel.descriptors)
            case Ping():
                self._agent.tell(Pong(self._watch.busiest()))
            case Quiesce():  # in a thread: signs of life are asked for meanwhile
                threading.Thread(target=self._quiesce, name="quiesce", daemon=True).start()
            case Proven():
                for recorder in self._space.recorders.values():
                    recorder.on_trial = False
            case Departed(caller):
                self._reception.dismiss(caller)

    def _build(self) -> Space:
        post = self._post
        return Space(
            post.services,
            settings=post.settings,
            regions=post.regions,
            identity=post.identity,
            reach=self._reach,
            mail=self._agent.open_twice,
            on_bug=self._die,
            layers=post.layers,
            tasks=RemoteTasks(self._agent),
            recorders=self._recorders(),
            codes=self._codes,
            line=lambda driver: RemoteLine(self._agent, driver.__name__),
            lock=post.seat.lock(),
            begun=None if post.sandbox else self._attend,
            built=confine if post.sandbox else None,
        )

    def _recorders(self) -> dict[type[Service], Recorder]:
        post = self._post
        return {
            service: Recorder(
                service,
                post.regions[service][needs(service).journal],
                recording=needs(service).recording,
                fault=post.fault,
                on_trial=post.on_trial,
            )
            for service in post.services
            if post.survives
        }

    def _attend(self, space: Space) -> None:
        """Receive notifications of interrupts, in a thread for each driver."""
        for driver in drivers(self._post.services):
            mailbox = self._agent.mailbox(self._post.identity[driver], "")
            name = f"interrupts of {driver.__name__}"
            work = partial(_attend, mailbox, partial(space.interrupt, driver))
            threading.Thread(target=work, name=name, daemon=True).start()

    def _reach(self, client: type[Service], callee: type[Service]) -> Bind:
        return self._agent.binder(callee, self._post.identity[client])

    def _stop(self) -> int:
        try:
            self._space.stop()
        except OSError as error:
            self._agent.tell(failure(error))
            return BUG
        return 0

    def _die(self, where: object, error: BaseException) -> NoReturn:
        """A bug: say what and where, and take nobody else along."""
        traceback.print_exception(error)
        sys.stderr.flush()
        self._agent.tell(LastWords(f"in {where}: {describe(error)}"[:_LONGEST_SENTENCE]))
        os._exit(BUG)


def _attend(mailbox: Counter, interrupt: Callable[[], None]) -> None:
    with suppress(KernelPanic, WiringError):  # the kernel is gone
        while True:
            mailbox.ask(Receive(HARDWARE), None)
            interrupt()


def failure(error: OSError | BootError) -> Failed:
    """How a server tells the kernel why it could not start or stop."""
    parts = take_apart(error) if isinstance(error, OSError) else None
    return Failed(parts, str(error)[:_LONGEST_SENTENCE])
