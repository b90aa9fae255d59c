"""The mirror: one disk is its model, and it loses neither a side nor a half-done write."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import System, boot
from lab.agreement import check_agreement
from servers.disk import Disk
from servers.examples.mirror import LeftDisk, Mirror, RightDisk, Which
from tests.conftest import Kernel
from tests.servers.examples.mortals import kill
from twinos import Region

BLOCKS = 16
CONFIG: Any = {LeftDisk: {"blocks": BLOCKS}, RightDisk: {"blocks": BLOCKS}}


def both(system: System) -> tuple[bytes, bytes]:
    return system[LeftDisk].read(0, BLOCKS), system[RightDisk].read(0, BLOCKS)


def test_the_kernels_agree() -> None:
    check_agreement(Mirror, config=CONFIG, state=lambda system: b"".join(both(system)))


def test_the_two_sides_are_two_disks(kernel: Kernel) -> None:
    with kernel.boot(Mirror, config=CONFIG) as system:
        system[LeftDisk].write(0, b"l" * 1024)
        assert system[RightDisk].read(0) == bytes(1024)


writes = st.tuples(st.integers(0, BLOCKS - 1), st.binary(min_size=1, max_size=1), st.integers(1, 3))


@given(st.lists(st.one_of(writes, st.sampled_from(Which)), max_size=30))
def test_it_is_one_disk_whatever_becomes_of_one_side(
    steps: list[tuple[int, bytes, int] | Which],
) -> None:
    """A side that is dropped, overwritten with rubbish and rebuilt is as good as the other."""
    model = bytearray(BLOCKS * 1024)
    with boot("monolithic", Mirror, config=CONFIG) as system:
        mirror = system[Mirror]
        disks: dict[Which, Disk] = {Which.LEFT: system[LeftDisk], Which.RIGHT: system[RightDisk]}
        for step in steps:
            if isinstance(step, Which):
                mirror.drop(step)
                disks[step].write(0, b"?" * 1024 * BLOCKS)
                assert mirror.read(0, BLOCKS) == model
                mirror.rebuild(step)
            else:
                block, byte, count = step
                count = min(count, BLOCKS - block)
                data = byte * 1024 * count
                mirror.write(block, data)
                model[block * 1024 : block * 1024 + len(data)] = data
        assert both(system) == (model, model)


@pytest.mark.parametrize("side", Which)
def test_a_side_that_fails_is_used_no_more(kernel: Kernel, tmp_path: Path, side: Which) -> None:
    images = {which: str(tmp_path / which) for which in Which}
    config: Any = {
        disk: {"image": images[which], "blocks": BLOCKS}
        for which, disk in ((Which.LEFT, LeftDisk), (Which.RIGHT, RightDisk))
    }
    with kernel.boot(Mirror, config=config) as system:
        mirror = system[Mirror]
        mirror.write(0, b"x" * 1024 * BLOCKS)
        os.truncate(images[side], 0)  # reads fail with EIO from now on
        for _ in range(4):
            assert mirror.read(BLOCKS - 1) == b"x" * 1024
        assert mirror.health()[:2] == (side is not Which.LEFT, side is not Which.RIGHT)
        mirror.write(3, b"y" * 1024)
        other = Which.RIGHT if side is Which.LEFT else Which.LEFT
        with pytest.raises(OSError, match="busy"):
            mirror.drop(other)
        with pytest.raises(OSError, match="Input/output"):
            mirror.rebuild(other)
        mirror.rebuild(side)
        assert mirror.health()[:2] == (True, True)
        left, right = both(system)
        assert left == right == b"x" * 3072 + b"y" * 1024 + b"x" * 1024 * (BLOCKS - 4)


def test_a_wrong_request_is_no_fault_of_a_side(kernel: Kernel) -> None:
    with kernel.boot(Mirror, config=CONFIG) as system:
        for wrong in (
            lambda: system[Mirror].read(BLOCKS),
            lambda: system[Mirror].write(BLOCKS, bytes(1024)),
            lambda: system[Mirror].write(-1, bytes(1024)),
            lambda: system[Mirror].write(0, b"part"),
        ):
            with pytest.raises(OSError, match="Invalid argument"):
                wrong()
        assert system[Mirror].health()[:2] == (True, True)


def test_the_sides_must_be_alike(kernel: Kernel) -> None:
    with pytest.raises(OSError, match="same geometry") as caught:
        kernel.boot(Mirror, config={LeftDisk: {"blocks": 8}, RightDisk: {"blocks": 9}})
    assert caught.value.errno == errno.EINVAL


def test_a_write_that_its_death_cut_short_is_finished_by_its_successor() -> None:
    """The left side has it, the right one does not: the successor makes them the same."""
    with boot("monolithic", Mirror, config=CONFIG) as system:
        journal = Region.create("journal")
        left: Any = system[LeftDisk]
        right: Any = system[RightDisk]
        mirror: Any = Mirror(left, right, journal)

        class Dying:
            def __getattr__(self, name: str) -> Any:
                return getattr(right, name)

            def write(self, *_: Any) -> None:
                mirror._note = lambda *_: None  # who is dead notes nothing
                raise KeyboardInterrupt

        mirror._sides[Which.RIGHT] = Dying()
        with pytest.raises(KeyboardInterrupt):
            mirror.write(5, b"new" + bytes(2045))
        assert left.read(5, 2) != right.read(5, 2)
        Mirror(left, right, journal)
        assert left.read(0, BLOCKS) == right.read(0, BLOCKS)
        assert left.read(5)[:3] == b"new"
        journal.close()


def test_no_client_notices_that_servers_were_killed() -> None:
    with boot("microkernel", Mirror, config=CONFIG) as system:
        for number, victim in enumerate((Mirror, LeftDisk, RightDisk) * 3):
            system[Mirror].write(number, bytes([number + 1]) * 1024)
            kill(victim)
        for number in range(9):
            assert system[Mirror].read(number) == bytes([number + 1]) * 1024
        assert system[Mirror].health()[:2] == (True, True)
        left, right = both(system)
        assert left == right
