"""Damaged images: an error, never a crash, a hang, or a wrong answer about another file.

The campaign of `damaged` in short; `python -m tests.servers.damaged` is the long form.
"""

import errno
import os
import stat
from typing import Any

import pytest

from servers.filesystem.bitmap import Bitmap
from servers.filesystem.layout import BLOCK_SIZE, INODE, POINTERS, ROOT, Superblock
from tests.servers.damaged import (
    BLOCKS,
    KINDS,
    WHO,
    Platter,
    Sound,
    WrongAnswerError,
    campaign,
    mount,
)
from tests.servers.images import Bound, read_file
from tests.servers.oracle import outcome

IMAGES = 100


@pytest.fixture(scope="module")
def whole() -> Sound:
    return Sound()


@pytest.fixture
def sound(whole: Sound) -> bytes:
    return whole.image


@pytest.mark.parametrize("part", range(4))
def test_damage_is_an_error_and_no_more(whole: Sound, part: int) -> None:
    trials = list(campaign(IMAGES, 100 + part, whole))
    outcomes = [outcome for _, outcome, _ in trials]
    paths = sum(outcome.innocent for outcome in outcomes)
    assert {kind for kinds, *_ in trials for kind in kinds.split("+")} == set(KINDS)
    assert sum(outcome.mounted for outcome in outcomes) > IMAGES * 0.8
    assert paths > IMAGES * 30
    assert sum(outcome.refused for outcome in outcomes) < paths / 10


def test_the_campaign_finds_what_it_looks_for(
    whole: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the survey there are wrong answers."""
    monkeypatch.setattr(Bitmap, "distrust", lambda *_: None)
    with pytest.raises(WrongAnswerError):
        list(campaign(2 * IMAGES, 1, whole))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 8, 100, BLOCKS - 1])
def test_a_truncated_image_is_refused(sound: bytes, length: Any) -> None:
    found, code = outcome(mount, Platter(sound[: length * BLOCK_SIZE]))
    assert found == "error"
    assert code in {errno.EINVAL, errno.EUCLEAN}


def inode_at(platter: Platter, number: int) -> Any:
    start = Superblock.unpack(platter.data[BLOCK_SIZE:]).table_start * BLOCK_SIZE
    return start + (number - 1) * INODE.size


def test_a_block_map_that_leads_back_to_itself(sound: bytes) -> None:
    platter = Platter(sound)
    files = mount(platter)
    path = next(
        path
        for path in (
            f"{top}/{name}" for top in ("", "/a", "/d") for name in files.listdir(WHO, top or "/")
        )
        if files.lstat(WHO, path).st_size > 70_000 * 1024
    )
    record = inode_at(platter, files.stat(WHO, path).st_ino)
    zone = INODE.unpack_from(platter.data, record)[-1]
    platter.data[zone * BLOCK_SIZE : (zone + 1) * BLOCK_SIZE] = POINTERS.pack(*[zone] * 256)
    files = mount(platter)
    for operation, *arguments in (
        (files.stat, path),
        (files.truncate, path, 0),
        (files.unlink, path),
    ):
        with pytest.raises(OSError, match="damaged") as caught:
            operation(WHO, *arguments)
        assert caught.value.errno == errno.EUCLEAN


def entry_at(platter: Platter, directory: int, name: bytes) -> Any:
    zone = INODE.unpack_from(platter.data, inode_at(platter, directory))[8]
    block = platter.data[zone * BLOCK_SIZE : (zone + 1) * BLOCK_SIZE]
    return zone * BLOCK_SIZE + block.index(name + b"\0") - 4


def bend(platter: Platter, place: int, number: int) -> None:
    platter.data[place : place + 4] = number.to_bytes(4, "little")


def test_directories_that_lead_in_a_circle(sound: bytes) -> None:
    """`/a/b/c` becomes another name of `/a`: neither can be trusted."""
    platter = Platter(sound)
    files = mount(platter)
    top, inner = (files.stat(WHO, path).st_ino for path in ("/a", "/a/b"))
    bend(platter, entry_at(platter, inner, b"c"), top)
    files = mount(platter)
    for path in ("/a", "/a/b", "/a/b/c"):
        assert outcome(files.stat, WHO, path) == ("error", errno.EUCLEAN)
    assert outcome(files.rename, WHO, "/a", "/d/x") == ("error", errno.EUCLEAN)
    assert files.listdir(WHO, "/d")
    assert files.stat(WHO, "/").st_ino == ROOT


def test_a_directory_that_leads_to_the_root(sound: bytes) -> None:
    platter = Platter(sound)
    files = mount(platter)
    bend(platter, entry_at(platter, files.stat(WHO, "/a").st_ino, b"b"), ROOT)
    files = mount(platter)
    assert outcome(files.listdir, WHO, "/a") == ("error", errno.EUCLEAN)
    assert outcome(files.stat, WHO, "/a/b") == ("error", errno.EUCLEAN)


def test_one_zone_in_two_files(whole: Sound) -> None:
    """Whose it is, nobody knows: both are refused, and others are not."""
    platter = Platter(whole.image)
    files = mount(platter)
    large = {
        fact.inode: path
        for path, fact in whole.facts.items()
        if stat.S_ISREG(fact.answer[0]) and fact.answer[5] >= 1024
    }
    one, other, third = list(large.values())[:3]
    records = [inode_at(platter, files.stat(WHO, path).st_ino) for path in (one, other)]
    zone = INODE.unpack_from(platter.data, records[1])[8]
    bend(platter, records[0] + 24, zone)
    content = read_file(Bound(files, WHO), third)
    files = mount(platter)
    for path in (one, other):
        assert outcome(files.open, WHO, path, os.O_RDWR) == ("error", errno.EUCLEAN)
        assert outcome(files.unlink, WHO, path) == ("error", errno.EUCLEAN)
    assert read_file(Bound(files, WHO), third) == content


@pytest.mark.parametrize("what", ["inode", "zone"])
def test_what_is_in_use_and_marked_free_is_given_to_nobody(whole: Sound, what: str) -> None:
    platter = Platter(whole.image)
    path, fact = next(
        (path, fact)
        for path, fact in whole.facts.items()
        if stat.S_ISREG(fact.answer[0]) and fact.answer[5] >= 1024
    )
    start, bit = 2, fact.inode
    if what == "zone":
        zone = INODE.unpack_from(platter.data, inode_at(platter, fact.inode))[8]
        start, bit = whole.superblock.zmap_start, zone - whole.superblock.first_data_zone + 1
    platter.data[start * BLOCK_SIZE + (bit >> 3)] &= ~(1 << (bit & 7))
    free, files = mount(Platter(whole.image)).statvfs(WHO, "/"), mount(platter)
    assert files.statvfs(WHO, "/") == free
    assert outcome(files.stat, WHO, path) == ("error", errno.EUCLEAN)


def test_a_superblock_can_promise_no_more_than_an_inode_holds(sound: bytes) -> None:
    generous = bytearray(sound)
    generous[1040:1044] = b"\xff" * 4  # max_size
    files = mount(Platter(bytes(generous)))
    descriptor = files.open(WHO, "/beyond", os.O_RDWR | os.O_CREAT)
    found, code = outcome(files.pwrite, WHO, descriptor, b"x", 3 << 30)
    assert (found, code) == ("error", errno.EFBIG)
