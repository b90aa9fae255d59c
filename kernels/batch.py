"""Batches and queues: requests whose results are asked for later; see `twinos.later`.

A carrier takes several requests for one service and has them carried out in order: by one message
and its reply, or, where the service is in this address space, by one call each. A batch gathers
requests and has them carried when it is full; a queue has a thread that carries what there is, so
what comes while a message is under way goes with the next one.
"""

import errno
import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Generic, ParamSpec, Protocol, Self, TypeVar

from twinos import Bind, Op, fail

P = ParamSpec("P")
R = TypeVar("R")

MOST: Final = 1024
"""Requests in one message at most."""
_UNSET: Final = object()


class Carrier(Protocol):
    """How the requests of one caller to one service travel together.

    Attributes:
        bind: gives a callable that prepares a request and returns it.
    """

    bind: Bind

    def carry(self, requests: "Sequence[Request[Any]]") -> None:
        """Have them carried out, in order; each is told its result or error.

        Raises:
            KeyboardInterrupt: some are told nothing.
        """


class Request(Generic[R]):
    """A request, prepared by a carrier; see `twinos.later.Pending`.

    Args:
        carrier: whose it is.
        content: what the carrier needs to carry it.
        finish: makes the result of what the carrier brings back, or raises its error.

    Attributes:
        brought: what the carrier has brought back, when it has.
        owner: who has gathered it, and sees to it that it is carried.
    """

    __slots__ = ("brought", "carrier", "content", "finish", "owner")

    def __init__(self, carrier: Carrier, content: Any, finish: Callable[[Any], R]) -> None:
        self.carrier = carrier
        self.content = content
        self.finish = finish
        self.brought: Any = _UNSET
        self.owner: _Gathering | None = None

    @classmethod
    def refused(cls, error: OSError) -> "Request[Any]":
        """One that was not even sent."""
        request = cls(_NOBODY, None, _raise)
        request.brought = error
        return request

    def fail(self, error: BaseException) -> None:
        """It comes to nothing, for this reason."""
        self.finish = _raise
        self.brought = error

    @property
    def done(self) -> bool:
        """Whether `result` is there."""
        return self.brought is not _UNSET

    def result(self) -> R:
        """What the request returned."""
        if self.brought is _UNSET and self.owner is not None:
            self.owner.wait_for(self)
        return self.finish(self.brought)


class Repeatable(Request[R]):
    """One that may be sent again when its server was restarted."""

    __slots__ = ()


def _raise(error: Any) -> Any:
    raise error


class LocalCarrier:
    """Has requests carried out by calls.

    Args:
        bind: delivers the requests of one caller to one service.
    """

    def __init__(self, bind: Bind) -> None:
        self._deliver = bind
        self.bind: Bind = self._prepare

    def _prepare(self, operation: Op) -> Callable[..., Request[Any]]:
        deliver = self._deliver(operation)

        def prepare(*arguments: Any) -> Request[Any]:
            return Request(self, (deliver, arguments), _itself)

        return prepare

    def carry(self, requests: Sequence[Request[Any]]) -> None:
        """See `Carrier`."""
        for request in requests:
            deliver, arguments = request.content
            try:
                request.brought = deliver(*arguments)
            except Exception as error:  # noqa: BLE001 (it is raised where the result is asked for)
                request.fail(error)


def _itself(brought: Any) -> Any:
    return brought


_NOBODY: Final = LocalCarrier(lambda _operation: _raise)

Prepare = Callable[..., Request[Any]]


class Preparing(dict[Callable[..., Any], Prepare]):
    """What prepares the requests of a handle's method, found when it is first asked for.

    Args:
        find: what prepares the requests of all methods of the handle that has this one.
    """

    def __init__(
        self, find: Callable[[Callable[..., Any]], dict[Callable[..., Any], Prepare]]
    ) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, method: Callable[..., Any]) -> Prepare:
        self.update(self._find(method))
        return self[method]


class _Gathering:
    """What batches and queues have in common."""

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing

    def __call__(
        self, method: Callable[P, R], /, *arguments: P.args, **named: P.kwargs
    ) -> Request[R]:
        """Make the request that `method(*arguments, **named)` would be."""
        try:
            request: Request[R] = self._preparing[method](*arguments, **named)
        except OSError as error:
            return Request.refused(error)
        request.owner = self
        self._add(request)
        return request

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

    def __init__(self, preparing: Preparing, most: int) -> None:
        super().__init__(preparing)
        self._most = most
        self._gathered: list[Request[Any]] = []

    def __call__(
        self, method: Callable[P, R], /, *arguments: P.args, **named: P.kwargs
    ) -> Request[R]:
        """Make the request that `method(*arguments, **named)` would be."""
        # As the base does it, without calls that cost more than the request does.
        try:
            request: Request[R] = self._preparing[method](*arguments, **named)
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
    as a context manager waits for all.
    """

    def __init__(self, preparing: Preparing, most: int) -> None:
        super().__init__(preparing)
        self._most = most
        self._waiting: deque[Request[Any]] = deque()
        self._open = 0  # of those made, the ones that are not done
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._carry_all, name="queue", daemon=True)
        self._thread.start()

    def _add(self, request: Request[Any]) -> None:
        with self._changed:
            if self._ended:
                raise fail(errno.ECANCELED)
            self._changed.wait_for(lambda: self._open < self._most)
            self._waiting.append(request)
            self._open += 1
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def wait_for(self, request: Request[Any]) -> None:
        """Wait until the thread has had it carried out."""
        with self._changed:
            self._changed.wait_for(lambda: request.done)

    def _carry_all(self) -> None:
        while requests := self._next():
            try:
                _carry(requests)
            finally:
                with self._changed:
                    self._open -= len(requests)
                    self._changed.notify_all()

    def _next(self) -> list[Request[Any]]:
        """What has come, waited for; nothing: no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            requests = list(self._waiting)
            self._waiting.clear()
            return requests

    def _end(self, failed: bool) -> None:
        del failed  # what has been made is under way
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()


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
