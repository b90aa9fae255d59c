"""The five locks of SQLite, by their rules."""

from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.sqlite.locks import Level, LockTable

INODE = 7


def test_a_writer_waits_for_readers_and_keeps_new_ones_out() -> None:
    table = LockTable()
    assert table.acquire(INODE, "reader", Level.SHARED)
    assert table.acquire(INODE, "writer", Level.SHARED)
    assert table.acquire(INODE, "writer", Level.RESERVED)
    assert not table.acquire(INODE, "reader", Level.RESERVED)
    assert table.acquire(INODE, "second reader", Level.SHARED)
    assert not table.acquire(INODE, "writer", Level.EXCLUSIVE)
    assert not table.acquire(INODE, "late reader", Level.SHARED)
    assert table.acquire(INODE + 1, "late reader", Level.SHARED)
    table.release(INODE, "reader", Level.NONE)
    assert not table.acquire(INODE, "writer", Level.EXCLUSIVE)
    table.release(INODE, "second reader", Level.NONE)
    assert table.acquire(INODE, "writer", Level.EXCLUSIVE)
    assert not table.acquire(INODE, "reader", Level.SHARED)
    table.release(INODE, "writer", Level.SHARED)
    assert table.acquire(INODE, "reader", Level.SHARED)
    assert not table.reserved(INODE)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(
            [
                (True, Level.SHARED),
                (True, Level.RESERVED),
                (True, Level.EXCLUSIVE),
                (False, Level.SHARED),
                (False, Level.NONE),
            ]
        ),
    ),
    max_size=40,
)


@settings(derandomize=True, max_examples=300)
@given(STEPS)
def test_a_writer_is_alone(steps: list[tuple[int, tuple[bool, Level]]]) -> None:
    table = LockTable()
    held = dict.fromkeys(range(4), Level.NONE)
    for holder, (raises, level) in steps:
        if not raises:
            table.release(INODE, holder, level)
            held[holder] = min(held[holder], level)
        elif level > Level.SHARED and not held[holder]:
            continue  # SQLite reads before it writes
        elif table.acquire(INODE, holder, level):
            held[holder] = max(held[holder], level)
        levels = sorted(held.values(), reverse=True)
        assert levels[1] < Level.RESERVED, "two are about to write"
        assert levels[0] < Level.EXCLUSIVE or levels[1] == Level.NONE, "a reader beside the writer"
        assert not levels[0] >= Level.RESERVED or table.reserved(INODE)
