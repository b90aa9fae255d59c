"""The reception of a server: who serves which client.

The channel of a client has a thread of its own, which waits for that client: no poll stands in a
request's way, and the gate lets one at a time through. A client that opens several, to ask several
things at a time, has a crew (`kernels.crew`).
"""

import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NoReturn

from kernels.bulk import STORE
from kernels.control import Crowded, Departure
from kernels.crew import Crew, Seat
from kernels.frames import MalformedFrameError
from kernels.gate import CallerGoneError
from kernels.loops import Recalled, Served, answer, recall, serve, stepping
from kernels.recorded import Recorded
from kernels.serving import Operations, Way, ask
from kernels.source import Piece
from kernels.space import Space
from kernels.transport import Channel, Transport
from twinos import Caller, KernelPanic, Op, Service
from twinos.codec import MalformedMessage
from twinos.privileges import denied, role


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be served on a channel, whose it is, and its number."""

    caller: Caller
    service: type[Service]
    allowed: frozenset[str]
    channel: int

    @property
    def name(self) -> str:
        """Of the thread that serves it alone."""
        return f"serve {self.service.__name__} {self.caller.name} {self.caller.id}"


class Reception:
    """The clients of a server.

    Args:
        transport: of their channels.
        space: whose services they ask.
        requests: how many one caller may have under way.
        tell: says something to the kernel.
        die: ends the server, because of a bug in a service.
    """

    def __init__(
        self,
        transport: Transport,
        space: Space,
        requests: int,
        tell: Callable[[Crowded | Departure], None],
        die: Callable[[object, BaseException], NoReturn],
    ) -> None:
        self._transport: Final = transport
        self._space: Final = space
        self._requests: Final = requests
        self._tell: Final = tell
        self._die: Final = die
        self._threads: defaultdict[int, list[threading.Thread]] = defaultdict(list)
        self._crews: dict[int, Crew] = {}
        self._alone: defaultdict[int, dict[type[Service], list[Way]]] = defaultdict(dict)
        self._departing: dict[int, threading.Thread] = {}

    def welcome(self, work: Work, descriptors: Sequence[int]) -> None:
        """Serve a caller on a new channel; hang up if it has enough, or the host has no room."""
        try:
            channel = self._transport.adopt(descriptors, 0)
        except OSError:
            return
        caller = work.caller.id
        alive = [thread for thread in self._threads[caller] if thread.is_alive()]
        crew = self._crews.get(caller, ())
        if len(alive) + len(crew) >= self._requests:
            self._tell(Crowded(caller))
            channel.close()
            return
        self._threads[caller] = alive
        is_first = not len(crew) and all(thread.name != work.name for thread in alive)
        desk = _Desk(work, channel, self._departing.get(caller))
        try:
            if is_first or not self._transport.pollable:
                self._serve_alone(desk)
            else:
                self._admit(desk)
                for handlers in self._alone.pop(caller, {}).values():
                    recall(handlers)
        except (RuntimeError, OSError):  # the host has no more threads, or descriptors
            channel.close()

    def dismiss(self, caller: Caller) -> None:
        """A caller is gone: free what is kept for it."""
        former = self._departing.pop(caller.id, None)
        threads = self._threads.pop(caller.id, []) + ([former] if former else [])
        crew = self._crews.pop(caller.id, None)
        self._alone.pop(caller.id, None)
        self._departing = {
            other: departing for other, departing in self._departing.items() if departing.is_alive()
        }
        depart = partial(self._depart, caller, threads, crew)
        self._departing[caller.id] = _start(depart, f"depart {caller.name} {caller.id}")

    def _depart(
        self, caller: Caller, threads: Sequence[threading.Thread], crew: Crew | None
    ) -> None:
        """Free what was kept for `caller`, once the last of its requests is done."""
        for thread in threads:
            thread.join()
        if crew is not None:
            crew.disband()
        try:
            self._space.depart(caller)
        except OSError:
            traceback.print_exc()
        finally:
            self._tell(Departure(caller.id))

    def _served(self, desk: "_Desk") -> Served:
        """What answers there; made by who serves it, after the client's former self has gone."""
        if desk.served is None:
            if desk.former is not None:
                desk.former.join()
            work, recorder = desk.work, self._space.recorders.get(desk.work.service)
            said = None
            if recorder is not None:
                lock = self._space.gate.lock
                said = Recorded(recorder, lock, work.channel, work.caller, desk.channel)
            desk.served = Served(self._transport, desk.channel, self._passages(work), said)
        return desk.served

    def _serve_alone(self, desk: "_Desk") -> None:
        handlers: list[Way] = []
        thread = _start(partial(self._serve, desk, handlers), desk.work.name)
        self._threads[desk.work.caller.id].append(thread)
        self._alone[desk.work.caller.id][desk.work.service] = handlers

    def _serve(self, desk: "_Desk", handlers: list[Way]) -> None:
        """Serve the first channel of a caller to a service, until that is closed, or recalled."""
        self._space.gate.watch(desk.channel.hangup)
        served = self._served(desk)
        served.roads(handlers)
        try:
            self._goes_on(desk, partial(serve, served, handlers))
        except Recalled as recalled:
            if self._goes_on(desk, partial(answer, served, recalled.request)):
                crew = self._crews.get(desk.work.caller.id)
                if crew is not None and crew.admit(self._seat(desk)):
                    return
                self._goes_on(desk, partial(serve, served))  # there is no crew any more
        desk.close()

    def _admit(self, desk: "_Desk") -> None:
        """Have the crew of a caller, which uses several channels at a time, serve one more."""
        seat, caller = self._seat(desk), desk.work.caller
        while caller.id not in self._crews or not self._crews[caller.id].admit(seat):
            start = partial(_start, name=f"crew {caller.name} {caller.id}")
            self._crews[caller.id] = Crew(start, self._space.gate.watch)

    def _seat(self, desk: "_Desk") -> Seat:
        desk.channel.about_to_block = self._space.gate.about_to_wait
        made: list[Callable[[], None]] = []

        def step() -> None:
            if not made:
                made.append(stepping(self._served(desk)))
            made[0]()

        return Seat(desk.channel.hangup, partial(self._goes_on, desk, step), desk.close)

    def _goes_on(self, desk: "_Desk", do: Callable[[], None]) -> bool:
        """Do something for a channel; whether there may be more to do for it."""
        try:
            do()
        except (EOFError, BrokenPipeError, CallerGoneError, KernelPanic):
            pass  # the client has closed its end, or the kernel is gone
        except (MalformedFrameError, MalformedMessage, IndexError):
            pass  # it costs the sender its channel, and nobody else anything
        except Exception as error:  # noqa: BLE001 (a result that can't be encoded, say)
            self._die(desk.work.service.__name__, error)
        else:
            return True
        return False

    def _passages(self, work: Work) -> Operations:
        return [
            (operation, partial(self._passage, work, operation))
            for operation in self._space.operations(work.service)
        ]

    def _passage(self, work: Work, operation: Op, *around: Piece) -> Piece:
        """What answers on a channel: whoever holds its other end may ask for no more."""
        if operation.name in work.allowed:
            return self._space.passage(work.service, operation, work.caller, STORE, *around)
        return ask(denied(role(work.caller), operation), operation)


@dataclass(eq=False)
class _Desk:
    """A channel that is served.

    Attributes:
        work: what is asked there.
        channel: the channel.
        former: who still tidies up after a caller that was the same; None: nobody.
        served: what answers.
    """

    work: Work
    channel: Channel
    former: threading.Thread | None
    served: Served | None = None

    def close(self) -> None:
        """The client has gone, or has to."""
        self.channel.close()
        if self.served is not None and self.served.said is not None:
            self.served.said.end()


def _start(work: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
