"""How long a mount takes after the power failed: `pytest benchmarks/test_recovery.py`.

The image has 8 MiB and 2,000 files; its log holds a renaming of many of them, scattered over the
tables, and nothing of that has reached its place. The clean image beside it shows what of the time
is not recovery. The aim is 50 ms.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kernels import boot
from lab.crash.judge import mounted
from lab.crash.recorder import Recorder, Write
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.layout import BLOCK_SIZE, Superblock
from servers.filesystem.logformat import find_header, read_transaction
from twinos import Caller, Region

BLOCKS: Final = 8192
FILES: Final = 2000
ROUNDS: Final = 30
ME: Final = Caller(1)


def crowded() -> tuple[Recorder, Any]:
    """A file system with many files, all of it on the disk."""
    disk = Recorder(bytes(BLOCKS * BLOCK_SIZE))
    files: Any = mounted(disk)
    for number in range(FILES):
        if not number % 100:
            files.mkdir(ME, f"/{number // 100}")
        descriptor = files.open(ME, f"/{number // 100}/{number}", os.O_CREAT | os.O_WRONLY)
        files.write(ME, descriptor, b"x" * 1000)
        files.close(ME, descriptor)
    files.sync()
    return disk, files


def interrupted() -> bytes:
    """The image when its largest transaction is in the log, and no block of it in its place."""
    disk, files = crowded()
    before = bytearray(disk.contents())
    disk.events.clear()
    for number in sorted(range(FILES), key=lambda number: number % 16):  # each in another block
        path = f"/{number // 100}/{number}"
        files.rename(ME, path, f"{path}.new")
    files.sync()
    starts = [
        at
        for at, event in enumerate(disk.events)
        if isinstance(event, Write) and event.data.startswith(b"TwinOStx")
    ]
    largest = max(starts, key=lambda at: count(disk.events[at]))
    after = next(
        at for at in range(largest, len(disk.events)) if not isinstance(disk.events[at], Write)
    )
    for event in disk.events[:after]:
        if isinstance(event, Write):
            before[event.block * BLOCK_SIZE : (event.block + 1) * BLOCK_SIZE] = event.data
    return bytes(before)


def count(event: Any) -> int:
    """Blocks of the transaction that begins with this write."""
    return int.from_bytes(event.data[16:20], "little")


@pytest.fixture(params=["clean", "recovered"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bytes]:
    if request.param == "recovered":
        yield interrupted()
        return
    path = tmp_path / "clean"
    path.write_bytes(crowded()[0].contents())
    with boot("monolithic", FileSystem, config={Disk: {"image": str(path)}}):
        pass  # it ends in good order
    yield path.read_bytes()


def test_recovery(benchmark: BenchmarkFixture, image: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image"
    superblock = Superblock.unpack(image[BLOCK_SIZE : 2 * BLOCK_SIZE])

    def read(block: int, blocks: int) -> bytes:
        return image[block * BLOCK_SIZE : (block + blocks) * BLOCK_SIZE]

    header = find_header(read, superblock, BLOCKS)
    assert header is not None
    transaction = read_transaction(read, header)
    benchmark.extra_info["blocks in the log"] = len(transaction.blocks) if transaction else 0
    store = Region.create("disk")
    opened: list[Any] = []

    def crash() -> tuple[tuple[Any], dict[str, Any]]:
        opened.clear()  # a disk that nobody has is closed
        path.write_bytes(image)
        disk = Disk(store, str(path))
        opened.append(disk)
        return (disk,), {}

    try:
        files: Any = benchmark.pedantic(FileSystem, setup=crash, rounds=ROUNDS)
        assert len(files.listdir(ME, "/")) == FILES // 100
        del files
    finally:
        opened.clear()
        store.close()
