"""Mapped files: against Linux's own, and what no host would let a test do to itself."""

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from kernels import System, boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import (
    MADV_DONTNEED,
    MADV_WILLNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_PRIVATE,
    MAP_SHARED,
    MS_ASYNC,
    MS_INVALIDATE,
    MS_SYNC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    AddressSpace,
    BusError,
    MemoryManager,
    SegmentationFault,
    SwapDisk,
)
from tests.conftest import eventually
from tests.servers.images import fsck
from tests.servers.spaces import errno_of, new
from tests.servers.test_memory_host import MAP_FAILED, libc
from twinos import ServerDied

PAGE = 4096
ARENA = 0x61_0000_0000
SPAN = 6
BOTH = PROT_READ | PROT_WRITE
KERNELS = pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])


@contextmanager
def machine(
    kernel: str, pages: int = 64, mapped: int = 16, disk: dict[str, Any] | None = None
) -> Iterator[System]:
    config: dict[Any, Any] = {
        MemoryManager: {"pages": pages},
        SwapDisk: {"blocks": 256},
        FileSystem: {"mapped": mapped},
        Disk: disk or {"blocks": 2048},
    }
    with boot(kernel, MemoryManager, config=config) as system:
        yield system


def opened(system: System, data: bytes, path: str = "/file", flags: int = os.O_RDWR) -> int:
    """A file with these bytes, open."""
    files = system[FileSystem]
    fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    files.write(fd, data)
    files.close(fd)
    return files.open(path, flags)


# What Linux does, too.


class Here:
    """A file and maps of it in our system."""

    def __init__(self, system: System, space: AddressSpace) -> None:
        self.files = system[FileSystem]
        self.fd = opened(system, b"")
        self.space = space

    def map(self, place: int, pages: int, flags: int, offset: int) -> None:
        address = ARENA + place * PAGE
        self.space.mmap(pages * PAGE, BOTH, flags | MAP_FIXED, address, self.fd, offset * PAGE)

    def unmap(self, place: int, pages: int) -> None:
        self.space.munmap(ARENA + place * PAGE, pages * PAGE)

    def store(self, address: int, data: bytes) -> None:
        self.space.store(address, data)

    def load(self, address: int) -> bytes:
        return self.space.load(address, PAGE)

    def write(self, data: bytes, offset: int) -> None:
        self.files.pwrite(self.fd, data, offset)

    def cut(self, size: int) -> None:
        self.files.ftruncate(self.fd, size)

    def sync(self) -> None:
        self.files.sync()

    def read(self) -> bytes:
        return self.files.pread(self.fd, 1 << 20, 0)

    def leave(self) -> None:
        self.space.close()
        self.files.close(self.fd)


class There:
    """The same with this process's memory and a file of the host."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)

    def map(self, place: int, pages: int, flags: int, offset: int) -> None:
        address = ARENA + place * PAGE
        found = libc.mmap(address, pages * PAGE, 3, flags | MAP_FIXED, self.fd, offset * PAGE)
        assert found != MAP_FAILED

    def unmap(self, place: int, pages: int) -> None:
        assert not libc.munmap(ARENA + place * PAGE, pages * PAGE)

    def store(self, address: int, data: bytes) -> None:
        ctypes.memmove(address, data, len(data))

    def load(self, address: int) -> bytes:
        return ctypes.string_at(address, PAGE)

    def write(self, data: bytes, offset: int) -> None:
        os.pwrite(self.fd, data, offset)

    def cut(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def sync(self) -> None:
        os.fsync(self.fd)

    def read(self) -> bytes:
        return os.pread(self.fd, 1 << 20, 0)

    def leave(self) -> None:
        self.unmap(0, 2 * SPAN)
        os.close(self.fd)


PLACES = st.integers(0, SPAN - 1)
STEPS = st.one_of(
    st.tuples(
        st.just("map"),
        PLACES,
        st.integers(1, 3),
        st.sampled_from([MAP_SHARED, MAP_SHARED, MAP_PRIVATE]),
        st.integers(0, 3),
    ),
    st.tuples(st.just("unmap"), PLACES, st.integers(1, 2)),
    st.tuples(st.just("store"), PLACES, st.integers(0, PAGE - 4), st.binary(min_size=1)),
    st.tuples(st.just("store"), PLACES, st.integers(0, PAGE - 4), st.binary(min_size=1)),
    st.tuples(
        st.just("write"), st.binary(min_size=1) | st.just(b"w" * 5000), st.integers(0, 20000)
    ),
    st.tuples(st.just("cut"), st.integers(0, 5 * PAGE)),
    st.tuples(st.just("sync")),
)


class Maps:
    """Which page of the file is where, and what of it is a private copy."""

    def __init__(self) -> None:
        self.pages: dict[int, tuple[int, int]] = {}
        self.size = 0

    def forget(self, place: int, pages: int) -> None:
        for page in range(place, place + pages):
            self.pages.pop(page, None)

    def room(self, place: int) -> int:
        """How many bytes of the file the page shows; 0: none, or nothing is mapped."""
        index = self.pages.get(place, (1 << 30, 0))[0]
        return min(PAGE, max(0, self.size - index * PAGE))


FIRST: list[tuple[Any, ...]] = [
    ("write", bytes(range(251)) * 60, 0),
    ("map", 0, 3, MAP_SHARED, 0),
    ("map", 3, 3, MAP_PRIVATE, 0),
]


def follow(here: Here, there: There, steps: list[tuple[Any, ...]]) -> None:
    maps = Maps()
    for name, *given in [*FIRST, *steps]:
        arguments = given
        if name == "store":
            place, offset, data = given
            data = data[: max(0, maps.room(place) - offset)]  # beyond the end anything goes
            if not data:
                continue
            arguments = [ARENA + place * PAGE + offset, data]
        for side in (here, there):
            getattr(side, name)(*arguments)
        if name == "map":
            place, pages, flags, offset = arguments
            maps.forget(place, pages)
            for page in range(pages):
                maps.pages[place + page] = offset + page, flags
        elif name == "unmap":
            maps.forget(*arguments)
        maps.size = os.fstat(there.fd).st_size
        compare(here, there, maps)


def compare(here: Here, there: There, maps: Maps) -> None:
    assert here.read() == there.read()
    for place in list(maps.pages):
        room = maps.room(place)
        address = ARENA + place * PAGE
        if room:
            assert here.load(address)[:room] == there.load(address)[:room]
        else:
            with pytest.raises(BusError):
                here.load(address)


@pytest.mark.parametrize(("kernel", "examples"), [("monolithic", 120), ("microkernel", 30)])
def test_maps_reads_and_writes_agree_as_on_linux(
    kernel: str, examples: int, tmp_path: Path
) -> None:
    with machine(kernel, pages=2, mapped=2) as system:

        @settings(
            max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture]
        )
        @drawn(st.lists(STEPS, max_size=25))
        def run(steps: list[tuple[Any, ...]]) -> None:
            here, there = Here(system, new(system)), There(tmp_path / "file")
            try:
                follow(here, there, steps)
            finally:
                there.leave()
                here.leave()

        run()
        assert system[MemoryManager].vmstat().evictions > examples
        info = system[MemoryManager].meminfo()
        assert (info.free_frames, info.free_swap) == (info.frames, info.swap)


# Errors and edges.


@pytest.mark.parametrize(
    ("how", "prot", "flags", "expected"),
    [
        (os.O_RDONLY, PROT_READ, MAP_SHARED, None),
        (os.O_RDONLY, BOTH, MAP_SHARED, errno.EACCES),
        (os.O_RDONLY, BOTH, MAP_PRIVATE, None),
        (os.O_WRONLY, PROT_WRITE, MAP_SHARED, errno.EACCES),
        (os.O_WRONLY, PROT_NONE, MAP_PRIVATE, errno.EACCES),
        (os.O_RDWR, BOTH, MAP_SHARED, None),
        (os.O_RDWR, BOTH, MAP_SHARED | MAP_PRIVATE, None),
        (os.O_RDONLY, BOTH, MAP_SHARED | MAP_PRIVATE, errno.EACCES),
        (os.O_RDWR, BOTH, 0, errno.EINVAL),
    ],
)
def test_what_a_descriptor_allows(how: int, prot: int, flags: int, expected: int | None) -> None:
    with machine("monolithic") as system, new(system) as space:
        fd = opened(system, b"x" * PAGE, flags=how)
        assert errno_of(space.mmap, PAGE, prot, flags, 0, fd) == expected
        host = os.open("/tmp", os.O_RDWR | os.O_TMPFILE)  # noqa: S108 (without a name)
        seen = os.open(f"/proc/self/fd/{host}", how)
        found = libc.mmap(0, PAGE, prot, flags, seen, 0)
        assert (ctypes.get_errno() if found == MAP_FAILED else None) == expected
        if found != MAP_FAILED:
            libc.munmap(found, PAGE)
        os.close(seen)
        os.close(host)


@pytest.mark.parametrize("kind", [MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_PRIVATE])
@pytest.mark.parametrize("anonymous", [0, MAP_ANONYMOUS])
def test_each_flag_is_taken_as_on_linux(kind: int, anonymous: int) -> None:
    """But large pages, which depend on the host, and fixed addresses, of which 0 is one."""
    sync = 0x8_0000  # without MAP_SHARED_VALIDATE it depends on the host's file system
    left_out = {MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, 0x4_0000}
    with machine("monolithic") as system, new(system) as space:
        host = -1 if anonymous else os.open("/tmp", os.O_RDWR | os.O_TMPFILE)  # noqa: S108
        fd = -1 if anonymous else opened(system, b"x")
        for flag in {1 << bit for bit in range(32)} - left_out - ({sync} if kind != 3 else set()):
            signed = ctypes.c_int(flag | kind | anonymous).value
            there = libc.mmap(0, PAGE, PROT_READ, signed, host, 0)
            expected = ctypes.get_errno() if there == MAP_FAILED else None
            if there != MAP_FAILED:
                libc.munmap(there, PAGE)
            flags = flag | kind | anonymous
            assert errno_of(space.mmap, PAGE, PROT_READ, flags, 0, fd) == expected, hex(flag)
        if not anonymous:
            os.close(host)


def test_errors_of_mapping_files() -> None:
    with machine("monolithic") as system, new(system) as space:
        fd = opened(system, b"x" * PAGE)
        for call, expected in (
            ((PAGE, 3, MAP_SHARED, 0, 99), errno.EBADF),
            ((PAGE, 3, MAP_SHARED, 0, fd, 1), errno.EINVAL),
            ((0, 3, MAP_SHARED, 0, fd), errno.EINVAL),
            ((PAGE, 3, MAP_SHARED, 0, fd, -PAGE), errno.EOVERFLOW),
            ((PAGE, 3, MAP_SHARED, 0, fd, 2**63 - PAGE), errno.EOVERFLOW),
        ):
            assert errno_of(space.mmap, *call) == expected
        directory = system[FileSystem].open("/", os.O_RDONLY)
        assert errno_of(space.mmap, PAGE, 1, MAP_SHARED, 0, directory) == errno.EACCES
        read_only = opened(system, b"x", flags=os.O_RDONLY)
        place = space.mmap(PAGE, PROT_READ, MAP_SHARED, 0, read_only)
        assert errno_of(space.mprotect, place, PAGE, BOTH) == errno.EACCES
        with pytest.raises(SegmentationFault):
            space.store(place, b"y")
        with system.user() as other, new(other) as theirs:
            assert errno_of(theirs.mmap, PAGE, 3, MAP_SHARED, 0, fd) == errno.EBADF


def test_only_services_may_lend_and_borrow() -> None:
    with machine("monolithic") as system:
        files = system[FileSystem]
        for call, arguments in (
            (files.mapping_open, (1, 3)),
            (files.mapping_page, (2, 0, False)),
            (files.mapping_copy, (0,)),
            (files.mapping_return, ((0,),)),
            (files.mapping_sync, (2,)),
            (files.mapping_close, (2,)),
            (files.mapping_cuts, ()),
            (files.mapping_reset, ()),
        ):
            assert errno_of(call, *arguments) == errno.EPERM


@KERNELS
def test_a_file_that_is_cut_under_a_mapping_is_a_bus_error(kernel: str) -> None:
    with machine(kernel) as system, new(system) as space:
        files = system[FileSystem]
        fd = opened(system, b"x" * 3 * PAGE)
        place = space.mmap(4 * PAGE, BOTH, MAP_SHARED, 0, fd)
        assert space.load(place, 3 * PAGE) == b"x" * 3 * PAGE
        files.ftruncate(fd, PAGE + 10)
        assert space.load(place + PAGE, PAGE) == b"x" * 10 + bytes(PAGE - 10)
        with pytest.raises(BusError) as caught:
            space.store(place + 2 * PAGE, b"y")
        assert caught.value.area == space.maps()[0]
        assert (caught.value.address, caught.value.access) == (place + 2 * PAGE, PROT_WRITE)
        assert caught.value.signal.name == "SIGBUS"
        assert f"bus error: store to {place + 2 * PAGE:#x}" in str(caught.value)
        space.store(place + PAGE + 8, b"beyond the end")
        files.ftruncate(fd, 4 * PAGE)
        assert space.load(place + PAGE, PAGE) == b"x" * 8 + b"be" + bytes(PAGE - 10)
        space.store(place + 3 * PAGE, b"new")
        assert files.pread(fd, 3, 3 * PAGE) == b"new"


@KERNELS
def test_private_copies_beyond_the_end_of_a_file_that_was_cut_are_gone(kernel: str) -> None:
    with machine(kernel) as system, new(system) as space:
        files, memory = system[FileSystem], system[MemoryManager]
        fd = opened(system, b"x" * 4 * PAGE)
        place = space.mmap(4 * PAGE, BOTH, MAP_PRIVATE, 0, fd)
        space.store(place, b"y" * 4 * PAGE)
        used = memory.meminfo().free_frames
        with space.fork() as child:
            child.store(place + 2 * PAGE, b"z")
            files.ftruncate(fd, PAGE + 1)
            assert [one.mincore(place, 4 * PAGE) for one in (space, child)] == [b"\1\1\0\0"] * 2
            assert (space.statm().resident, child.statm().resident) == (2, 2)
            files.ftruncate(fd, 3 * PAGE)
            assert child.load(place, 3 * PAGE) == b"y" * 2 * PAGE + bytes(PAGE)
            child.store(place + 2 * PAGE, b"new")
            for one in (space, child):
                with pytest.raises(BusError):
                    one.store(place + 3 * PAGE, b"y")
            files.ftruncate(fd, 2 * PAGE + 1)
            assert child.load(place + 2 * PAGE, 3) == b"new"
        assert space.load(place + PAGE, 2 * PAGE) == b"y" * PAGE + bytes(PAGE)
        assert memory.meminfo().free_frames == used + 2


def test_a_mapping_outlives_its_descriptor_and_its_name() -> None:
    with machine("monolithic") as system, new(system) as space:
        files = system[FileSystem]
        free = files.statvfs("/").f_bfree
        fd = opened(system, b"still here")
        place = space.mmap(PAGE, BOTH, MAP_SHARED, 0, fd)
        files.close(fd)
        files.unlink("/file")
        assert space.load(place, 10) == b"still here"
        space.munmap(place, PAGE)
        assert files.statvfs("/").f_bfree == free


@KERNELS
def test_what_was_stored_is_in_the_image_after_msync_and_at_the_end(
    kernel: str, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    with machine(kernel, disk={"image": str(image), "blocks": 2048}) as system:
        fd = opened(system, b"." * 3 * PAGE)
        with new(system) as space:
            place = space.mmap(3 * PAGE, BOTH, MAP_SHARED, 0, fd)
            space.store(place + PAGE, b"by msync")
            space.msync(place, 3 * PAGE, MS_SYNC)
            assert b"by msync" in image.read_bytes()
            space.store(place + PAGE, b"once more")
            space.msync(place, 3 * PAGE)
            assert b"once more" in image.read_bytes()
            space.store(place, b"by munmap")
        leak = new(system)
        leak.store(leak.mmap(PAGE, BOTH, MAP_SHARED, 0, fd, 2 * PAGE), b"by nothing")
        vars(leak).clear()
    data = image.read_bytes()
    assert b"by munmap" in data
    assert b"by nothing" in data
    fsck(image)


@pytest.mark.parametrize("start", [PAGE + 472, PAGE + 1024])
def test_a_page_that_is_mapped_grows_with_its_file(start: int, tmp_path: Path) -> None:
    image = tmp_path / "image"
    for grow in ("truncate", "write"):
        with machine("monolithic", disk={"image": str(image), "blocks": 2048}) as system:
            files = system[FileSystem]
            fd = opened(system, b"x" * 3 * PAGE)
            with new(system) as space:
                place = space.mmap(3 * PAGE, BOTH, MAP_SHARED, 0, fd)
                space.store(place, b"y" * 3 * PAGE)
                files.ftruncate(fd, start)
                if grow == "truncate":
                    files.ftruncate(fd, 2 * PAGE)
                else:
                    files.pwrite(fd, b"z", 2 * PAGE - 1)
                space.store(place + PAGE + 2000, b"new")
                files.sync()
        fsck(image)
        with machine("monolithic", disk={"image": str(image)}) as system:
            fd = system[FileSystem].open("/file", os.O_RDONLY)
            found = system[FileSystem].pread(fd, 3 * PAGE, 0)
        expected = bytearray(b"y" * start).ljust(2 * PAGE, b"\0")
        expected[PAGE + 2000 : PAGE + 2003] = b"new"
        expected[-1] = found[-1]
        assert (found, found[-1]) == (bytes(expected), 0 if grow == "truncate" else ord("z"))


def test_errors_of_msync() -> None:
    with machine("monolithic") as system, new(system) as space:
        place = space.mmap(2 * PAGE, BOTH, MAP_SHARED, 0, opened(system, b"x"))
        for arguments, expected in (
            ((place, PAGE, MS_ASYNC), None),
            ((place, PAGE, 0), None),
            ((place, PAGE, 8), errno.EINVAL),
            ((place, PAGE, MS_SYNC | MS_ASYNC), errno.EINVAL),
            ((place + 1, PAGE, MS_SYNC), errno.EINVAL),
            ((place, 3 * PAGE, MS_SYNC), errno.ENOMEM),
            ((place, -PAGE, MS_SYNC), errno.ENOMEM),
            ((place, -1, MS_SYNC), None),
        ):
            assert errno_of(space.msync, *arguments) == expected
        space.mlock(place, PAGE)
        assert errno_of(space.msync, place, PAGE, MS_INVALIDATE) == errno.EBUSY


@KERNELS
def test_users_and_children_see_the_same_file(kernel: str) -> None:
    with machine(kernel) as system, system.user() as other:
        fd = opened(system, b"." * 2 * PAGE)
        theirs = other[FileSystem].open("/file", os.O_RDWR)
        with new(system) as ours, new(other) as view:
            place = ours.mmap(2 * PAGE, BOTH, MAP_SHARED, 0, fd)
            private = ours.mmap(2 * PAGE, BOTH, MAP_PRIVATE, 0, fd)
            there = view.mmap(PAGE, BOTH, MAP_SHARED, 0, theirs, PAGE)
            ours.store(place + PAGE, b"ours")
            assert view.load(there, 4) == ours.load(private + PAGE, 4) == b"ours"
            with ours.fork() as child:
                child.store(place + PAGE, b"kid!")
                child.store(private + PAGE, b"own!")
                assert view.load(there, 4) == ours.load(private + PAGE, 4) == b"kid!"
                assert child.load(private + PAGE, 4) == b"own!"
            ours.store(private + PAGE, b"mine")
            other[FileSystem].pwrite(theirs, b"file", PAGE)
            assert (ours.load(place + PAGE, 4), ours.load(private + PAGE, 4)) == (b"file", b"mine")
            ours.madvise(private, 2 * PAGE, MADV_DONTNEED)
            assert ours.load(private + PAGE, 4) == b"file"


def test_a_store_to_another_part_of_a_page_is_not_undone_by_a_write() -> None:
    """The write reads the page before it changes it; what is stored in between must stay."""
    with machine("monolithic") as system, new(system) as space:
        files: Any = system._kernel._space._instances[FileSystem]
        fd = opened(system, b"." * PAGE)
        place = space.mmap(PAGE, BOTH, MAP_SHARED, 0, fd)
        space.store(place, b"a")
        content = files._content
        merged = content._merged

        def meanwhile(*arguments: Any) -> Any:
            fresh = merged(*arguments)
            space.store(place + 100, b"stored")
            return fresh

        content._merged = meanwhile
        system[FileSystem].pwrite(fd, b"written", 0)
        content._merged = merged
        assert space.load(place, 7) == b"written"
        assert space.load(place + 100, 6) == b"stored"


def test_a_full_disk_is_a_bus_error_when_a_hole_is_stored_to() -> None:
    with machine("monolithic", disk={"blocks": 200}) as system, new(system) as space:
        files = system[FileSystem]
        fd = opened(system, b"")
        files.ftruncate(fd, 2 * PAGE)
        place = space.mmap(2 * PAGE, BOTH, MAP_SHARED, 0, fd)
        assert space.load(place, 2 * PAGE) == bytes(2 * PAGE)
        hog = files.open("/hog", os.O_RDWR | os.O_CREAT)
        while errno_of(files.write, hog, b"z" * 1024) is None:
            pass
        with pytest.raises(BusError):
            space.store(place, b"x")
        files.ftruncate(hog, 0)
        files.sync()
        space.store(place, b"x")
        assert files.pread(fd, 1, 0) == b"x"


def test_more_is_mapped_than_can_be_borrowed_at_once() -> None:
    with machine("monolithic", mapped=2) as system, new(system) as space:
        fd = opened(system, bytes(range(256)) * 16 * 8)
        place = space.mmap(8 * PAGE, BOTH, MAP_SHARED, 0, fd)
        for page in range(8):
            space.store_u32(place + page * PAGE, page)
        space.madvise(place, 8 * PAGE, MADV_WILLNEED)
        assert [space.load_u32(place + page * PAGE) for page in range(8)] == list(range(8))
        data = system[FileSystem].pread(fd, 8 * PAGE, 0)
        assert [data[page * PAGE] for page in range(8)] == list(range(8))
        assert space.statm().resident == 2
    with machine("monolithic", mapped=0) as system, new(system) as space:
        fd = opened(system, b"x")
        assert errno_of(space.mmap, PAGE, 1, MAP_SHARED, 0, fd) == errno.ENODEV


@KERNELS
def test_when_the_file_system_dies_its_pages_are_still_mapped(kernel: str) -> None:
    if kernel == "monolithic":
        pytest.skip("there a bug in a service is a panic of the whole system")
    with machine(kernel, disk={"blocks": 2048}) as system, new(system) as space:
        fd = opened(system, b"x" * PAGE)
        place = space.mmap(PAGE, BOTH, MAP_SHARED, 0, fd)
        mine = space.mmap(PAGE)
        gone = space.mmap(PAGE, BOTH, MAP_SHARED, 0, opened(system, b"y" * PAGE, "/gone"))
        space.store(place, b"before")
        space.store(mine, b"kept")
        space.load(gone, 1)
        system[FileSystem].truncate("/gone", 0)
        kill_server("FileSystem")
        space.store(place + 6, b"between")
        fd = eventually(lambda: reopened(system))
        assert space.load(place, 14) == b"before" + b"betweenx"
        assert space.load(mine, 4) == b"kept"
        again = space.mmap(PAGE, BOTH, MAP_SHARED, 0, fd)
        space.store(again, b"beyond")
        assert system[FileSystem].pread(fd, 14, 0) == space.load(place, 14) == b"beyondbetweenx"
        with pytest.raises(BusError):
            space.load(gone, 1)


def reopened(system: System) -> int:
    try:
        return system[FileSystem].open("/file", os.O_RDWR)
    except ServerDied:
        return 0


def kill_server(name: str) -> None:
    """Kill the process of a service of this system."""
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/status", encoding="utf-8") as status:
                lines = dict(
                    line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line
                )
        except (OSError, ValueError):
            continue
        if lines.get("Name") == name and descends(int(entry)):
            os.kill(int(entry), 9)
            return
    raise AssertionError(f"no process is called {name}")


def descends(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
    return False


def test_an_address_space_without_the_pages_of_files_maps_none() -> None:
    with machine("monolithic") as system:
        regions = (system.region(MemoryManager, name) for name in ("frames", "tables"))
        with AddressSpace(system[MemoryManager], *regions) as space:
            fd = opened(system, b"x")
            assert errno_of(space.mmap, PAGE, 1, MAP_SHARED, 0, fd) == errno.ENODEV
            assert space.load(space.mmap(PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS), 1) == b"\0"
