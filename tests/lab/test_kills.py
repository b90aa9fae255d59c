"""Services are killed under load, and nobody notices."""

import errno
import json
import subprocess
import sys
from pathlib import Path

from lab.kills.campaign import VICTIMS
from lab.kills.model import Failed, Line, Model

ROOT = Path(__file__).parents[2]


def twinos(*arguments: str, name: str = "kills") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", name, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_short_campaign() -> None:
    """By the default seed. The full one: `twinos kills --count 10000`."""
    done = twinos("--count", "40", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == told["errors"] == []
    assert sum(told["kills"].values()) >= 41
    assert {*VICTIMS, "the kernel's process"} <= told["kills"].keys()
    assert told["requests"] > 100


def test_refusals() -> None:
    wrong = twinos("--service", "Clock")
    assert wrong.returncode == 2
    assert "Clock" in wrong.stderr
    assert twinos("--count", "0").returncode == 2


def test_the_model_finds_what_is_lost_done_twice_or_refused() -> None:
    def wrong(*lines: tuple[str, tuple[object, ...], object]) -> list[str]:
        return Model().wrong([Line(*line) for line in lines])

    opened = ("open", ("a", 0o102), 3)
    assert wrong(opened, ("write", (3, b"ab"), 2), ("pread", (3, 9, 0), b"ab")) == []
    lost = wrong(opened, ("write", (3, b"ab"), 2), ("pread", (3, 9, 0), b""))
    assert lost == ["request 2, pread(3, 9, 0): expected b'ab', not b''"]
    assert wrong(opened, ("write", (3, b"ab"), 2), ("pread", (3, 9, 0), b"abab"))
    assert wrong(opened, ("open", ("a", 2), 3))
    assert wrong(("open", ("a", 2), 3))
    assert wrong(("open", ("a", 2), Failed(errno.ENOENT, "FileNotFoundError"))) == []
    assert wrong(opened, ("unlink", ("a",), None), ("listdir", (), ("a",)))
    assert wrong(opened, ("read", (3, 5), b""), ("lseek", (3, 7, 0), 6))


def test_clients_at_work_leave_memory_and_descriptors_flat() -> None:
    """The full one: `twinos endure --minutes 30`."""
    done = twinos("--seconds", "4", "--json", name="endure")
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["kernel"] for each in found] == ["monolithic", "microkernel"]
    assert all(each["requests"] > 100 for each in found)
    assert twinos("--kernel", "hybrid", name="endure").returncode == 2
