"""A server inherits the priority of who waits for it, under both kernels."""

import subprocess
import sys
from pathlib import Path

import pytest

from kernels.desk import GUESTS, Desk
from kernels.turnstile import Asker
from twinos import Caller, Region

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kernel", ["microkernel", "monolithic"])
def test_priorities_are_inverted_only_without_inheritance(kernel: str) -> None:
    """In processes of one thread, so that what the program sets reaches the kernel it boots."""
    command = [sys.executable, "-m", "tests.kernels.inversion", kernel]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    inherited, own = (line.split() for line in done.stdout.splitlines())
    assert inherited[0] == "low"  # in one space high may be at the gate before medium is let in
    assert own == ["medium", "low", "high"]


def test_a_request_is_as_urgent_as_whom_it_leads_back_to() -> None:
    """Through servers that work for servers; and when many wait, the most urgent is among them."""
    region = Region.create("ready")
    desk = Desk(region, 3, {1: 0, 2: 1, 3: 2})
    third = Asker(Caller(3, "Third"), desk)
    assert third.urgency == 0
    for caller, priority in ((10, 5), (11, 2), (12, -7)):
        desk.weigh(caller, priority)
    desk.welcome(0, [10])  # the first works for 10, the second for the first, and so on
    desk.welcome(1, [1])
    desk.welcome(2, [2])
    assert third.urgency == 5
    desk.welcome(0, [10, 11])
    assert third.urgency == 2
    desk.welcome(0, [10] * (GUESTS + 3) + [12])
    assert third.urgency == -7
    desk.welcome(2, [])
    assert third.urgency == 0
    with third.lending(-9):
        assert third.urgency == -9
    desk.close()
    region.close()


def test_what_a_server_writes_there_cannot_hang_another() -> None:
    region = Region.create("ready")
    desk = Desk(region, 2, {1: 0, 2: 1})
    desk.welcome(0, [2])
    desk.welcome(1, [1])
    assert Asker(Caller(1, "First"), desk).urgency == 0
    desk.close()
    region.close()
