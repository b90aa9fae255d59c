"""Requests whose results are asked for later, and carriers, which have them carried out.

A carrier takes several requests for one service and has them carried out in order: by one message
and its reply (`kernels.bundle`), or, where the service is in this address space, by one call each.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from twinos import Bind, Op

R = TypeVar("R")

_UNSET: Final = object()


class Owner(Protocol):
    """Who gathers requests."""

    def wait_for(self, request: "Request[Any]") -> None:
        """See to it that a request is carried."""


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


class Request(msgspec.Struct, Generic[R], eq=False):
    """A request, prepared by a carrier; see `twinos.later.Pending`.

    A struct, because the interpreter makes one in a third of the time of an object with `__init__`.

    Attributes:
        carrier: whose it is.
        content: what the carrier needs to carry it.
        finish: makes the result of what the carrier brings back, or raises its error.
        brought: what the carrier has brought back, when it has.
        owner: who has gathered it, and sees to it that it is carried.
    """

    carrier: Carrier
    content: Any
    finish: Callable[[Any], R]
    brought: Any = _UNSET
    owner: Owner | None = None

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
        brought = self.brought
        if brought is _UNSET and self.owner is not None:
            self.owner.wait_for(self)
            brought = self.brought
        finish = self.finish  # by a name of its own the interpreter calls it at once
        return finish(brought)


class Repeatable(Request[R], Generic[R], eq=False):
    """One that may be sent again when its server was restarted."""

    needs_state: ClassVar[bool] = False


class RepeatableThere(Repeatable[R], Generic[R], eq=False):
    """The same, if the server's state survived."""

    needs_state: ClassVar[bool] = True


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
