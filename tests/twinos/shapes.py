"""Random value types, values of them, and an account of what fits that shares nothing with ours."""

import enum
import math
import types
from collections.abc import Callable
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = 1
    GREEN = -2
    BLUE = 2**40


class Word(enum.StrEnum):
    YES = "yes"
    NO = "n\N{LATIN SMALL LETTER O WITH DIAERESIS}"


class Level(enum.IntEnum):
    LOW = 0
    HIGH = 7


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    EXECUTE = 4


class Shape(NamedTuple):
    """A type, and the values that have it."""

    annotation: Any
    values: st.SearchStrategy[Any]


Number = NewType("Number", int)

TEXTS: Final = st.text(st.characters(categories=None), max_size=20)  # lone surrogates too
INTS: Final = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([-(2**63), 2**63 - 1, 2**63, 2**64 - 1, 0, 255, 256]),
)
FLOATS: Final = st.floats()

SCALARS: Final = st.sampled_from(
    [
        Shape(int, INTS),
        Shape(bool, st.booleans()),
        Shape(float, FLOATS),
        Shape(str, TEXTS),
        Shape(bytes, st.binary(max_size=50)),
        Shape(None, st.none()),
        Shape(Colour, st.sampled_from(Colour)),
        Shape(Word, st.sampled_from(Word)),
        Shape(Level, st.sampled_from(Level)),
        Shape(Access, st.integers(0, 7).map(Access)),
        Shape(Literal["a", "b"], st.sampled_from(["a", "b"])),
        Shape(Literal[1, -5], st.sampled_from([1, -5])),
        Shape(Number, INTS),
        Shape(Annotated[str, "a name"], TEXTS),
        Shape(int | str | None, st.one_of(INTS, TEXTS, st.none())),
        Shape(bytes | float, st.one_of(st.binary(max_size=9), FLOATS)),
        Shape(bool | int, st.one_of(INTS, st.booleans())),
    ]
)


def _tuples(parts: list[Shape]) -> Shape:
    annotation = tuple[tuple(part.annotation for part in parts)] if parts else tuple[()]  # type: ignore[misc]
    return Shape(annotation, st.tuples(*(part.values for part in parts)))


def _records(parts: list[Shape]) -> Shape:
    fields = [(f"field{index}", part.annotation) for index, part in enumerate(parts)]
    record: Any = NamedTuple("Record", fields)  # type: ignore[misc]  # made at run time
    return Shape(record, st.builds(record, *(part.values for part in parts)))


def _structs(parts: list[Shape], array_like: bool) -> Shape:
    fields = [(f"field{index}", part.annotation) for index, part in enumerate(parts)]
    struct = msgspec.defstruct("Frozen", fields, frozen=True, array_like=array_like)
    return Shape(struct, st.builds(struct, *(part.values for part in parts)))


def _larger(smaller: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    several = st.lists(smaller, min_size=1, max_size=4)
    return st.one_of(
        smaller.map(lambda s: Shape(tuple[s.annotation, ...], _sequences(s))),
        smaller.map(lambda s: Shape(Optional[s.annotation], st.none() | s.values)),  # noqa: UP045 (a `|` would not take every annotation)
        st.lists(smaller, max_size=4).map(_tuples),
        several.map(_records),
        st.builds(_structs, several, st.booleans()),
    )


def _sequences(shape: Shape) -> st.SearchStrategy[Any]:
    return st.lists(shape.values, max_size=4).map(tuple)


SHAPES: Final = st.recursive(SCALARS, _larger, max_leaves=8)

ANYTHING: Final[st.SearchStrategy[Any]] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        FLOATS,
        TEXTS,
        st.binary(max_size=9),
        st.complex_numbers(),
        st.sampled_from(
            [object(), Colour.RED, Word.YES, Access.READ, int, range(3), bytearray(b"x")]
        ),
    ),
    lambda some: st.one_of(
        st.lists(some, max_size=3),
        st.lists(some, max_size=3).map(tuple),
        st.dictionaries(TEXTS, some, max_size=2),
        st.frozensets(st.integers(), max_size=2),
    ),
    max_leaves=5,
)


def fits(value: Any, annotation: Any) -> bool:
    """Whether `value` has exactly that type, all the way down."""
    if isinstance(annotation, NewType):
        return fits(value, annotation.__supertype__)
    if annotation is None or annotation is type(None):
        return value is None
    if annotation is int:
        return type(value) is int and -(2**63) <= value < 2**64
    if annotation in {bool, float, str, bytes}:
        return type(value) is annotation
    return _fits_compound(value, annotation, get_origin(annotation), get_args(annotation))


def _fits_compound(value: Any, annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if origin is Annotated:
        return fits(value, arguments[0])
    if origin in {Union, types.UnionType}:
        return any(fits(value, arm) for arm in arguments)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if origin is tuple and arguments[1:] == (...,):
        return type(value) is tuple and all(fits(part, arguments[0]) for part in value)
    if origin is tuple:
        return type(value) is tuple and _all_fit(value, arguments)
    if issubclass(annotation, enum.Enum):
        return isinstance(value, annotation)
    if issubclass(annotation, tuple):
        hints = get_type_hints(annotation, include_extras=True)
        return type(value) is annotation and _all_fit(value, tuple(hints.values()))
    hints = get_type_hints(annotation, include_extras=True)
    return type(value) is annotation and all(
        fits(getattr(value, name), hint) for name, hint in hints.items()
    )


def _all_fit(values: tuple[Any, ...], annotations: tuple[Any, ...]) -> bool:
    return len(values) == len(annotations) and all(map(fits, values, annotations))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last bit and of the same types; NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (one == other and math.copysign(1, one) == math.copysign(1, other)) or (
            math.isnan(one) and math.isnan(other)
        )
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, msgspec.Struct):
        return same(msgspec.structs.astuple(one), msgspec.structs.astuple(other))
    return bool(one == other)


def outcome(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """What a call returns, or the exception that it raises."""
    try:
        return call(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001 (the outcome, whatever it is)
        return error
