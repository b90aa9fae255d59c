"""Bytes in pages are the bytes that they would be when joined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinos import Pages

SIZE = 8


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[bytes], int, bytes]:
    """Pages, a length, and what they are in one piece."""
    pages = draw(st.lists(st.binary(max_size=SIZE), max_size=6))
    cut = draw(st.integers(0, SIZE - 1)) if pages else 0
    length = len(pages) * SIZE - cut
    return pages, length, b"".join(page.ljust(SIZE, b"\0") for page in pages)[:length]


@given(cases())
def test_pages_are_their_bytes(case: tuple[list[bytes], int, bytes]) -> None:
    pages, length, whole = case
    made = Pages(pages, SIZE, length)
    assert (len(made), bytes(made)) == (length, whole)


@given(cases(), st.integers(0, 3))
def test_laid_down_they_touch_nothing_else(
    case: tuple[list[bytes], int, bytes], start: int
) -> None:
    pages, length, whole = case
    memory = bytearray(b"\xaa" * (start + length + 3))
    Pages(pages, SIZE, length).lay(memory, start)
    assert memory == b"\xaa" * start + whole + b"\xaa" * 3


@given(cases(), cases())
def test_equal_pages_have_equal_bytes(
    one: tuple[list[bytes], int, bytes], other: tuple[list[bytes], int, bytes]
) -> None:
    same = Pages(one[0], SIZE, one[1]) == Pages(other[0], SIZE, other[1])
    assert not same or one[2] == other[2]
    assert Pages(one[0], SIZE, one[1]) == Pages(list(one[0]), SIZE, one[1])
    assert Pages(one[0], SIZE, one[1]) == one[2]
    assert Pages(one[0], SIZE, one[1]) != one[2] + b"x"
    assert Pages(one[0], SIZE, one[1]) != one[1]


@pytest.mark.parametrize("length", [0, SIZE, 2 * SIZE + 1])
def test_pages_that_do_not_fit_their_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"2 pages of 8 bytes for {length} bytes"):
        Pages([b"a", b"b"], SIZE, length)
