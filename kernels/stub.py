"""Stubs: what a client holds of a service.

A stub has a method for each operation, with the operation's own signature. It checks the arguments'
types, as a system call does, and hands them to whatever the binder gave to deliver them.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar, cast, runtime_checkable

from kernels.check import NAMES, unless_exact
from kernels.source import body_of, function, gate
from twinos import Bind, KernelPanic, Op, Service, operations
from twinos.values import coercer

S = TypeVar("S", bound=Service)


@runtime_checkable
class ClientLayer(Protocol):
    """A layer that is told in whose handle it lies."""

    def around(self, bind: Bind, client: str) -> Bind:
        """A binder around `bind`, for a handle that `client` (a service, or `user`) holds."""


Layer = Callable[[Bind], Bind] | ClientLayer
"""A binder around a binder: tracing, counting, fault injection."""


@runtime_checkable
class InterruptLayer(Protocol):
    """A layer that is told of interrupts, too, in the process of the driver."""

    def interrupted(self, driver: str) -> AbstractContextManager[None]:
        """Entered before a driver deals with an interrupt, and left afterwards."""


def observed(layers: Sequence[object], driver: type[Service]) -> ExitStack:
    """What to deal with an interrupt in."""
    stack = ExitStack()
    for layer in layers:
        if isinstance(layer, InterruptLayer):
            stack.enter_context(layer.interrupted(driver.__name__))
    return stack


class Handle:
    """A way to a service; its attributes are the service's operations.

    Each is made when it is first used: a program needs few of them, and does not live long.
    """

    def __init__(self, service: type[Service], bind: Bind) -> None:
        self.__service = service
        self.__bind = bind

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = operations(self.__service).get(name)
        if operation is None:
            raise AttributeError(f"{self.__service.__name__} has no operation {name!r}")
        # Whichever thread was first: everybody has the same method.
        made: Callable[..., Any] = vars(self).setdefault(name, self.__bind(operation))
        return made

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *operations(self.__service)]

    def __repr__(self) -> str:
        return f"<handle to {self.__service.__name__}>"


def checked_stub(service: type[S], bind: Bind) -> S:
    """A stub of `service` that checks arguments before it delivers them by `bind`."""
    return cast("S", Handle(service, lambda operation: _checked(operation, bind(operation))))


def plain_stub(service: type[S], bind: Bind) -> S:
    """A stub of `service` that delivers by `bind` and checks nothing: a call between services."""
    return cast("S", Handle(service, bind))


def layered(bind: Bind, layers: Iterable[Layer], client: str) -> Bind:
    """`bind` inside `layers`, for a handle of `client`; the last one is the outermost."""
    for layer in layers:
        bind = layer.around(bind, client) if isinstance(layer, ClientLayer) else layer(bind)
    return bind


def while_here(bind: Bind, left: Sequence[Callable[[], Exception]]) -> Bind:
    """`bind`, as long as its user has not left; then operations fail that were never used before.

    Args:
        bind: delivers.
        left: makes what to raise; empty as long as the user is here.
    """

    def bound(operation: Op) -> Callable[..., Any]:
        if left:
            return partial(_refuse, left[0])
        try:
            return bind(operation)
        except KernelPanic as panic:
            return partial(_refuse, partial(KernelPanic, str(panic)))  # when it is called

    return bound


def _refuse(make: Callable[[], Exception], *_arguments: object, **_named: object) -> NoReturn:
    raise make()


def _checked(operation: Op, deliver: Callable[..., Any]) -> Callable[..., Any]:
    if not operation.parameters:
        return deliver
    names: dict[str, Any] = {"_deliver": deliver, **NAMES}
    lines = []
    for parameter in operation.parameters:
        name = parameter.name
        names[f"_coerce_{name}"] = _explained(operation, parameter)
        names[f"_default_{name}"] = parameter.default
        test = unless_exact(parameter.annotation, name)
        lines.append(f"{test}{name} = _coerce_{name}({name})\n")
    declared = _declared(operation.parameters)
    body = body_of(deliver)
    if body is not None:  # no layer lies between: one call does for both
        return gate(operation.name, declared, "".join(lines), body, names)
    passed = ", ".join(parameter.name for parameter in operation.parameters)
    lines.append(f"return _deliver({passed})")
    return function(operation.name, declared, "".join(lines), names)


def _declared(parameters: Iterable[inspect.Parameter]) -> Iterator[str]:
    """The parameter list as source: defaults by name, `/` and `*` where they stood."""
    positional_only = starred = False
    for parameter in parameters:
        if positional_only and parameter.kind is not parameter.POSITIONAL_ONLY:
            yield "/"
        positional_only = parameter.kind is parameter.POSITIONAL_ONLY
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            yield "*"
            starred = True
        has_default = parameter.default is not parameter.empty
        yield f"{parameter.name}=_default_{parameter.name}" if has_default else parameter.name
    if positional_only:
        yield "/"


def _explained(operation: Op, parameter: inspect.Parameter) -> Callable[[Any], Any]:
    coerce = coercer(parameter.annotation)

    def explained(value: Any) -> Any:
        try:
            return coerce(value)
        except (TypeError, OverflowError) as error:
            reason = f"{operation.name}() argument {parameter.name!r}: {error}"
            raise type(error)(reason) from None

    return explained
