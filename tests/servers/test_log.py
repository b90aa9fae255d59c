"""The log: what it completes, what it leaves alone, and where it ends."""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import boot
from lab.crash.judge import broken_promises, mounted, recovered
from lab.crash.recorder import Done, Recorder, Write
from lab.crash.script import Script
from lab.crash.states import PREFIX, states
from lab.crash.tight import FULL, fill
from lab.crash.tree import look
from servers.disk import Disk, Extent
from servers.filesystem import FileSystem, make_filesystem
from servers.filesystem.check import Code, MemoryImage, check
from servers.filesystem.layout import BLOCK_SIZE, CLEAN, Superblock
from servers.filesystem.log import Log
from servers.filesystem.logformat import Header, find_header, read_transaction
from servers.filesystem.mkfs import plan, plan_with_log
from servers.filesystem.nodes import Nodes
from servers.filesystem.repair import repair
from servers.filesystem.survey import Doubts, Survey
from servers.filesystem.writing import PageWriter
from tests.servers.images import booted, fsck, mkfs, read_file, write_file
from tests.servers.oracle import outcome
from twinos import Caller

ME = Caller(1)
BLOCKS = 400
LOG = 64


def codes(image: bytes | bytearray) -> set[Code]:
    return {found.code for found in check(MemoryImage(bytearray(image)))}


def superblock(image: bytes | bytearray) -> Superblock:
    return Superblock.unpack(image[BLOCK_SIZE : 2 * BLOCK_SIZE])


def header(image: bytes) -> Header:
    memory = MemoryImage(bytearray(image))
    found = find_header(memory.read, superblock(image), len(image) // BLOCK_SIZE)
    assert found is not None
    return found


def put(files: Any, path: str, data: bytes) -> None:
    descriptor = files.open(ME, path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    files.write(ME, descriptor, data)
    files.close(ME, descriptor)


def stopped(kept: int | None) -> bytes:
    """An image after a loss of power: the log is written, and of the rest `kept` blocks.

    None means all of them.
    """
    disk = Recorder(bytes(BLOCKS * BLOCK_SIZE))
    files: Any = mounted(disk, LOG)
    put(files, "/old", b"old" * 1000)
    files.sync()
    files._volume.unmount()
    del disk.events[:]
    before = disk.contents()
    put(files, "/new", b"new" * 1000)
    files.mkdir(ME, "/folder")
    files.unlink(ME, "/old")
    files.sync()
    log = next(at for at, event in enumerate(disk.events) if is_log(event))
    flushed = next(at for at in range(log, len(disk.events)) if not is_write(disk.events[at]))
    rest = [event for event in disk.events[flushed:] if isinstance(event, Write)]
    data = bytearray(before)
    early = [event for event in disk.events[:flushed] if isinstance(event, Write)]
    for event in early + (rest if kept is None else rest[:kept]):
        data[event.block * BLOCK_SIZE : (event.block + 1) * BLOCK_SIZE] = event.data
    return bytes(data)


def is_write(event: Any) -> bool:
    return isinstance(event, Write)


def is_log(event: Any) -> bool:
    return isinstance(event, Write) and event.data.startswith(b"TwinOStx")


@pytest.mark.parametrize("kept", [0, 1, 3, None])
def test_the_next_mount_completes_what_the_log_holds(kept: int | None) -> None:
    image = stopped(kept)
    assert codes(image) == (set() if kept is None else {Code.LOG_DUE})
    disk = recovered(image)
    assert codes(disk.contents()) == set()
    assert set(look(mounted(disk))) == {"/", "/new", "/folder"}
    assert header(disk.contents()).sequence > header(image).sequence


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_disk_that_is_only_read_shows_it_and_stays_as_it_is(tmp_path: Path, kernel: Any) -> None:
    path = tmp_path / "image"
    path.write_bytes(image := stopped(1))
    config = {Disk: {"image": str(path), "read_only": True}}
    with boot(kernel, FileSystem, config=config) as system:
        files = system[FileSystem]
        assert set(files.listdir("/")) == {"new", "folder"}
        assert read_file(files, "/new") == b"new" * 1000
        files.sync()
    assert path.read_bytes() == image


def test_repair_completes_it_too() -> None:
    data = bytearray(stopped(1)) + bytes(100)  # it ends within a block
    done = repair(MemoryImage(data))
    assert any("completed transaction" in sentence for sentence in done)
    assert codes(data) == set()
    assert set(look(mounted(Recorder(data)))) == {"/", "/new", "/folder"}


def changed_by_another(image: bytes) -> bytes:
    """The image after a tool without our log has made a file in it."""
    zones = superblock(image).zones
    disk = Recorder(image[: zones * BLOCK_SIZE])
    files: Any = mounted(disk)
    put(files, "/foreign", b"foreign" * 500)
    files._volume.unmount()
    return disk.contents() + image[zones * BLOCK_SIZE :]


@pytest.mark.parametrize(("kept", "old"), [(0, "/old"), (None, "/new")])
def test_what_another_program_changed_since_is_kept(kept: int | None, old: str) -> None:
    image = changed_by_another(stopped(kept))
    assert codes(image) == {Code.LOG_STALE}
    disk = recovered(image)
    tree = look(mounted(disk))
    assert tree["/foreign"].content == b"foreign" * 500
    assert old in tree
    assert codes(disk.contents()) == set()


def test_what_another_program_damaged_since_is_refused_until_it_is_repaired() -> None:
    image = bytearray(stopped(2))
    table = superblock(image).table_start * BLOCK_SIZE
    image[table + 5 * 64 : table + 5 * 64 + 64] = b"\1" * 64
    with pytest.raises(OSError, match="another program changed it") as caught:
        recovered(bytes(image))
    assert caught.value.errno == errno.EUCLEAN
    repair(MemoryImage(image))
    assert codes(recovered(bytes(image)).contents()) == set()


def test_a_new_file_system_knows_nothing_of_an_old_log(tmp_path: Path) -> None:
    image = stopped(0)
    disk: Any = Recorder(image)
    make_filesystem(disk, log=LOG)
    assert set(look(mounted(disk))) == {"/"}
    path = tmp_path / "image"
    mkfs(str(path), BLOCKS)
    over = path.read_bytes()
    covered = bytearray(image)
    covered[: len(over) - BLOCK_SIZE] = over[:-BLOCK_SIZE]  # all but the header at the end
    assert set(look(mounted(Recorder(covered)))) == {"/"}


def test_an_image_that_was_made_longer_keeps_its_log() -> None:
    image = stopped(1) + bytes(37 * BLOCK_SIZE)
    disk = recovered(image)
    assert set(look(mounted(disk))) == {"/", "/new", "/folder"}


def test_a_damaged_header_is_refused_and_repaired() -> None:
    image = bytearray(stopped(None))
    image[-BLOCK_SIZE + 20] ^= 1
    with pytest.raises(OSError, match="header of its log") as caught:
        recovered(bytes(image))
    assert caught.value.errno == errno.EUCLEAN
    assert codes(image) == {Code.LOG_HEADER}
    assert repair(MemoryImage(image)) == ["made a new header for the log, and emptied it"]
    assert codes(recovered(bytes(image)).contents()) == set()
    assert header(bytes(image)).blocks == LOG


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_log_is_never_replayed_in_part(seed: int) -> None:
    """Any byte of a transaction: it counts as a whole or not at all."""
    rng = random.Random(seed)
    image = stopped(None)
    start = superblock(image).zones * BLOCK_SIZE
    transaction = read_transaction(MemoryImage(bytearray(image)).read, header(image))
    assert transaction is not None
    size = (len(transaction.blocks) + 2) * BLOCK_SIZE
    data = bytearray(image)
    for _ in range(rng.choice([1, 3])):
        data[start + rng.randrange(size)] ^= 1 << rng.randrange(8)
    assert look(mounted(Recorder(data))) == look(mounted(Recorder(image)))


def test_a_clean_unmount_empties_the_log_and_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "image")
    with booted(path, 2000) as system:
        assert superblock(Path(path).read_bytes()).flags == CLEAN
        write_file(system[FileSystem], "/file", b"x")
        system[FileSystem].sync()
        image = Path(path).read_bytes()
        assert superblock(image).flags == 0
        assert read_transaction(MemoryImage(bytearray(image)).read, header(image))
    image = Path(path).read_bytes()
    assert superblock(image).flags == CLEAN
    assert read_transaction(MemoryImage(bytearray(image)).read, header(image)) is None


class Failing(Recorder):
    """A disk on which one write or flush fails."""

    left = 1 << 30

    def writev(self, extents: tuple[Extent, ...], data: bytes) -> None:
        self._count()
        super().writev(extents, data)

    def flush(self) -> None:
        self._count()
        super().flush()

    def _count(self) -> None:
        self.left -= 1
        if not self.left:
            raise OSError(errno.EIO, "the disk fails")


def session(disk: Failing, log: int) -> FileSystem:
    files: Any = mounted(disk, log)
    for round_ in range(4):
        put(files, "/a", bytes([round_]) * 5000)
        files.mkdir(ME, f"/d{round_}")
        put(files, f"/d{round_}/b", b"b" * 20_000)
        outcome(files.sync)
        files.rename(ME, f"/d{round_}/b", "/b")
        outcome(files.sync)
    found: FileSystem = files
    return found


@pytest.mark.parametrize("log", [0, LOG])
def test_after_an_error_of_the_disk_the_next_sync_brings_everything(log: int) -> None:
    disk = Failing(bytes(BLOCKS * BLOCK_SIZE))
    session(disk, log)
    for failing in range(2, 60):  # the first makes the file system
        disk = Failing(bytes(BLOCKS * BLOCK_SIZE))
        disk.left = failing
        files = session(disk, log)
        disk.left = 0
        files.sync()
        assert look(mounted(Recorder(disk.contents()))) == look(files)
        assert codes(disk.contents()) <= {Code.LOG_DUE}


def test_a_commit_comes_before_the_log_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts that never sync, in memory without end: what is committed always fits."""
    largest = 0

    def refuse(*_: Any) -> bool:
        raise AssertionError("a transaction was too large for the log")

    monkeypatch.setattr(Log, "_without_log", refuse)
    for seed in range(6):
        disk = Recorder(bytes(3000 * BLOCK_SIZE))
        files: Any = mounted(disk, 40)

        def call(name: str, *arguments: Any, files: Any = files) -> Any:
            return None if "sync" in name else getattr(files, name)(ME, *arguments)

        script = Script(call, random.Random(seed))
        for _ in range(400):
            outcome(script.next().act)
        largest = max(largest, read_count(disk))
        files.sync()
        assert look(mounted(Recorder(disk.contents()))) == look(files)
    assert largest > 5


def read_count(disk: Recorder) -> int:
    return max(
        int.from_bytes(event.data[16:20], "little") for event in disk.events if is_log(event)
    )


def test_a_transaction_that_is_too_large_is_written_in_order() -> None:
    disk = Recorder(bytes(3000 * BLOCK_SIZE))
    files: Any = mounted(disk, 40)
    files._volume.memory.set_budget(1 << 40)
    for number in range(900):
        put(files, f"/{number:040}", b"x")
    files.sync()
    assert codes(disk.contents()) == set()
    assert len(files.listdir(ME, "/")) == 900
    assert look(mounted(Recorder(disk.contents()))) == look(files)


def test_the_size_of_a_log() -> None:
    assert plan_with_log(1000)[1] is None
    for blocks in (1024, 8192, 65_536, 1 << 20, 1 << 21):
        planned, log = plan_with_log(blocks)
        assert log is not None
        assert planned == plan(log.start)._replace(flags=CLEAN)
        assert log.place == blocks - 1
        assert log.capacity > planned.imap_blocks + planned.zmap_blocks + 30
    assert plan_with_log(8192, log=0)[1] is None
    for log in (1, 39, -1, 8190):
        with pytest.raises(OSError, match=r"log|blocks") as caught:
            plan_with_log(8192, log=log)
        assert caught.value.errno == errno.EINVAL


def broken_on_a_full_disk(spare: int = 2, length: int = 18_000) -> list[str]:
    """What a loss of power breaks while content is written over that can go nowhere else.

    Or not all of it: so many blocks are free, and each time so many bytes are written.
    """
    disk = Recorder(bytes(320 * BLOCK_SIZE))
    files: Any = mounted(disk, 48)
    fill(files, spare)
    files.sync()
    disk.events.clear()
    image, history = disk.contents(), [look(files)]
    descriptor = files.open(ME, FULL, os.O_WRONLY)
    for number in range(1, 4):
        files.pwrite(ME, descriptor, bytes([number]) * length, number * 40_000)
        history.append(look(files))
        disk.events.append(Done(number, lasting=False))
    files.sync()
    found = []
    for state in states(image, disk.events, random.Random(1)):
        found += broken_promises(state, recovered(state.image), history)
    return found


@pytest.mark.parametrize(("spare", "length"), [(2, 18_000), (60, 36_000)])
def test_on_a_full_disk_what_is_written_over_goes_by_way_of_the_log(
    spare: int, length: int
) -> None:
    assert broken_on_a_full_disk(spare, length) == []


@pytest.mark.parametrize(
    ("target", "name", "fault", "spare", "length"),
    [
        (Nodes, "put_content", lambda *_: False, 2, 18_000),
        (PageWriter, "admit", lambda *_: None, 60, 36_000),
    ],
    ids=["written in place", "more than the log holds"],
)
def test_or_else_it_would_be_seen(
    monkeypatch: pytest.MonkeyPatch, target: Any, name: str, fault: Any, spare: int, length: int
) -> None:
    monkeypatch.setattr(target, name, fault)
    assert len(broken_on_a_full_disk(spare, length)) > 3


def test_what_is_more_than_the_log_holds_is_written_in_parts_each_of_them_whole() -> None:
    disk = Recorder(bytes(320 * BLOCK_SIZE))
    files: Any = mounted(disk, 48)
    fill(files, 2)
    files.sync()
    disk.events.clear()
    image = disk.contents()
    descriptor = files.open(ME, FULL, os.O_WRONLY)
    old, new = look(files)[f"/{FULL}"].content, b"n" * 100_000
    assert files.pwrite(ME, descriptor, new, 1000) == len(new)
    files.sync()
    parts = set()
    for state in states(image, disk.events, random.Random(1)):
        if state.kind == PREFIX:
            found = look(mounted(Recorder(state.image)))[f"/{FULL}"].content
            done = next((at for at, byte in enumerate(found[1000:]) if byte != new[0]), len(new))
            done = min(done, len(new))
            assert found == old[:1000] + new[:done] + old[1000 + done :]
            parts.add(done)
    step = files._volume.content.writer.step
    assert parts == {0, *range(step, len(new), step), len(new)}


@pytest.fixture
def full() -> Iterator[Any]:
    disk = Recorder(bytes(200 * BLOCK_SIZE))
    files: Any = mounted(disk, 48)
    descriptor = files.open(ME, "/full", os.O_CREAT | os.O_WRONLY)
    while outcome(files.write, ME, descriptor, b"x" * 1024)[0] == "result":
        pass
    files.close(ME, descriptor)
    files.sync()
    yield files
    files.sync()
    assert codes(disk.contents()) == set()


def test_what_was_freed_can_be_used_at_once_though_it_is_held_back(full: Any) -> None:
    size = full.stat(ME, "/full").st_size
    for _ in range(3):
        full.unlink(ME, "/full")
        put(full, "/full", b"y" * size)
        assert full.stat(ME, "/full").st_size == size
    full.truncate(ME, "/full", size // 2)
    for number in range(20):
        full.mkdir(ME, f"/{number}")


def test_a_double_free_is_refused_before_anything_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged image: two files have one zone. The survey would see it first."""
    monkeypatch.setattr(Survey, "doubts", lambda _: Doubts(0, 0))
    disk = Recorder(bytes(BLOCKS * BLOCK_SIZE))
    files: Any = mounted(disk, 0)
    put(files, "/a", b"a" * 3000)
    put(files, "/b", b"b" * 3000)
    files.sync()
    data = bytearray(disk.contents())
    table = superblock(data).table_start * BLOCK_SIZE
    one, two = (table + 64 * (files.stat(ME, path).st_ino - 1) + 24 for path in ("/a", "/b"))
    data[two + 4 : two + 8] = data[one : one + 4]
    files = mounted(Recorder(data))
    before = look(files), files.statvfs(ME, "/")
    files.unlink(ME, "/a")
    for _ in range(2):
        assert outcome(files.truncate, ME, "/b", 0) == ("error", errno.EUCLEAN)
        assert outcome(files.unlink, ME, "/b") == ("error", errno.EUCLEAN)
    assert look(files)["/b"].content == before[0]["/b"].content
    assert files.statvfs(ME, "/").f_bfree == before[1].f_bfree + 3


def test_linux_tools_do_not_see_the_log(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(recovered(stopped(1)).contents())
    assert fsck(str(path)) == ""


def test_a_crash_after_an_error_of_the_disk_loses_nothing_that_was_synced() -> None:
    """The error comes while a transaction is brought to its place; then the power fails."""
    for failing in range(2, 60, 3):
        disk = Failing(bytes(BLOCKS * BLOCK_SIZE))
        disk.left = failing
        files: Any = session(disk, LOG)
        assert codes(recovered(disk.contents()).contents()) == set()
        disk.left = 0
        files.sync()
        expected = look(files)
        image = disk.contents()
        disk.events.clear()
        put(files, "/late", b"late" * 900)
        files.sync()
        history = [expected, look(files)]
        for state in states(image, disk.events, random.Random(failing)):
            if state.kind == PREFIX:
                assert look(mounted(Recorder(state.image))) in history
