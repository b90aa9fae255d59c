"""Operations: the public methods of a service, which are its messages."""

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import FunctionType
from typing import (
    Annotated,
    Any,
    Concatenate,
    Final,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

from twinos.caller import Caller
from twinos.errors import ContractError
from twinos.pages import Pages
from twinos.signal import Waits
from twinos.values import check_type, coercer, type_name

Z = TypeVar("Z")
P = ParamSpec("P")
R = TypeVar("R")

_MARK: Final = "__twinos_op__"
_NOBODY: Final = inspect.Parameter("nobody", inspect.Parameter.KEYWORD_ONLY)
MAX_OPERATIONS: Final = 254
"""An operation's number is one byte of a message; two values of it are the kernels' own."""


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """One operation, as a client sees it.

    Attributes:
        service: the name of the service.
        name: the name of the method.
        number: its place among the service's operations; it travels in the message.
        parameters: what a client passes: no `self`, no `caller`.
        result: the type of what comes back (for a waiting operation, of what it returns).
        wants_caller: whether the kernel passes the caller first.
        waits: whether the method is a generator that yields what it waits for.
        idempotent: whether a stub may send the request again after the server was restarted.
        repeatable: whether it may if the server's state survived.
        doc: the docstring.
        paged: whether its bytes may come in pages.
    """

    service: str
    name: str
    number: int
    parameters: tuple[inspect.Parameter, ...]
    result: Any
    wants_caller: bool
    waits: bool
    idempotent: bool
    doc: str
    paged: bool = False
    repeatable: bool = False

    @property
    def types(self) -> tuple[Any, ...]:
        """The parameters' types, in order."""
        return tuple(parameter.annotation for parameter in self.parameters)

    def __str__(self) -> str:
        return f"{self.service}.{self.name}"

    def signature(self) -> str:
        """The operation for people: `read(fd: int, count: int) -> bytes`."""
        shown = ", ".join(map(_shown, self.parameters))
        return f"{self.name}({shown}) -> {type_name(self.result)}"


class _Mark(NamedTuple):
    """What `@op` says of a method."""

    idempotent: bool
    repeatable: bool


Bind = Callable[[Op], Callable[..., Any]]
"""A binder: given an operation, the callable that delivers it."""


class _OpDecorator(Protocol):
    @overload
    def __call__(
        self, method: Callable[Concatenate[Z, Caller, P], Waits[R]], /
    ) -> Callable[Concatenate[Z, P], R]: ...
    @overload
    def __call__(
        self, method: Callable[Concatenate[Z, Caller, P], bytes | Pages], /
    ) -> Callable[Concatenate[Z, P], bytes]: ...
    @overload
    def __call__(
        self, method: Callable[Concatenate[Z, Caller, P], R], /
    ) -> Callable[Concatenate[Z, P], R]: ...
    @overload
    def __call__(
        self, method: Callable[Concatenate[Z, P], Waits[R]], /
    ) -> Callable[Concatenate[Z, P], R]: ...
    @overload
    def __call__(
        self, method: Callable[Concatenate[Z, P], bytes | Pages], /
    ) -> Callable[Concatenate[Z, P], bytes]: ...
    @overload
    def __call__(
        self, method: Callable[Concatenate[Z, P], R], /
    ) -> Callable[Concatenate[Z, P], R]: ...


@overload
def op(
    method: Callable[Concatenate[Z, Caller, P], Waits[R]], /
) -> Callable[Concatenate[Z, P], R]: ...
@overload
def op(
    method: Callable[Concatenate[Z, Caller, P], bytes | Pages], /
) -> Callable[Concatenate[Z, P], bytes]: ...
@overload
def op(method: Callable[Concatenate[Z, Caller, P], R], /) -> Callable[Concatenate[Z, P], R]: ...
@overload
def op(method: Callable[Concatenate[Z, P], Waits[R]], /) -> Callable[Concatenate[Z, P], R]: ...
@overload
def op(
    method: Callable[Concatenate[Z, P], bytes | Pages], /
) -> Callable[Concatenate[Z, P], bytes]: ...
@overload
def op(method: Callable[Concatenate[Z, P], R], /) -> Callable[Concatenate[Z, P], R]: ...
@overload
def op(*, idempotent: bool = ..., repeatable: bool = ...) -> _OpDecorator: ...
def op(method: Any = None, /, *, idempotent: bool = False, repeatable: bool = False) -> Any:
    """Mark a public method as an operation: clients may send it.

    The decorated method has the type that a client sees: a `caller: Caller` in first place, which
    the kernel fills in, is gone, `Waits[R]` is R, and `bytes | Pages` is bytes.

    Args:
        method: the method.
        idempotent: sending the request twice means the same as sending it once, so that a stub
            may send it again after its server was restarted.
        repeatable: the same, to a server whose state survived (see `twinos.journal`): it changes
            nothing of that, or nothing more when it is done twice.
    """

    def mark(method: Any) -> Any:
        if not inspect.isfunction(method):
            raise ContractError(f"@op stands before a method, not before {method!r}")
        setattr(method, _MARK, _Mark(idempotent, idempotent or repeatable))
        return method

    return mark if method is None else mark(method)


def is_marked(member: object) -> bool:
    """Whether `@op` stands before this method."""
    return hasattr(getattr(member, "__func__", member), _MARK)


def define(
    service: str, method: FunctionType, number: int, names: dict[str, Any] | None = None
) -> Op:
    """The operation that a marked method defines.

    Args:
        service: the service's name.
        method: the method.
        number: its place among the service's operations.
        names: local names in which the method's annotations may be written.

    Raises:
        ContractError: the signature can't be a message.
    """
    try:
        return _define(service, method, number, names)
    except ContractError as error:
        raise ContractError(f"{service}.{method.__name__}: {error}") from None


def _define(service: str, method: FunctionType, number: int, names: dict[str, Any] | None) -> Op:
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        raise ContractError("an operation is synchronous; to wait, yield a Signal")
    hints = _hints(method, names)
    parameters = _parameters(method, hints)
    wants_caller = _takes_caller(parameters)
    if wants_caller:
        parameters = parameters[1:]
    for parameter in parameters:
        _check_parameter(parameter)
    if "return" not in hints:
        raise ContractError("the result has no type")
    result, waits = _result(method, hints["return"])
    paged = result == bytes | Pages
    result = bytes if paged else result
    mark: _Mark = getattr(method, _MARK)
    check_type(result)
    return Op(
        service=service,
        name=method.__name__,
        number=number,
        parameters=parameters,
        result=result,
        wants_caller=wants_caller,
        waits=waits,
        idempotent=mark.idempotent,
        repeatable=mark.repeatable,
        doc=inspect.getdoc(method) or "",
        paged=paged,
    )


def _hints(method: FunctionType, names: dict[str, Any] | None) -> dict[str, Any]:
    try:
        return get_type_hints(method, localns=names, include_extras=True)
    except NameError as error:
        raise ContractError(f"{error}; define the type before the service") from None


def _parameters(method: FunctionType, hints: dict[str, Any]) -> tuple[inspect.Parameter, ...]:
    itself, *parameters = inspect.signature(method).parameters.values() or [_NOBODY]
    if itself.kind is itself.KEYWORD_ONLY:
        raise ContractError("an operation is a method of the instance: it takes self")
    for parameter in parameters:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise ContractError(f"parameter {parameter}: a message has a fixed shape")
        if parameter.name not in hints:
            raise ContractError(f"parameter {parameter.name} has no type")
    return tuple(parameter.replace(annotation=hints[parameter.name]) for parameter in parameters)


def _takes_caller(parameters: tuple[inspect.Parameter, ...]) -> bool:
    return (
        bool(parameters)
        and parameters[0].annotation is Caller
        and parameters[0].kind is not inspect.Parameter.KEYWORD_ONLY
    )


def _check_parameter(parameter: inspect.Parameter) -> None:
    if parameter.annotation is Caller:
        raise ContractError("the caller is the first parameter after self, or none")
    if parameter.name.startswith("_"):
        raise ContractError(f"parameter {parameter.name}: such names are the kernels' own")
    try:
        check_type(parameter.annotation)
        if parameter.default is not parameter.empty:
            coercer(parameter.annotation)(parameter.default)
    except (ContractError, TypeError, OverflowError) as error:
        raise ContractError(f"parameter {parameter.name}: {error}") from None


def _result(method: FunctionType, annotation: Any) -> tuple[Any, bool]:
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(bare) is Generator:
        return get_args(bare)[2], True
    if inspect.isgeneratorfunction(method):
        raise ContractError("an operation that yields returns Waits[...]")
    return annotation, False


def _shown(parameter: inspect.Parameter) -> str:
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {type_name(parameter.annotation)}{default}"
