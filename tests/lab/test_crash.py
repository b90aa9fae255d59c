"""The campaign of crashes: nothing that was promised is lost, and a broken file system is seen."""

from pathlib import Path
from typing import Any

import pytest

from lab.crash import Campaign, Settings
from lab.crash.campaign import IN_RECOVERY
from lab.crash.judge import Raw, raw
from lab.crash.recorder import Done, Flush, Recorder, Write
from lab.crash.states import PREFIX, SUBSET, TORN, states
from servers.disk import Extent
from servers.filesystem.batch import Ordered, Phase
from servers.filesystem.bitmap import Bitmap
from servers.filesystem.log import Log
from servers.filesystem.volume import Volume
from servers.filesystem.writing import PageWriter
from tests.servers.images import fsck


def test_every_operation_is_whole_or_absent_and_what_was_synced_is_there(tmp_path: Path) -> None:
    image = tmp_path / "image"

    def examine(data: bytes) -> str:
        image.write_bytes(data)
        return fsck(str(image))

    report = Campaign(Settings(states=16_000, seed=1, share=4), examine).run()
    assert report.broken == ()
    assert report.distinct > 10_000
    assert all(report.kinds[kind] > 1000 for kind in (PREFIX, SUBSET, TORN, IN_RECOVERY))
    assert report.raw[Raw.CORRUPT] > 100  # without recovery it would have been lost
    assert report.refused > 10


def test_without_a_log_nothing_is_worse_than_a_leak_or_a_miscount() -> None:
    report = Campaign(Settings(states=1500, seed=2, log=0, share=4)).run()
    assert report.broken == ()
    assert report.raw[Raw.CORRUPT] == 0
    assert report.raw[Raw.LEAKS] > 100


def no_flush(which: int) -> Any:
    """Commits by the log in which one of the flushes is left out."""
    commit = Log.commit

    def hasty(self: Any, batch: Any) -> bool:
        disk, self._disk = self._disk, Forgetful(self._disk, which)
        try:
            return commit(self, batch)
        finally:
            self._disk = disk

    return hasty


class Forgetful:
    """A disk that leaves out one flush."""

    def __init__(self, disk: Any, which: int) -> None:
        self._disk = disk
        self._left = which

    def flush(self) -> None:
        self._left -= 1
        if self._left:
            self._disk.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._disk, name)


def backwards(self: Any, batch: Any) -> bool:
    """Commits without a log, the last phase first."""
    last = max(Phase)
    batch.changes = [(Phase(last - phase), *rest) for phase, *rest in batch.changes]
    return ORDERED(self, batch)


ORDERED = Ordered.commit
SYNC = Volume.sync


def free_at_once(self: Any, numbers: Any) -> None:
    """What is freed may be taken at once, whatever the disk shows."""
    numbers = list(numbers)
    RELEASE(self, numbers)
    self._shown, shown = bytearray(len(self._shown)), self._shown
    for number in numbers:
        self._unblock(number - self._origin, 1)
    self._shown = shown


RELEASE = Bitmap.release


def stay(self: Any, *arguments: Any) -> None:
    """What is written over other content goes where that is."""
    *others, _ = arguments
    INIT(self, *others, None)


INIT = PageWriter.__init__


@pytest.mark.parametrize(
    ("log", "target", "name", "fault"),
    [
        (48, Log, "commit", no_flush(1)),
        (48, Log, "commit", no_flush(2)),
        (48, PageWriter, "__init__", stay),
        (0, Ordered, "commit", backwards),
        (0, Bitmap, "release", free_at_once),
        (0, Volume, "sync", lambda volume: volume.write_back() and None),
    ],
    ids=[
        "log before data",
        "place before log",
        "written in place",
        "backwards",
        "reused",
        "unflushed",
    ],
)
def test_the_campaign_sees_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, log: int, target: Any, name: str, fault: Any
) -> None:
    monkeypatch.setattr(target, name, fault)
    report = Campaign(Settings(states=1500, seed=6, log=log, share=8)).run()
    assert len(report.broken) > 3


def test_a_campaign_can_be_repeated() -> None:
    settings = Settings(states=300, seed=4, share=8)
    assert Campaign(settings).run() == Campaign(settings).run()


def recording() -> tuple[bytes, Recorder]:
    """Two writes, a flush, one write."""
    image = bytes(4 * 1024)
    disk = Recorder(image)
    disk.writev((Extent(1, 1), Extent(3, 1)), b"a" * 1024 + b"b" * 1024)
    disk.flush()
    disk.events.append(Done(1, lasting=True))
    disk.write(1, b"c" * 1024)
    return image, disk


def test_the_states_of_a_recording(rng: Any) -> None:
    image, disk = recording()
    first, second, flush, _, third = disk.events
    assert isinstance(first, Write)
    assert isinstance(second, Write)
    assert isinstance(flush, Flush)
    assert isinstance(third, Write)
    found = {(state.image[1024:2048:512], state.image[3072::512]) for state in states(*seen(rng))}
    zero = b"\0\0"
    assert found == {
        (zero, zero),
        (b"a\0", zero),
        (b"\0a", zero),
        (b"aa", zero),
        (b"aa", b"b\0"),
        (b"aa", b"\0b"),
        (b"aa", b"bb"),
        (zero, b"bb"),
        (b"ca", b"bb"),
        (b"ac", b"bb"),
        (b"cc", b"bb"),
    } | {pair for pair in found if pair in {(zero, b"b\0"), (zero, b"\0b")}}
    lasting = [state.lasting for state in states(image, disk.events, rng) if b"c" in state.image]
    assert set(lasting) == {1}


def seen(rng: Any) -> tuple[bytes, Any, Any]:
    image, disk = recording()
    return image, disk.events, rng


def test_what_an_image_is_before_recovery() -> None:
    report = Campaign(Settings(states=50, seed=5, share=8)).run()
    assert set(report.raw) <= set(Raw)
    disk = Recorder(bytes(100 * 1024))
    assert raw(disk.contents()) is Raw.CORRUPT
