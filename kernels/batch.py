"""Batches and queues: requests whose results are asked for later; see `twinos.later`.

A batch gathers requests and has them carried when it is full; a queue has a thread that carries
what there is, so what comes while a message is under way goes with the next one.
"""

import errno
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from kernels.request import Carrier, Request
from kernels.stub import checked_stub
from twinos import Service, fail, operations

P = ParamSpec("P")
R = TypeVar("R")

Prepare = Callable[..., Request[Any]]


Find = Callable[[Callable[..., Any]], Prepare]
"""What prepares the requests of a handle's method."""


def prepare_like(
    method: Callable[..., Any],
    stubs: Mapping[type[Service], Service],
    carrier: Callable[[type[Service]], Carrier],
) -> dict[Callable[..., Any], Prepare]:
    """What prepares the requests of all methods of the stub that has this one.

    Raises:
        TypeError: none has it.
    """
    for service, stub in stubs.items():
        if method in vars(stub).values():
            preparing = checked_stub(service, carrier(service).bind)
            names = operations(service)
            return {getattr(stub, name): getattr(preparing, name) for name in names}
    raise TypeError(f"{method!r} is no operation of a handle of this user")


class _Gathering:
    """What batches and queues have in common."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._known: dict[Callable[..., Any], Prepare] = {}

    def __call__(
        self, method: Callable[P, R], /, *arguments: P.args, **named: P.kwargs
    ) -> Request[R]:
        """Make the request that `method(*arguments, **named)` would be."""
        try:
            request: Request[R] = self._preparing(method)(*arguments, **named)
        except OSError as error:
            return Request.refused(error)
        request.owner = self
        self._add(request)
        return request

    def _preparing(self, method: Callable[..., Any]) -> Prepare:
        if method not in self._known:
            self._known[method] = self._find(method)
        return self._known[method]

    def wait_for(self, request: Request[Any]) -> None:
        """See to it that a request is carried."""
        raise NotImplementedError

    def _add(self, request: Request[Any]) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(kind is not None)

    def _end(self, failed: bool) -> None:
        raise NotImplementedError


class Batch(_Gathering):
    """Gathers requests, and has them carried out when there are `most`, or one's result is wanted.

    Leaving it as a context manager carries out the rest; leaving it by an exception does not.
    """

    def __init__(self, find: Find, most: int) -> None:
        super().__init__(find)
        self._most = most
        self._gathered: list[Request[Any]] = []

    def __call__(
        self, method: Callable[P, R], /, *arguments: P.args, **named: P.kwargs
    ) -> Request[R]:
        """Make the request that `method(*arguments, **named)` would be."""
        # As the base does it, without calls that cost more than the request does.
        try:
            prepare = self._known.get(method) or self._preparing(method)
            request: Request[R] = prepare(*arguments, **named) if named else prepare(*arguments)
        except OSError as error:
            return Request.refused(error)
        request.owner = self
        gathered = self._gathered
        gathered.append(request)
        if len(gathered) >= self._most:
            self.flush()
        return request

    def flush(self) -> None:
        """Have what is gathered carried out, in order."""
        gathered, self._gathered = self._gathered, []
        _carry(gathered)

    def wait_for(self, request: Request[Any]) -> None:
        """Have it carried out, and those before it."""
        del request
        self.flush()

    def _end(self, failed: bool) -> None:
        if failed:
            _cancel(self._gathered)
            self._gathered.clear()
        self.flush()


class Queue(_Gathering):
    """Has requests carried out by a thread of its own, while the caller goes on.

    Of those that are not done there are `most` at a time; one more waits for the first. Leaving it
    as a context manager waits for all. One that is dropped (Ctrl-C came before its block, say) ends
    its thread when what has been made is done.
    """

    def __init__(self, find: Find, most: int) -> None:
        super().__init__(find)
        work = self._work = _Work(most)
        weakref.finalize(self, work.end).atexit = False
        # The thread must not refer to the queue: then nobody could drop it.
        self._thread = threading.Thread(target=work.carry_all, name="queue", daemon=True)
        self._thread.start()

    def _add(self, request: Request[Any]) -> None:
        self._work.add(request)

    def wait_for(self, request: Request[Any]) -> None:
        """Wait until the thread has had it carried out."""
        self._work.wait_for(request)

    def _end(self, failed: bool) -> None:
        del failed  # what has been made is under way
        self._work.end()
        self._thread.join()


class _Work:
    """What a queue's thread has to do, shared with whoever makes requests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Request[Any]] = deque()
        self._open = 0  # of those made, the ones that are not done
        self._ended = False
        self._changed = threading.Condition()

    def add(self, request: Request[Any]) -> None:
        """One more, as soon as there is room."""
        with self._changed:
            if self._ended:
                raise fail(errno.ECANCELED)
            self._changed.wait_for(lambda: self._open < self._most)
            self._waiting.append(request)
            self._open += 1
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def wait_for(self, request: Request[Any]) -> None:
        """Wait until it has been carried out."""
        with self._changed:
            self._changed.wait_for(lambda: request.done)

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def carry_all(self) -> None:
        """Have carried out what comes, until no more will come."""
        while self._carry_next():
            pass

    def _carry_next(self) -> bool:
        """What has come, waited for; whether there was any."""
        requests = self._next()
        try:
            _carry(requests)
        finally:
            with self._changed:
                self._open -= len(requests)
                self._changed.notify_all()
        return bool(requests)

    def _next(self) -> list[Request[Any]]:
        """What has come, waited for; nothing: no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            requests = list(self._waiting)
            self._waiting.clear()
            return requests


def _carry(requests: list[Request[Any]]) -> None:
    """Have requests carried out in order, those together that go to one service."""
    try:
        start, carrier = 0, None
        for at, request in enumerate(requests):
            if request.carrier is not carrier:
                if carrier is not None:
                    carrier.carry(requests[start:at])
                start, carrier = at, request.carrier
        if carrier is not None:
            carrier.carry(requests[start:] if start else requests)
    except BaseException:
        _cancel(requests)
        raise


def _cancel(requests: Sequence[Request[Any]]) -> None:
    for request in requests:
        if not request.done:
            request.fail(fail(errno.ECANCELED))
