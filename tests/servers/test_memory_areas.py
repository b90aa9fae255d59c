"""The areas of an address space against a flat model: a dict of pages."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from servers.memory.areas import Area, Areas
from servers.memory.layout import ADDRESS_END, ADDRESS_START
from servers.memory.mman import MAP_PRIVATE, MAP_SHARED

PAGE = 4096
SPAN = 12

RANGES = st.tuples(st.integers(0, SPAN), st.integers(1, SPAN)).map(
    lambda pair: (ADDRESS_START + pair[0] * PAGE, ADDRESS_START + (pair[0] + pair[1]) * PAGE)
)
KINDS = st.tuples(st.integers(0, 1), st.sampled_from([(MAP_PRIVATE, 0), (MAP_SHARED, 7)]))
CHANGES = st.lists(st.tuples(RANGES, KINDS | st.none(), st.integers(0, 2)))

Flat = dict[int, tuple[int, int, int, int]]
Change = tuple[tuple[int, int], tuple[int, tuple[int, int]] | None, int]


def flat(areas: list[Area]) -> Flat:
    """What each page shows."""
    return {
        page: (area.prot, area.flags, area.backing, area.clip(page, page + PAGE).offset)
        for area in areas
        for page in range(area.start, area.end, PAGE)
    }


def build(changes: list[Change]) -> tuple[Areas, Flat]:
    areas, model = Areas(), Flat()
    for (start, end), kind, shift in changes:
        here = {page: shown for page, shown in model.items() if start <= page < end}
        assert flat(areas.between(start, end)) == here
        assert areas.cover(start, end) == (len(here) == (end - start) // PAGE)
        assert flat(areas.remove(start, end)) == here
        for page in here:
            del model[page]
        if kind:
            prot, (flags, backing) = kind
            # Object 7 is always shown at the same place, but for a shift, so areas of it may join.
            offset = start - ADDRESS_START + shift * PAGE if backing else 0
            area = Area(start, end, prot, flags, backing, offset)
            areas.add(area)
            model.update(flat([area]))
    return areas, model


@given(CHANGES)
def test_areas_show_what_was_mapped_last(changes: list[Change]) -> None:
    areas, model = build(changes)
    assert flat(list(areas)) == model
    for page in range(ADDRESS_START - PAGE, ADDRESS_START + 2 * SPAN * PAGE, PAGE):
        found = areas.find(page + 1)
        assert (found is not None) == (page in model)
        assert found is None or flat([found])[page] == model[page]


@given(CHANGES)
def test_areas_are_sorted_apart_and_as_few_as_can_be(changes: list[Change]) -> None:
    areas, model = build(changes)
    assert len(areas) == len(list(areas))
    for before, after in pairwise(areas):
        assert before.end <= after.start
        assert not after.continues(before)
        if before.end == after.start and not before.backing:
            last, first = model[before.end - PAGE], model[after.start]
            assert last != first


@given(CHANGES, st.integers(1, 3 * SPAN))
def test_a_gap_is_free_and_the_highest(changes: list[Change], pages: int) -> None:
    areas, _ = build(changes)
    areas.add(Area(ADDRESS_START + 3 * SPAN * PAGE, ADDRESS_END, 0, MAP_PRIVATE))
    starts = range(ADDRESS_START, ADDRESS_START + (3 * SPAN - pages + 1) * PAGE, PAGE)
    free = [start for start in starts if not areas.between(start, start + pages * PAGE)]
    assert areas.gap(pages * PAGE) == max(free, default=None)
