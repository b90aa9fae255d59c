"""Regions: memory that outlives its holders."""

import fcntl
import gc
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinos import Region
from twinos.region import PAGE


def test_a_region_is_born_empty() -> None:
    region = Region.create("new")
    assert region.size == 0
    with pytest.raises(ValueError, match="resize it first"):
        _ = region.memory
    assert "twinos:new" in os.readlink(f"/proc/self/fd/{region.descriptor}")
    region.close()
    region.close()


@given(st.lists(st.integers(0, 3 * PAGE), max_size=6))
def test_resizing_keeps_what_was_there_and_adds_zeros(sizes: list[int]) -> None:
    region = Region.create("sizes")
    expected = b""
    try:
        for size in sizes:
            region.resize(size)
            expected = expected[:size].ljust(size, b"\0")
            assert region.size == size
            assert (region.memory[:] if size else b"") == expected
            if size:
                region.memory[size - 1] = 7
                expected = expected[:-1] + b"\x07"
    finally:
        region.close()


def test_two_holders_see_the_same_bytes_and_sizes_when_they_look_again() -> None:
    region = Region.create("shared", PAGE)
    other = Region(os.dup(region.descriptor))
    region.memory[5] = 42
    assert other.memory[5] == 42
    region.resize(2 * PAGE)
    assert other.size == PAGE
    other.remap()
    assert other.size == 2 * PAGE
    region.close()
    assert other.memory[5] == 42
    other.close()


def test_a_reader_may_not_write() -> None:
    region = Region.create("read", PAGE)
    reader = Region(os.dup(region.descriptor), writable=False)
    with pytest.raises(TypeError):
        reader.memory[0] = 1
    assert reader.memory[0] == 0
    reader.close()
    region.close()


def test_a_view_stays_valid_when_the_region_moves_or_closes() -> None:
    region = Region.create("view", PAGE)
    view = memoryview(region.memory)
    region.resize(4 * PAGE)
    view[0] = 9
    assert region.memory[0] == 9
    region.close()
    gc.collect()
    assert view[0] == 9
    view.release()


def test_sizes_that_are_none() -> None:
    region = Region.create("bad")
    with pytest.raises(OSError, match="Invalid argument"):
        region.resize(-1)
    assert region.size == 0
    region.close()


def test_a_region_keeps_one_open_file_and_its_lock(tmp_path: Path) -> None:
    region = Region.create("shelf")
    assert region.kept() is None
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    region.keep(descriptor)
    os.close(descriptor)
    for _ in range(2):
        again = region.kept()
        assert again is not None
        assert os.path.samestat(os.fstat(again), os.stat(tmp_path / "file"))
        assert not os.get_inheritable(again)
        os.close(again)
    other = os.open(tmp_path / "file", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    region.close()
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_a_grant_keeps_no_files() -> None:
    region = Region.create("granted")
    grant = Region(os.dup(region.descriptor))
    assert grant.kept() is None
    with pytest.raises(ValueError, match="keeps no files"):
        grant.keep(0)
    grant.close()
    region.close()
