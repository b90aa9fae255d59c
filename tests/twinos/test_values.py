"""What may travel, what becomes of it at the gate, and that it arrives as it left."""

import array
import enum
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twinos.shapes import (
    ANYTHING,
    SHAPES,
    TEXTS,
    Access,
    Colour,
    Shape,
    Word,
    fits,
    outcome,
    same,
)
from twinos import ContractError
from twinos.codec import MalformedMessage, decoder, encode
from twinos.values import INT_MAX, INT_MIN, check_type, coercer, type_name

EXAMPLES = settings(max_examples=150)
T = TypeVar("T")


@EXAMPLES
@given(st.data(), SHAPES)
def test_a_value_of_its_type_passes_and_arrives_unchanged(
    data: st.DataObject, shape: Shape
) -> None:
    check_type(shape.annotation)
    value = data.draw(shape.values)
    assert fits(value, shape.annotation)
    coerced = coercer(shape.annotation)(value)
    assert same(coerced, value)
    assert same(decoder(shape.annotation)(encode(coerced)), value)


@EXAMPLES
@given(SHAPES, ANYTHING)
def test_anything_else_is_refused_or_becomes_the_type(shape: Shape, value: Any) -> None:
    result = outcome(coercer(shape.annotation), value)
    if isinstance(result, Exception):
        assert type(result) in {TypeError, OverflowError}
    else:
        assert fits(result, shape.annotation)
        assert same(decoder(shape.annotation)(encode(result)), result)


@EXAMPLES
@given(st.data(), SHAPES, SHAPES)
def test_a_decoder_lets_nothing_ill_typed_through(
    data: st.DataObject, sent: Shape, expected: Shape
) -> None:
    message = encode(data.draw(sent.values))
    result = outcome(decoder(expected.annotation), message)
    assert isinstance(result, MalformedMessage) or fits(result, expected.annotation)


@EXAMPLES
@given(st.data(), SHAPES)
def test_damaged_messages_are_malformed_or_of_the_type(data: st.DataObject, shape: Shape) -> None:
    message = bytearray(encode(data.draw(shape.values)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(message)))
        match data.draw(st.sampled_from(["change", "insert", "cut"])):
            case "change":
                message[place : place + 1] = data.draw(st.binary(min_size=1, max_size=1))
            case "insert":
                message[place:place] = data.draw(st.binary(max_size=5))
            case _:
                del message[place:]
    result = outcome(decoder(shape.annotation), bytes(message))
    assert isinstance(result, MalformedMessage) or fits(result, shape.annotation)


@given(st.binary(max_size=80), SHAPES)
def test_noise_is_malformed_or_of_the_type(message: bytes, shape: Shape) -> None:
    result = outcome(decoder(shape.annotation), message)
    assert isinstance(result, MalformedMessage) or fits(result, shape.annotation)


class Loose(msgspec.Struct, frozen=True):
    number: int = 0


@pytest.mark.parametrize("annotation", [Loose, str, tuple[int, ...]])
def test_nesting_as_deep_as_it_likes_is_only_malformed(annotation: Any) -> None:
    deep = b"\x91" * 60_000 + b"\xc0"
    for message in (
        deep,
        b"\x81\xa1x" + deep,  # in a field that the struct does not have
        msgspec.msgpack.encode(msgspec.msgpack.Ext(1, deep)),
    ):
        with pytest.raises(MalformedMessage):
            decoder(annotation)(message)


@pytest.mark.parametrize("message", [b"\xa1\xff", b"\xa3\xed\xa0\x80", b"\x92\xa1\xff\xa1\xff"])
def test_texts_that_are_not_utf8_are_only_malformed(message: bytes) -> None:
    for annotation in (str, tuple[str, str], Colour, int | str):
        with pytest.raises(MalformedMessage):
            decoder(annotation)(message)
        with pytest.raises(MalformedMessage):
            decoder(annotation)(msgspec.msgpack.encode(msgspec.msgpack.Ext(1, message)))


def test_an_escaped_message_is_as_strict_as_a_plain_one() -> None:
    escaped = msgspec.msgpack.encode(["aGk="])
    message = msgspec.msgpack.encode(msgspec.msgpack.Ext(1, escaped))
    assert decoder(tuple[str])(message) == ("aGk=",)
    with pytest.raises(MalformedMessage):  # base64 is nobody's bytes
        decoder(tuple[bytes])(message)
    for inner in (b"", b"\xc1", encode(["x"]) + b"x"):
        with pytest.raises(MalformedMessage):
            decoder(tuple[str])(msgspec.msgpack.encode(msgspec.msgpack.Ext(1, inner)))
    strange = msgspec.msgpack.Ext(3, b"x"), msgspec.msgpack.Ext(2, b"\xff\xfe")
    for string in strange:
        inner = msgspec.msgpack.encode([string])
        with pytest.raises(MalformedMessage):
            decoder(tuple[str])(msgspec.msgpack.encode(msgspec.msgpack.Ext(1, inner)))


@given(st.binary(max_size=40))
def test_names_that_are_not_utf8_survive(name: bytes) -> None:
    decoded = os.fsdecode(name)
    assert os.fsencode(decoder(str)(encode(decoded))) == name


@pytest.mark.parametrize("number", [INT_MIN, INT_MIN + 1, -1, 2**63 - 1, 2**63, INT_MAX])
def test_integers_of_64_bits(number: int) -> None:
    assert decoder(int)(encode(coercer(int)(number))) == number


@pytest.mark.parametrize("number", [INT_MIN - 1, INT_MAX + 1, 10**40])
def test_longer_integers_overflow(number: int) -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        coercer(int)(number)


class Index:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __index__(self) -> Any:
        return self.value


class Path:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __fspath__(self) -> Any:
        return self.value


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Point(NamedTuple):
    x: int
    y: int


class Point3(Point):
    pass


@pytest.mark.parametrize(
    ("annotation", "given_", "taken"),
    [
        (int, Index(7), 7),
        (int, True, 1),
        (int, Colour.RED.value, 1),
        (float, 3, 3.0),
        (float, True, 1.0),
        (str, PurePath("/a/b"), "/a/b"),
        (str, Path(b"\xff"), "\udcff"),
        (str, Text("as it is"), "as it is"),
        (bytes, bytearray(b"ab"), b"ab"),
        (bytes, memoryview(b"abcd")[::2], b"ac"),
        (bytes, array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
        (tuple[int, ...], [1, Index(2)], (1, 2)),
        (tuple[int, str], [1, "x"], (1, "x")),
        (Point, Point3(1, 2), Point(1, 2)),
        (float | None, 2, 2.0),
        (int | str, PurePath("x"), "x"),
    ],
)
def test_the_gate_coerces_as_os_does(annotation: Any, given_: Any, taken: Any) -> None:
    assert same(coercer(annotation)(given_), taken)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "1"),
        (int, 1.0),
        (int, None),
        (int, int),
        (float, "1"),
        (float, 1j),
        (bool, 1),
        (bool, None),
        (str, b"x"),
        (str, 1),
        (str, Path(1)),
        (bytes, "x"),
        (bytes, 3),
        (bytes, [1, 2]),
        (None, 0),
        (Colour, 1),
        (Access, 1),
        (Literal[1], True),
        (Literal[1], 1.0),
        (Literal["a"], []),
        (tuple[int, ...], {1}),
        (tuple[int, ...], "12"),
        (tuple[int, int], (1,)),
        (tuple[()], (1,)),
        (Point, (1, 2)),
        (Point, (1, "x")),
        (Loose, {"number": 1}),
        (int | None, "x"),
    ],
)
def test_the_gate_refuses(annotation: Any, value: Any) -> None:
    with pytest.raises(TypeError):
        coercer(annotation)(value)


def test_flags_that_no_member_names_must_fit() -> None:
    class Bits(enum.IntFlag):
        ONE = 1

    check_type(Bits)
    assert coercer(Bits)(Bits(2**40)) == 2**40
    with pytest.raises(OverflowError):
        coercer(Bits)(Bits(2**70))


class Mutable(msgspec.Struct):
    number: int


class Holder(msgspec.Struct, frozen=True):
    items: list[int]


class Tree(NamedTuple):
    children: "tuple[Tree, ...]"


class Lost(NamedTuple):
    what: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 (that is the case)


class Bounded(NamedTuple):
    number: Annotated[int, msgspec.Meta(ge=0)]


class Empty(enum.Enum):
    pass


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Floating(enum.Enum):
    HALF = 0.5


class Truth(enum.Enum):
    YES = True


class Huge(enum.IntEnum):
    GOOGOL = 10**100


class Pair(NamedTuple, Generic[T]):
    item: T


@pytest.mark.parametrize(
    "annotation",
    [
        object,
        Any,
        complex,
        list,
        list[int],
        dict[str, int],
        set[int],
        frozenset[int],
        bytearray,
        memoryview,
        tuple,
        Sequence[int],
        type,
        T,
        "int",
        ...,
        Mutable,
        Holder,
        Tree,
        Lost,
        Bounded,
        Annotated[int, msgspec.Meta(ge=0)],
        Annotated[int, []],
        Empty,
        Mixed,
        Floating,
        Truth,
        Huge,
        Pair[int],
        str | bytes,
        str | Word,
        tuple[int] | tuple[str],
        Literal[b"x"],
        Literal["\ud800"],
        int | list[int],
    ],
    ids=repr,
)
def test_what_may_not_travel_is_refused_where_it_is_declared(annotation: Any) -> None:
    with pytest.raises(ContractError):
        check_type(annotation)


@given(SHAPES)
def test_a_type_has_a_name_for_people(shape: Shape) -> None:
    name = type_name(shape.annotation)
    assert name
    assert "typing." not in name
    assert "<" not in name


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (None, "None"),
        (int | None, "int | None"),
        (tuple[Point, ...], "tuple[Point, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[int, "x"], "int"),
    ],
)
def test_names_of_types(annotation: Any, name: str) -> None:
    assert type_name(annotation) == name


@given(TEXTS)
def test_a_string_of_a_subclass_becomes_a_plain_one(text: str) -> None:
    assert type(coercer(str)(Text(text))) is str
    assert coercer(str)(Text(text)) == text
