"""The host runs out of descriptors, memory, or room on its disk: a clear error, and then work."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.filesystem.check import MemoryImage, Severity, check

ROOT = Path(__file__).parents[2]
KERNELS = ("monolithic", "microkernel")


def exhaust(kernel: str, what: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.exhausting", kernel, what, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    image = MemoryImage(bytearray((folder / "image").read_bytes()))
    assert not [found for found in check(image) if found.severity is Severity.ERROR]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A host's disk of 3 MiB."""
    if (
        os.getuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "none", tmp_path], check=False
        ).returncode
    ):
        pytest.skip("the host lets nobody mount a small disk here")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("what", ["large_files", "descriptors", "memory", "memory_of_servers"])
def test_work_goes_on_when_it_is_back(kernel: str, what: str, tmp_path: Path) -> None:
    exhaust(kernel, what, tmp_path)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_hosts_disk_is_full(kernel: str, small: Path) -> None:
    exhaust(kernel, "disk", small)
