"""Which classes are services: each rule of the contract, broken where the class is defined."""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, NamedTuple

import pytest

from twinos import Caller, ContractError, Op, Service, Signal, Waits, op, operations


class Stat(NamedTuple):
    size: int


class Base(Service):
    """Operations to inherit."""

    @op
    def first(self, number: int) -> int:
        """The first."""
        return number

    @op(idempotent=True)
    def second(self, caller: Caller, /, name: str, *, flag: bool = False) -> Stat | None:
        """The second."""
        return Stat(caller.id) if flag and name else None

    @op
    def third(self) -> Waits[bytes]:
        """The third."""
        yield Signal()
        return b""

    def _help(self) -> None:
        """Not a message."""


class Derived(Base):
    @op
    def fourth(self) -> None: ...

    @op
    def first(self, number: int) -> int:
        return number + 1


def test_operations_are_numbered_in_order_and_keep_their_numbers() -> None:
    assert [(o.name, o.number) for o in operations(Base).values()] == [
        ("first", 0),
        ("second", 1),
        ("third", 2),
    ]
    assert list(operations(Derived)) == ["first", "second", "third", "fourth"]
    for number, operation in enumerate(operations(Derived).values()):
        assert operation.number == number
        assert operation.service == "Derived"
    assert str(operations(Derived)["first"]) == "Derived.first"


def test_what_an_operation_says_of_itself() -> None:
    first, second, third = operations(Base).values()
    assert (first.wants_caller, first.waits, first.idempotent) == (False, False, False)
    assert (second.wants_caller, second.waits, second.idempotent) == (True, False, True)
    assert (third.wants_caller, third.waits, third.idempotent) == (False, True, False)
    assert second.doc == "The second."
    assert [p.name for p in second.parameters] == ["name", "flag"]
    assert second.types == (str, bool)
    assert second.result == Stat | None
    assert third.result is bytes
    assert second.signature() == "second(name: str, flag: bool = False) -> Stat | None"
    assert third.signature() == "third() -> bytes"


def test_a_class_made_in_a_function_may_use_its_names() -> None:
    class Local(NamedTuple):
        x: int

    class Uses(Service):
        @op
        def give(self, local: "Local") -> "tuple[Local, ...]":
            return (local,)

    assert operations(Uses)["give"].types == (Local,)


def test_a_mixin_may_bring_operations() -> None:
    class Mixin:
        @op
        def mixed(self) -> int:
            return 1

    class Mixed(Mixin, Base):
        pass

    assert list(operations(Mixed)) == ["first", "second", "third", "mixed"]


def test_diamonds_number_each_operation_once() -> None:
    class Left(Base):
        @op
        def left(self) -> None: ...

    class Right(Base):
        @op
        def right(self) -> None: ...

        @op
        def third(self) -> Waits[bytes]:
            yield Signal()
            return b"right"

    class Both(Left, Right):
        pass

    found = operations(Both)
    assert [operation.number for operation in found.values()] == list(range(5))
    assert set(found) == {"first", "second", "third", "left", "right"}


def member(name: str, value: Any) -> type[Service]:
    return type("Broken", (Service,), {name: value})


def annotated(function: Any, **annotations: Any) -> Any:
    function.__annotations__ = annotations
    return op(function)


def test_a_public_method_is_an_operation() -> None:
    def method(self: Any) -> None: ...

    for public in (method, staticmethod(method), classmethod(method), property(method)):
        with pytest.raises(ContractError, match=r"Broken\.work is public but no operation"):
            member("work", public)
    member("_work", method)
    member("number", 5)


def test_a_mixins_public_method_is_one_too() -> None:
    class Mixin:
        def work(self) -> None: ...

    with pytest.raises(ContractError, match="public but no operation"):
        type("Broken", (Mixin, Service), {})


def test_an_operation_is_public() -> None:
    with pytest.raises(ContractError, match="name is public"):
        member("_hidden", annotated(lambda _: None, **{"return": None}))


def test_an_override_is_an_operation_too() -> None:
    def first(_: Any, number: int) -> int:
        return number

    with pytest.raises(ContractError, match="public but no operation"):
        type("Broken", (Base,), {"first": first})
    with pytest.raises(ContractError, match="a method of the instance"):
        type("Broken", (Base,), {"first": None})


def test_only_methods_of_the_instance_are_operations() -> None:
    def method(self: Any) -> None: ...

    with pytest.raises(ContractError, match="method of the instance"):
        member("work", staticmethod(op(method)))
    with pytest.raises(ContractError, match="method of the instance"):
        member("work", classmethod(op(method)))
    for other in (staticmethod(method), property(method), 5, int):
        with pytest.raises(ContractError, match="stands before a method"):
            op(other)  # type: ignore[call-overload]  # that is the case


def nothing() -> None: ...


def no_self(*, number: int) -> None: ...


def untyped(self: Any, number) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 (that is the case)


def untyped_result(self: Any, number: int) -> None: ...


del untyped_result.__annotations__["return"]


def star(self: Any, *numbers: int) -> None: ...


def two_stars(self: Any, **numbers: int) -> None: ...


def late_caller(self: Any, number: int, caller: Caller) -> None: ...


def keyword_caller(self: Any, *, caller: Caller) -> None: ...


def two_callers(self: Any, caller: Caller, other: Caller) -> None: ...


def listing(self: Any) -> list[int]: ...  # type: ignore[empty-body]


def listed(self: Any, numbers: list[int]) -> None: ...


def wrong_default(self: Any, number: int = "one") -> None: ...  # type: ignore[assignment]


def large_default(self: Any, number: int = 2**64) -> None: ...


def none_default(self: Any, number: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013


def unknown(self: Any, number: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def asynchronous(self: Any) -> None: ...


async def asynchronous_generator(_: Any) -> AsyncIterator[int]:
    yield 1


def yields(_: Any) -> int:  # type: ignore[misc]
    yield Signal()


def iterates(_: Any) -> Iterator[int]:
    yield 1


def waits_for_a_list(_: Any) -> Waits[list[int]]:
    yield Signal()
    return []


@pytest.mark.parametrize(
    ("method", "complaint"),
    [
        (nothing, "takes self"),
        (no_self, "takes self"),
        (untyped, "parameter number has no type"),
        (untyped_result, "the result has no type"),
        (star, "a message has a fixed shape"),
        (two_stars, "a message has a fixed shape"),
        (late_caller, "the caller is the first parameter after self"),
        (keyword_caller, "the caller is the first parameter after self"),
        (two_callers, "the caller is the first parameter after self"),
        (listing, "may not travel"),
        (listed, "parameter numbers: list.* may not travel"),
        (wrong_default, "parameter number: expected int, got str"),
        (large_default, "does not fit in 64 bits"),
        (none_default, "expected int, got NoneType"),
        (unknown, "define the type before the service"),
        (asynchronous, "synchronous; to wait, yield a Signal"),
        (asynchronous_generator, "synchronous; to wait, yield a Signal"),
        (yields, "returns Waits"),
        (iterates, "returns Waits"),
        (waits_for_a_list, "may not travel"),
    ],
    ids=lambda value: value.__name__ if inspect.isfunction(value) else "",
)
def test_what_a_signature_may_not_be(method: Callable[..., Any], complaint: str) -> None:
    with pytest.raises(ContractError, match=rf"^Broken\.{method.__name__}: .*{complaint}"):
        type("Broken", (Service,), {method.__name__: op(method)})


def test_there_are_254_operations_at_most() -> None:
    def method(self: Any) -> None: ...

    def many(count: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for number in range(count):
            made = type(method)(method.__code__, {}, f"operation{number}")
            made.__annotations__ = {"return": None}
            members[made.__name__] = op(made)
        return members

    assert len(operations(type("Enough", (Service,), many(254)))) == 254
    with pytest.raises(ContractError, match="more than 254 operations"):
        type("Many", (Service,), many(256))


def test_annotations_with_extras_and_nothing_but_self() -> None:
    class Extra(Service):
        @op
        def work(self, number: Annotated[int, "how many"] = 1) -> Annotated[str, "said"]:
            return str(number)

    (work,) = operations(Extra).values()
    assert work.signature() == "work(number: int = 1) -> str"
    assert isinstance(work, Op)
    assert not operations(Service)
