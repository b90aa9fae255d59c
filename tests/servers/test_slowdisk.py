"""A disk that takes its time, and the file system on it, in both ways."""

import errno
import functools
import itertools
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import System, boot
from lab.agreement import check_agreement
from lab.crash.judge import mounted
from lab.crash.recorder import Recorder
from servers.disk import BLOCK_SIZE, Disk, Extent
from servers.filesystem import FileSystem
from servers.filesystem.results import Stat
from servers.slowdisk import Arm, SlowDisk
from servers.slowfiles import OVERLAPS, OverlappedFileSystem, SlowFileSystem
from tests.conftest import Kernel, eventually
from twinos import Caller, Pages, Region, Signal, Waits, op, operations, shared

ME = Caller(1)
FAST = {SlowDisk: {"blocks": 8192, "speed": 0.0}}


def arm(blocks: int = 1000) -> Arm:
    """1 ms a block, seeks of 10 to 30 ms, turns of 8."""
    return Arm(blocks, 0.001, 0.010, 0.030, 0.008)


def test_what_follows_the_head_pays_the_transfer_alone() -> None:
    disk = arm()
    assert disk.serve([Extent(0, 5)], 0.0) == pytest.approx(0.005)
    assert disk.serve([Extent(5, 5)], 1.0) == pytest.approx(1.005)
    assert disk.serve([Extent(5, 1)], 2.0) > 2.014


def test_the_longest_seek_is_the_stroke() -> None:
    disk = arm()
    assert disk.serve([Extent(1000, 0)], 0.0) == pytest.approx(0.030 + 0.004)
    quarter = arm()
    assert quarter.serve([Extent(250, 0)], 0.0) == pytest.approx(0.010 + 0.020 / 2 + 0.004)


@given(st.lists(st.tuples(st.integers(0, 990), st.integers(1, 9), st.floats(0, 1)), max_size=20))
def test_the_arm_serves_one_after_the_other(asked: list[tuple[int, int, float]]) -> None:
    disk, now, done = arm(), 0.0, 0.0
    for block, count, pause in asked:
        now += pause
        before, done = done, disk.serve([Extent(block, count)], now)
        least, most = count * 0.001, 0.034 + count * 0.001
        assert least - 1e-9 <= done - max(before, now) <= most + 1e-9


def test_it_is_a_disk(kernel: Kernel) -> None:
    assert list(operations(SlowDisk)) == list(operations(Disk))
    with kernel.boot(SlowDisk, config={SlowDisk: {"blocks": 64, "speed": 100.0}}) as system:
        disk = system[SlowDisk]
        block = os.urandom(BLOCK_SIZE)
        disk.write(7, block)
        disk.writev((Extent(1, 1), Extent(60, 1)), block + block)
        assert disk.read(6, 2) == bytes(BLOCK_SIZE) + block
        assert disk.readv((Extent(60, 1), Extent(1, 1))) == block + block
        assert disk.geometry().blocks == 64
        with pytest.raises(OSError, match="Invalid"):
            disk.read(64)


def test_it_takes_its_time(kernel: Kernel) -> None:
    """At least what the model says; how much more is the host's affair."""
    with kernel.boot(SlowDisk, config={SlowDisk: {"blocks": 64, "turn": 0.1}}) as system:
        start = time.monotonic()
        system[SlowDisk].read(63)
        assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize("wrong", [{"settle": -1.0}, {"rate": 0.0}, {"speed": -1.0}])
def test_impossible_disks_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OSError, match="not negative") as refused:
        boot("monolithic", SlowDisk, config={SlowDisk: wrong})
    assert refused.value.errno == errno.EINVAL


@pytest.mark.parametrize("service", [SlowFileSystem, OverlappedFileSystem])
def test_the_kernels_agree(service: type[FileSystem]) -> None:
    check_agreement(service, config=FAST | {service: {"time": 1_000_000_000}}, examples=5)


@pytest.fixture(params=["monolithic", "microkernel"])
def overlapped(request: pytest.FixtureRequest) -> Iterator[System]:
    config: Any = {
        SlowDisk: {"blocks": 8192, "speed": 20.0},
        OverlappedFileSystem: {"memory": 1 << 20},
    }
    with boot(request.param, OverlappedFileSystem, config=config) as system:
        yield system


SIZE = 3 << 20
"""Of a file, three times what the file system may keep in memory."""


def read_at_random(files: FileSystem, content: dict[str, bytes], chance: random.Random) -> None:
    name = chance.choice(list(content))
    fd = files.open(name, os.O_RDONLY)
    for _ in range(60):
        offset, length = chance.randrange(SIZE), chance.choice([1, 4096, 30_000])
        assert files.pread(fd, length, offset) == content[name][offset : offset + length]
        assert files.fstat(fd).st_size == SIZE


def write_at_random(files: FileSystem, content: dict[str, bytes], chance: random.Random) -> None:
    """Change what is there to the same, and a file of one's own: readers see no change."""
    fd, mine = files.open("/a", os.O_RDWR), f"/{chance.random()}"
    for number in range(15):
        offset = chance.randrange(SIZE - 5000)
        files.pwrite(fd, content["/a"][offset : offset + 5000], offset)
        other = files.open(mine, os.O_CREAT | os.O_RDWR | os.O_TRUNC)
        files.write(other, bytes([number]) * 50_000)
        assert files.pread(other, 60_000, 0) == bytes([number]) * 50_000
        files.close(other)
        files.unlink(mine)


def test_random_reads_and_writes_read_what_was_written(
    overlapped: System, rng: random.Random
) -> None:
    """Readers overlap, writers come between, memory is short: every byte is right."""
    fs = overlapped[OverlappedFileSystem]
    content = {name: rng.randbytes(SIZE) for name in ("/a", "/b")}
    for name, data in content.items():
        fd = fs.open(name, os.O_CREAT | os.O_RDWR)
        assert fs.write(fd, data) == SIZE
        fs.close(fd)
    fs.sync()

    failures: list[BaseException] = []

    def run(program: Callable[..., None], seed: int) -> None:
        try:
            with overlapped.user() as user:
                program(user[OverlappedFileSystem], content, random.Random(seed))
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            failures.append(error)

    programs = [read_at_random] * 5 + [write_at_random] * 2
    threads = [threading.Thread(target=run, args=each) for each in zip(programs, range(7))]  # noqa: B905
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    for name, data in content.items():
        fd = fs.open(name, os.O_RDONLY)
        assert fs.read(fd, SIZE) == data


class HeldDisk(Disk):
    """A disk that stops working when it is told to."""

    def __init__(self, store: Region, image: str, blocks: int) -> None:
        super().__init__(store, image, blocks)
        self._held = False
        self._waiting = 0
        self._released = Signal()

    @op
    def hold(self, held: bool) -> None:
        self._held = held
        self._released.notify()

    @op
    def waiting(self) -> int:
        return self._waiting

    @op
    def readv(self, extents: tuple[Extent, ...]) -> Waits[bytes]:
        yield from self._work()
        return super().readv(extents)

    @op
    def writev(self, extents: tuple[Extent, ...], data: bytes) -> Waits[None]:
        yield from self._work()
        super().writev(extents, data)

    def _work(self) -> Waits[None]:
        self._waiting += 1
        while self._held:
            yield self._released
        self._waiting -= 1


class Held(OverlappedFileSystem):
    def __init__(self, disk: HeldDisk, pages: Annotated[Region, shared]) -> None:
        # As good as a slow one; and nobody has to wait to say when a file was read.
        super().__init__(disk, pages, time=1_000_000_000)  # type: ignore[arg-type]


class HeldSerial(Held, overlaps=()):
    """The same, one request at a time."""


@pytest.mark.parametrize("service", [Held, HeldSerial])
def test_a_hit_is_served_while_the_disk_works(
    kernel: Kernel, service: type[FileSystem], tmp_path: Path
) -> None:
    config: Any = {HeldDisk: {"image": str(tmp_path / "image"), "blocks": 8192}}
    with kernel.boot(service, config=config) as system:
        fs = system[service]
        fs.pwrite(fs.open("/file", os.O_CREAT | os.O_RDWR), b"end", 2 << 20)
    with kernel.boot(service, config=config) as system, system.user() as other:
        disk, fs = system[HeldDisk], system[service]
        fd, same = fs.open("/file", os.O_RDONLY), other[service].open("/file", os.O_RDONLY)
        assert fs.pread(fd, 1, 0) == b"\0"
        disk.hold(True)
        results: list[bytes] = []
        miss = threading.Thread(
            target=lambda: results.append(other[service].pread(same, 3, 2 << 20))
        )
        hit = threading.Thread(target=lambda: results.append(fs.pread(fd, 1, 0)))
        miss.start()
        eventually(lambda: disk.waiting() == 1)
        hit.start()
        hit.join(0.05 if service is HeldSerial else 10)
        assert results == ([] if service is HeldSerial else [b"\0"])
        disk.hold(False)
        miss.join(10)
        hit.join(10)
        assert sorted(results) == [b"\0", b"end"]


def test_what_overlaps_and_what_does_not() -> None:
    assert OverlappedFileSystem.__overlaps__ == set(OVERLAPS)
    assert not set(OVERLAPS) & {"fsync", "ftruncate", "truncate", "utime", "sendfile"}
    assert OverlappedFileSystem.__admits__ == {"sync", "fsync", "fdatasync"}
    assert not SlowFileSystem.__overlaps__


def test_whatever_needs_no_disk_is_served_while_it_works(kernel: Kernel, tmp_path: Path) -> None:
    config: Any = {HeldDisk: {"image": str(tmp_path / "image"), "blocks": 8192}}
    with kernel.boot(Held, config=config) as system:
        fs = system[Held]
        fs.pwrite(fs.open("/file", os.O_CREAT | os.O_RDWR), b"end", 2 << 20)
    with kernel.boot(Held, config=config) as system, system.user() as other:
        disk, fs = system[HeldDisk], system[Held]
        fd, same = fs.open("/file", os.O_RDWR), other[Held].open("/file", os.O_RDONLY)
        page = b"p" * 4096
        for offset in (0, 4096):
            fs.pwrite(fd, page, offset)
        assert fs.stat("/file").st_size == (2 << 20) + 3
        assert fs.listdir("/") == ("file",)
        disk.hold(True)
        results: list[bytes] = []
        miss = threading.Thread(target=lambda: results.append(other[Held].pread(same, 3, 2 << 20)))
        miss.start()
        eventually(lambda: disk.waiting() == 1)
        assert fs.stat("/file").st_size == (2 << 20) + 3
        assert fs.listdir("/") == ("file",)
        assert fs.pwrite(fd, page[::-1], 0) == 4096
        assert fs.read(fs.open("/file", os.O_RDONLY), 4096) == page
        assert fs.lseek(fd, 4096, os.SEEK_SET) == 4096
        assert fs.write(fd, page) == 4096
        made = fs.open("/made", os.O_CREAT | os.O_RDWR)
        assert fs.write(made, b"m" * 5000) == 5000
        assert fs.pwrite(made, b"n" * 100, 4090) == 100
        assert fs.pread(made, 20, 4080) == b"m" * 10 + b"n" * 10
        fs.close(made)
        fs.mkdir("/directory")
        fs.rename("/made", "/directory/moved")
        fs.symlink("file", "/link")
        fs.unlink("/link")
        assert fs.listdir("/directory") == ("moved",)
        assert not results
        disk.hold(False)
        miss.join(10)
        assert results == [b"end"]


def test_who_only_looks_looks_while_others_sync(kernel: Kernel, tmp_path: Path) -> None:
    config: Any = {HeldDisk: {"image": str(tmp_path / "image"), "blocks": 8192}}
    with kernel.boot(Held, config=config) as system, system.user() as other:
        disk, fs = system[HeldDisk], system[Held]
        fd = fs.open("/file", os.O_CREAT | os.O_RDWR)
        assert fs.write(fd, b"f" * 5000) == 5000
        done: list[str] = []
        disk.hold(True)

        def sync() -> None:
            other[Held].sync()
            done.append("sync")

        def write() -> None:
            fs.pwrite(fd, b"g", 0)
            done.append("write")

        threads = [threading.Thread(target=sync), threading.Thread(target=write)]
        threads[0].start()
        eventually(lambda: disk.waiting() == 1)
        threads[1].start()
        assert fs.pread(fd, 5000, 0) == b"f" * 5000
        assert fs.read(fs.open("/file", os.O_RDONLY), 5000) == b"f" * 5000
        assert fs.stat("/file").st_size == 5000
        assert fs.listdir("/") == ("file",)
        assert not done  # the write would be lost, or would be half of what is synced
        disk.hold(False)
        for thread in threads:
            thread.join(10)
        assert sorted(done) == ["sync", "write"]
        assert fs.pread(fd, 2, 0) == b"gf"


IMAGE = 1024
NAMES = ("/a", "/b")
LENGTH = 40_000
Step = tuple[str, tuple[Any, ...]]

MAKING = os.O_RDWR | os.O_CREAT
paths = st.sampled_from([*NAMES, "/c", "/d"])
steps = st.one_of(
    st.tuples(
        st.just("pread"),
        st.tuples(st.sampled_from([3, 4]), st.integers(1, 9000), st.integers(0, LENGTH)),
    ),
    st.tuples(st.just("read"), st.tuples(st.sampled_from([3, 4]), st.integers(1, 9000))),
    st.tuples(
        st.sampled_from(["pwrite"]),
        st.tuples(
            st.sampled_from([3, 4]),
            st.sampled_from([b"x" * 4096, b"y" * 4096, b"z" * 100, b"v" * 9000]),
            st.sampled_from([0, 4096, 8192, 30_000, LENGTH - 10, LENGTH + 5000]),
        ),
    ),
    st.tuples(st.just("write"), st.tuples(st.sampled_from([3, 4]), st.just(b"w" * 4096))),
    st.tuples(st.just("lseek"), st.tuples(st.just(3), st.integers(0, 9000), st.just(0))),
    st.tuples(st.just("ftruncate"), st.tuples(st.just(4), st.sampled_from([10, 5000, 50_000]))),
    st.tuples(st.just("open"), st.tuples(st.sampled_from([*NAMES, "/c"]), st.just(os.O_RDONLY))),
    st.tuples(st.just("open"), st.tuples(st.sampled_from([*NAMES, "/c"]), st.just(MAKING))),
    st.tuples(st.just("mkdir"), st.tuples(st.just("/d"))),
    st.tuples(st.just("symlink"), st.tuples(st.just("a"), st.sampled_from(["/c", "/d"]))),
    st.tuples(st.just("unlink"), st.tuples(st.sampled_from([*NAMES, "/c"]))),
    st.tuples(st.sampled_from(["rename", "link"]), st.tuples(paths, paths)),
    st.tuples(st.just("close"), st.tuples(st.sampled_from([3, 4, 5]))),
    st.tuples(st.just("listdir"), st.tuples(st.just("/"))),
    st.tuples(st.just("stat"), st.tuples(paths)),
    st.tuples(st.sampled_from(["fsync", "fdatasync"]), st.tuples(st.just(3))),
)


@functools.cache
def small_image() -> bytes:
    """Two files that are on the disk and not in memory."""
    disk = Recorder(bytes(IMAGE * BLOCK_SIZE))
    files: Any = mounted(disk)
    for name in NAMES:
        fd = files.open(ME, name, os.O_CREAT | os.O_WRONLY)
        files.write(ME, fd, random.Random(name).randbytes(LENGTH))
    files._stopping()
    return disk.contents()


def begun(call: Callable[..., Any]) -> None:
    """What is done before: both files are open, and a page of one has been changed."""
    assert [call("open", name, os.O_RDWR) for name in NAMES] == [3, 4]
    call("pwrite", 3, b"c" * 4096, 0)


def ended(call: Callable[..., Any]) -> list[Any]:
    """What is looked at afterwards."""
    looks: list[Step] = [("lseek", (fd, 0, os.SEEK_CUR)) for fd in (3, 4)]
    looks += [("pread", (fd, 2 * LENGTH, 0)) for fd in (3, 4)]
    looks += [("listdir", ("/",)), *[("stat", (name,)) for name in (*NAMES, "/c", "/d")]]
    return [outcome(call, look) for look in looks]


def outcome(call: Callable[..., Any], step: Step) -> Any:
    try:
        result = call(step[0], *step[1])
    except OSError as error:
        return error.errno
    if isinstance(result, Stat):
        return result.st_mode, result.st_nlink, result.st_size
    return bytes(result) if isinstance(result, bytes | Pages) else result


def orders(programs: list[list[Step]]) -> Iterator[tuple[int, ...]]:
    """In which order the programs' steps may come."""
    whose = [number for number, program in enumerate(programs) for _ in program]
    yield from sorted(set(itertools.permutations(whose)))


def in_series(programs: list[list[Step]], order: tuple[int, ...]) -> list[Any]:
    """What comes of them in that order, in a file system that serves one at a time."""
    files = mounted(Recorder(small_image()))
    call = lambda name, *arguments: getattr(files, name)(ME, *arguments)  # noqa: E731
    begun(call)
    left = [list(program) for program in programs]
    results: list[list[Any]] = [[] for _ in programs]
    for number in order:
        results[number].append(outcome(call, left[number].pop(0)))
    return [results, ended(call)]


@pytest.mark.parametrize("name", ["monolithic", "microkernel"])
@settings(max_examples=20)
@given(programs=st.lists(st.lists(steps, min_size=1, max_size=2), min_size=2, max_size=3))
def test_overlapped_is_as_in_some_order(name: str, programs: list[list[Step]]) -> None:
    """Threads that share their descriptors do what one after the other could have done."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image"
        image.write_bytes(small_image())
        config: Any = {
            SlowDisk: {"image": str(image), "speed": 20.0},
            OverlappedFileSystem: {"time": 1_000_000_000},
        }
        with boot(name, OverlappedFileSystem, config=config) as system:
            files = system[OverlappedFileSystem]
            call = lambda name, *arguments: getattr(files, name)(*arguments)  # noqa: E731
            begun(call)
            start = threading.Barrier(len(programs))

            def run(program: list[Step]) -> list[Any]:
                start.wait()
                return [outcome(call, step) for step in program]

            with ThreadPoolExecutor(len(programs)) as pool:
                results = list(pool.map(run, programs))
            seen = [results, ended(call)]
    assert any(seen == in_series(programs, order) for order in orders(programs))
