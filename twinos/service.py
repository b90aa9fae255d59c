"""Services: a class is one, its operations are its messages, its constructor is its wiring."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from twinos.caller import Caller
from twinos.errors import ContractError
from twinos.message import Endpoint, Message
from twinos.operation import MAX_OPERATIONS, Op, define, is_marked
from twinos.supervision import Supervision


class Service:
    """The base of every service.

    Public methods are operations and carry `@op`; anything else starts with an underscore. What the
    constructor names it gets: a parameter annotated with another service is a handle to it, one
    annotated `Region` is memory that outlives the service, one annotated `Post[...]` its mailbox,
    every other one is a setting that `boot(config=...)` may give.

    Requests are handled one at a time, so a service needs no lock. One that waits for others can
    declare which of its operations may be in the middle together (`overlaps=("read", "stat")`):
    while one of these waits for another service, others of them are served; all other operations
    find none in the middle. So their state may change only where they call another service.
    One that mostly needs no other service can look whether it `_is_alone` before it asks one, and
    raise NotAloneError, having changed nothing: then it begins again when it is. And one that is
    alone, but shows nothing half done while it waits, can admit those that overlap meanwhile
    (`admits=("sync",)`): they find that they are not alone, and may not wait.

    A service declared with `privileged=True` (`class Disk(Service, privileged=True)`) is internal:
    of the users only the superuser may call it. `supervision=Supervision(...)` says what the
    microkernel does when it dies or hangs. Subclasses inherit all of these, or say otherwise.
    """

    __privileged__: ClassVar[bool] = False
    __overlaps__: ClassVar[frozenset[str]] = frozenset()
    __admits__: ClassVar[frozenset[str]] = frozenset()
    __supervision__: ClassVar[Supervision] = Supervision()

    __ops__: ClassVar[Mapping[str, Op]] = MappingProxyType({})
    __names__: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init_subclass__(
        cls,
        *,
        privileged: bool | None = None,
        supervision: Supervision | None = None,
        overlaps: Iterable[str] | None = None,
        admits: Iterable[str] | None = None,
        **keywords: Any,
    ) -> None:
        """Derive the operations; refuse a class that can't be a service."""
        super().__init_subclass__(**keywords)
        if privileged is not None:
            cls.__privileged__ = privileged
        if supervision is not None:
            cls.__supervision__ = supervision
        if "<locals>" in cls.__qualname__:
            # A class made inside a function may use that function's names in its annotations.
            cls.__names__ = MappingProxyType(dict(sys._getframe(1).f_locals))  # noqa: SLF001
        cls.__ops__ = MappingProxyType(_collect(cls))
        if overlaps is not None:
            cls.__overlaps__ = frozenset(overlaps)
        if admits is not None:
            cls.__admits__ = frozenset(admits)
        for name in sorted((cls.__overlaps__ | cls.__admits__) - cls.__ops__.keys()):
            raise ContractError(f"{cls.__name__} has no operation {name!r} to overlap")
        for name in sorted(cls.__overlaps__ & cls.__admits__):
            raise ContractError(f"{cls.__name__}.{name} can't both overlap and be alone")

    def _is_alone(self) -> bool:
        """Whether no other operation can be in the middle of this service, now or at a wait."""
        return True

    def _departed(self, caller: Caller) -> None:
        """`caller` is gone and asks no more. Override to free what was kept for it."""

    def _received(self, source: Endpoint, message: Message) -> None:
        """`message` has come for the mailbox that the constructor names; see `Post`."""

    def _saved(self) -> bytes | None:
        """All that is to survive this service, as bytes; None: `Journal.save` has been called.

        For one with a journal; see `twinos.journal`.
        """

    def _restored(self, saved: bytes) -> None:
        """Be what `_saved` told of; after the constructor, in each life but the first."""

    def _unsaved(self) -> bytes:
        """What has changed since this was last asked, for `_noted`; see `twinos.noted`."""
        return b""

    def _noted(self, data: bytes) -> None:
        """An earlier life said this, by `_unsaved` or by `Journal.note`."""

    def _recovered(self) -> None:
        """All that earlier lives had to say has been told."""

    def _interrupted(self) -> None:
        """The device of this driver has raised an interrupt; see `Line`."""

    def _stopping(self) -> None:
        """The system shuts down in good order. Override to write back what is only in memory."""


def operations(service: type[Service]) -> Mapping[str, Op]:
    """The operations of a service by name, in the order of their numbers."""
    return service.__ops__


def _collect(cls: type[Service]) -> dict[str, Op]:
    """The inherited operations, then this class's own; an overridden one keeps its number."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if base not in {object, Service}:
            names |= dict.fromkeys(_public_names(cls, base))
    if len(names) > MAX_OPERATIONS:
        raise ContractError(f"{cls.__name__} has more than {MAX_OPERATIONS} operations")
    return {name: _define(cls, name, number) for number, name in enumerate(names)}


def _public_names(cls: type[Service], base: type) -> Iterator[str]:
    """The operations among the members of one of `cls`'s bases, which may be a mere mixin."""
    for name, member in vars(base).items():
        if is_marked(member):
            yield name
        else:
            _check_member(cls, name, member)


def _define(cls: type[Service], name: str, number: int) -> Op:
    method = getattr(cls, name)
    if name.startswith("_"):
        raise ContractError(f"{cls.__name__}.{name}: an operation's name is public")
    if not inspect.isfunction(method) or isinstance(
        inspect.getattr_static(cls, name), staticmethod | classmethod
    ):
        raise ContractError(f"{cls.__name__}.{name}: an operation is a method of the instance")
    return define(cls.__name__, method, number, dict(cls.__names__))


def _check_member(cls: type[Service], name: str, member: object) -> None:
    if name.startswith("_"):
        return
    if inspect.isfunction(member) or isinstance(member, staticmethod | classmethod | property):
        raise ContractError(
            f"{cls.__name__}.{name} is public but no operation: mark it @op, or call it _{name}"
        )
