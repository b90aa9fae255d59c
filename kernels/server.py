"""A server: the process that holds one space's services under the microkernel.

Its main thread takes the kernel's orders. Each channel has a thread of its own, which waits for
that one client: no poll stands in a request's way, and the gate lets one at a time through.
"""

import os
import socket
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn

from kernels.agent import Agent
from kernels.bulk import STORE
from kernels.cell import confine
from kernels.control import (
    ORDERS,
    Crowded,
    Departed,
    Departure,
    Failed,
    LastWords,
    Ping,
    Pong,
    Ready,
    Serve,
    Stop,
)
from kernels.counters import Counters
from kernels.frames import MalformedFrameError
from kernels.gate import CallerGoneError
from kernels.parcels import Parcel, take
from kernels.recorded import Recorded
from kernels.recorder import Recorder
from kernels.regions import Regions
from kernels.serving import ask, serve
from kernels.source import Piece
from kernels.space import Space
from kernels.stub import Layer
from kernels.tasks import RemoteTasks
from kernels.transport import Channel
from kernels.transports import TRANSPORTS
from kernels.watch import Watch
from twinos import Bind, BootError, Caller, KernelPanic, Op, Region, Service, operations
from twinos.codec import MalformedMessage
from twinos.errors import describe, take_apart
from twinos.privileges import denied, role
from twinos.wiring import Services, needs

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
    survives: bool
    fault: bool


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
        self._threads: defaultdict[int, list[threading.Thread]] = defaultdict(list)
        self._departing: dict[int, threading.Thread] = {}
        self._named = {service.__name__: service for service in post.services}

    def obey(self, orders: socket.socket) -> int:
        try:
            self._space = self._build()
        except (OSError, BootError) as error:
            self._agent.tell(failure(error))
            return BUG
        self._agent.tell(Ready())
        watch = Watch()
        while True:
            try:
                parcel = take(orders)
            except EOFError:
                return 0  # the kernel is gone, and the system with it
            match ORDERS(parcel.message):
                case Serve(service, caller, allowed, number):
                    work = _Work(self._named[service], frozenset(allowed), number)
                    self._welcome(caller, work, parcel)
                case Ping():
                    self._agent.tell(Pong(watch.busiest()))
                case Departed(caller):
                    self._dismiss(caller)
                case Stop():
                    return self._stop()

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
            built=confine if post.sandbox else None,
        )

    def _recorders(self) -> dict[type[Service], Recorder]:
        post = self._post
        return {
            service: Recorder(
                service,
                post.regions[service][needs(service).journal],
                replayed=needs(service).replayed,
                fault=post.fault,
            )
            for service in post.services
            if post.survives
        }

    def _reach(self, client: type[Service], callee: type[Service]) -> Bind:
        return self._agent.binder(callee, self._post.identity[client])

    def _welcome(self, caller: Caller, work: "_Work", parcel: Parcel) -> None:
        """Serve a caller on a new channel; hang up if it has enough, or the host has no room.

        Each request under way has a channel and a thread.
        """
        try:
            channel = self._transport.adopt(parcel.descriptors, 0)
        except OSError:
            return
        alive = [thread for thread in self._threads[caller.id] if thread.is_alive()]
        if len(alive) >= self._post.requests:
            self._agent.tell(Crowded(caller.id))
            channel.close()
            return
        former = self._departing.get(caller.id)  # a service that was restarted is the same caller
        try:
            thread = _start(self._serve, caller, work, channel, former)
        except RuntimeError:  # the host has no more threads
            channel.close()
            return
        self._threads[caller.id] = [*alive, thread]

    def _dismiss(self, caller: Caller) -> None:
        former = self._departing.pop(caller.id, None)
        threads = self._threads.pop(caller.id, []) + ([former] if former else [])
        self._departing = {
            other: departing for other, departing in self._departing.items() if departing.is_alive()
        }
        self._departing[caller.id] = _start(self._depart, caller, threads)

    def _depart(self, caller: Caller, threads: Sequence[threading.Thread]) -> None:
        """Free what was kept for `caller`, once the last of its requests is done."""
        for thread in threads:
            thread.join()
        try:
            self._space.depart(caller)
        except OSError:
            traceback.print_exc()
        finally:
            self._agent.tell(Departure(caller.id))

    def _serve(
        self,
        caller: Caller,
        work: "_Work",
        channel: Channel,
        former: threading.Thread | None,
    ) -> None:
        if former is not None:
            former.join()
        passages = [
            (operation, partial(self._passage, work, operation, caller))
            for operation in operations(work.service).values()
        ]
        self._space.gate.watch(channel.hangup)
        recorder = self._space.recorders.get(work.service)
        said = None
        if recorder is not None:
            lock = self._space.gate.lock
            said = Recorded(recorder, lock, work.channel, caller, channel)
        try:
            serve(self._transport, channel, passages, said)
        except (EOFError, BrokenPipeError, CallerGoneError, KernelPanic):
            pass  # the client has closed its end, or the kernel is gone
        except (MalformedFrameError, MalformedMessage, IndexError):
            pass  # it costs the sender its channel, and nobody else anything
        except Exception as error:  # noqa: BLE001 (a result that can't be encoded, say)
            self._die(work.service.__name__, error)
        finally:
            channel.close()
            if said is not None:
                said.end()

    def _passage(self, work: "_Work", operation: Op, caller: Caller, *around: Piece) -> Piece:
        """What answers on a channel: whoever holds its other end may ask for no more."""
        if operation.name in work.allowed:
            return self._space.passage(work.service, operation, caller, STORE, *around)
        return ask(denied(role(caller), operation), operation)

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


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be served on a channel, and its number."""

    service: type[Service]
    allowed: frozenset[str]
    channel: int


def _start(work: Callable[..., None], caller: Caller, *arguments: Any) -> threading.Thread:
    name = f"{work.__name__} {caller.name} {caller.id}"
    thread = threading.Thread(target=work, args=(caller, *arguments), name=name, daemon=True)
    thread.start()
    return thread


def failure(error: OSError | BootError) -> Failed:
    """How a server tells the kernel why it could not start or stop."""
    parts = take_apart(error) if isinstance(error, OSError) else None
    return Failed(parts, str(error)[:_LONGEST_SENTENCE])
