"""Every process of a system is killed in the middle of its work: what was synced is there."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lab
from lab.crash.judge import mounted
from lab.crash.recorder import Recorder
from lab.crash.tree import look
from lab.meter import descendants
from servers.filesystem.check import MemoryImage, check
from tests.conftest import reap_orphans
from tests.servers.images import fsck

ROOT = Path(lab.__file__).parent.parent
BLOCKS = 2000

PROGRAM = """
import os, random, sys
from kernels import boot
from servers.disk import Disk
from servers.filesystem import FileSystem

image, kernel, blocks, log, seed = sys.argv[1:]
rng = random.Random(seed)
config = {Disk: {"image": image, "blocks": int(blocks)}, FileSystem: {"log": int(log)}}
with boot(kernel, FileSystem, config=config) as system:
    files = system[FileSystem]
    print("up", flush=True)
    for number in range(1_000_000):
        path = f"/{number % 50}"
        fd = files.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        files.write(fd, str(number).encode() * rng.randrange(1, 2000))
        if number % 3 == 0:
            files.fsync(fd)
            print(number, flush=True)
        files.close(fd)
        if number % 7 == 0:
            files.rename(path, f"/moved{number % 20}")
"""


def killed(image: str, kernel: str, log: int, seed: int) -> int:
    """The last write that was synced when all the system's processes were killed."""
    rng = random.Random(seed)
    command = [sys.executable, "-c", PROGRAM, image, kernel, str(BLOCKS), str(log), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as system:
        assert system.stdout is not None
        assert system.stdout.readline() == "up\n"
        everybody = [*descendants(system.pid), system.pid]
        lines = [system.stdout.readline() for _ in range(rng.randrange(5, 60))]
        for pid in everybody:
            os.kill(pid, signal.SIGKILL)
        lines += system.stdout.readlines()
    reap_orphans()
    return max(int(line) for line in lines if line.endswith("\n"))


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_synced_survives_the_death_of_all_processes(
    kernel: str, seed: int, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    last = killed(str(image), kernel, 128, seed)
    disk = Recorder(image.read_bytes())
    tree = look(mounted(disk))
    assert not list(check(MemoryImage(bytearray(disk.contents()))))
    image.write_bytes(disk.contents())
    assert fsck(str(image)) == ""
    numbers = [number_in(shown.content) for path, shown in tree.items() if path != "/"]
    found = [number for number in numbers if number is not None]
    assert len(found) == len(numbers)
    assert max(found) >= last


def number_in(content: bytes) -> int | None:
    """The number that a file has in it, over and over; -1 in an empty one, None in a mixed one."""
    for size in range(1, 8):
        if content == content[:size] * (len(content) // size):
            return int(content[:size] or -1)
    return None
