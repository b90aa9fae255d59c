"""The disk: what is written is read, in memory and in an image, and nothing else is touched."""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.disk import TRANSFER, Disk, Extent, Geometry
from tests.servers.oracle import outcome
from twinos import Region

BLOCKS = 16
SIZE = 64


@pytest.fixture
def store() -> Iterator[Any]:
    region = Region.create("disk")
    yield region
    region.close()


@pytest.fixture
def image(tmp_path: Path) -> Any:
    return str(tmp_path / "image")


def error_of(operation: Any, *arguments: Any) -> Any:
    found, code = outcome(operation, *arguments)
    assert found == "error"
    return code


extents = st.lists(st.builds(Extent, st.integers(0, 11), st.integers(0, 4)), max_size=4)
writes = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 11), st.integers(0, 4)),
    st.tuples(st.just("writev"), extents),
)


@pytest.mark.parametrize("medium", ["memory", "image"])
def test_every_way_of_writing_is_seen_by_every_way_of_reading(image: str, medium: Any) -> None:
    path = image if medium == "image" else None

    @given(st.lists(writes, max_size=8), extents, st.randoms(use_true_random=False))
    def check(steps: Any, wanted: Any, rng: random.Random) -> None:
        region = Region.create("disk")
        disk = Disk(region, path, blocks=BLOCKS, block_size=SIZE, erase=True)
        model = bytearray(BLOCKS * SIZE)
        for name, *arguments in steps:
            runs = arguments[0] if name == "writev" else [tuple(arguments)]
            data = rng.randbytes(SIZE * sum(count for _, count in runs))
            first = tuple(runs) if name == "writev" else runs[0][0]
            getattr(disk, name)(first, data)
            for block, count in runs:
                model[block * SIZE : (block + count) * SIZE] = data[: count * SIZE]
                data = data[count * SIZE :]
        assert disk.read(0, BLOCKS) == model
        assert disk.blank() == (not any(model))
        parts = [model[block * SIZE : (block + count) * SIZE] for block, count in wanted]
        assert disk.readv(tuple(wanted)) == b"".join(parts)
        disk._stopping()
        region.close()

    check()


@pytest.mark.parametrize("medium", ["memory", "image"])
def test_what_is_out_of_range_or_in_pieces_is_refused_whole(
    store: Region, image: str, medium: Any
) -> None:
    disk = Disk(store, image if medium == "image" else None, blocks=BLOCKS, block_size=SIZE)
    for block, count in [(-1, 1), (0, -1), (BLOCKS, 1), (0, BLOCKS + 1), (2**63, 1), (1, 2**63)]:
        assert error_of(disk.read, block, count) == errno.EINVAL
        assert error_of(disk.readv, (Extent(0, 1), Extent(block, count))) == errno.EINVAL
        assert (
            error_of(disk.writev, (Extent(0, 1), Extent(block, count)), b"x" * SIZE) == errno.EINVAL
        )
    assert error_of(disk.write, 0, b"x" * (SIZE - 1)) == errno.EINVAL
    assert error_of(disk.write, BLOCKS - 1, b"x" * 2 * SIZE) == errno.EINVAL
    assert error_of(disk.writev, (Extent(0, 2),), b"x" * SIZE) == errno.EINVAL
    too_much = TRANSFER // (BLOCKS * SIZE) + 1
    assert error_of(disk.readv, (Extent(0, BLOCKS),) * too_much) == errno.EINVAL
    assert disk.read(0, BLOCKS) == bytes(BLOCKS * SIZE)
    disk._stopping()


def test_memory_outlives_the_service(store: Region) -> None:
    Disk(store, blocks=BLOCKS).write(3, b"x" * 1024)
    again = Disk(store, blocks=BLOCKS, erase=True)
    assert again.read(3) == b"x" * 1024
    assert error_of(lambda: Disk(store, blocks=BLOCKS + 1)) == errno.EINVAL


def test_an_image_outlives_the_system(image: str) -> None:
    for life in range(2):
        region = Region.create("disk")
        disk = Disk(region, image, blocks=BLOCKS)
        if life == 0:
            disk.write(3, b"x" * 1024)
            disk.flush()
        assert disk.read(3) == b"x" * 1024
        disk._stopping()
        region.close()
    assert os.path.getsize(image) == BLOCKS * 1024


def test_an_image_is_erased_once_and_not_when_the_service_comes_back(
    store: Region, image: str
) -> None:
    with open(image, "wb") as file:
        file.write(b"x" * 1024 * BLOCKS)
    disk = Disk(store, image, erase=True)
    assert disk.blank()
    disk.write(3, b"y" * 1024)
    disk._stopping()
    again = Disk(store, image, erase=True)
    assert again.read(3) == b"y" * 1024
    again._stopping()


@pytest.mark.parametrize(
    ("size", "blocks", "words"),
    [
        (None, None, "there is no disk image .*; to make one, say how many blocks"),
        (1500, None, "has 1500 bytes"),
        (0, None, "too few for 1"),
        (2048, 3, "2 blocks, too few for 3"),
        (None, 0, "at least one block"),
        (None, 2**60, "more than any disk has"),
    ],
)
def test_an_image_that_will_not_do_gets_one_sentence(
    store: Region, image: str, size: Any, blocks: int, words: Any
) -> None:
    if size is not None:
        with open(image, "wb") as file:
            file.truncate(size)
    with pytest.raises(OSError, match=words) as caught:
        Disk(store, image, blocks)
    assert "\n" not in str(caught.value)
    assert os.path.exists(image) == (size is not None)


def test_only_the_blocks_that_were_asked_for_are_the_disk(store: Region, image: str) -> None:
    with open(image, "wb") as file:
        file.truncate(10 * 1024)
    disk = Disk(store, image, blocks=4)
    assert disk.geometry() == Geometry(1024, 4)
    assert error_of(disk.write, 4, bytes(1024)) == errno.EINVAL
    disk._stopping()


def test_an_image_that_became_shorter_is_an_input_error(store: Region, image: str) -> None:
    disk = Disk(store, image, blocks=BLOCKS)
    os.truncate(image, 1000)
    assert error_of(disk.read, 0) == errno.EIO
    disk._stopping()


def test_the_image_is_not_inherited(store: Region, image: str) -> None:
    disk = Disk(store, image, blocks=BLOCKS)
    descriptors = [
        int(entry)
        for entry in os.listdir("/proc/self/fd")
        if os.path.realpath(f"/proc/self/fd/{entry}") == os.path.realpath(image)
    ]
    assert len(descriptors) == 1
    assert not os.get_inheritable(descriptors[0])
    disk._stopping()


@pytest.mark.parametrize("durable", [True, False])
def test_who_wants_no_durability_does_not_wait_for_it(
    store: Any, image: str, durable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(os, "fdatasync", waits.append)
    disk = Disk(store, image, blocks=BLOCKS, block_size=SIZE, durable=durable)
    disk.write(0, bytes(SIZE))
    disk.flush()
    disk._stopping()
    assert len(waits) == (2 if durable else 0)
