"""An image is one system's at a time, or read by several, also while a server is between lives."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import boot
from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.conftest import Kernel, children, eventually
from tests.servers.oracle import outcome
from twinos import Region

OTHERS = ("monolithic", "microkernel")


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = str(tmp_path / "image")
    with boot("monolithic", FileSystem, config={Disk: {"image": path, "blocks": 100}}) as system:
        system[FileSystem].mkdir("/made")
    return path


def attempt(kernel: str, image: str, *, read_only: bool = False) -> Any:
    """What a system on this image lists, or why there is none."""
    config = {Disk: {"image": image, "read_only": read_only}}
    try:
        with boot(kernel, FileSystem, config=config) as system:
            return system[FileSystem].listdir("/")
    except OSError as error:
        return error.errno


@pytest.mark.parametrize("other", OTHERS)
def test_a_second_system_is_refused_until_the_first_is_gone(
    kernel: Kernel, other: str, image: str
) -> None:
    with kernel.boot(FileSystem, config={Disk: {"image": image}}) as system:
        system[FileSystem].mkdir("/here")
        assert attempt(other, image) == errno.EBUSY
        assert attempt(other, image, read_only=True) == errno.EBUSY
        with pytest.raises(OSError, match=f"the disk image '{image}' is in use by another system"):
            boot(other, FileSystem, config={Disk: {"image": image}})
        system[FileSystem].sync()
    assert sorted(attempt(other, image)) == ["here", "made"]


def test_readers_share_an_image_and_keep_writers_off(kernel: Kernel, image: str) -> None:
    before = Path(image).read_bytes()
    with kernel.boot(FileSystem, config={Disk: {"image": image, "read_only": True}}) as system:
        assert attempt("monolithic", image, read_only=True) == ("made",)
        assert attempt("monolithic", image) == errno.EBUSY
        assert system[FileSystem].listdir("/") == ("made",)
    assert Path(image).read_bytes() == before


def test_a_failed_boot_leaves_the_image_free(kernel: Kernel, image: str) -> None:
    config = {Disk: {"image": image}, FileSystem: {"memory": 1}}
    with pytest.raises(OSError, match="too few") as kept:
        kernel.boot(FileSystem, config=config)
    assert attempt("monolithic", image) == ("made",)
    del kept


def test_a_child_of_the_user_does_not_keep_the_image(kernel: Kernel, image: str) -> None:
    with kernel.boot(FileSystem, config={Disk: {"image": image}}):
        child = os.fork() if kernel.name == "monolithic" else 0
        if kernel.name == "monolithic" and not child:
            signal.pause()
            os._exit(0)
    try:
        assert attempt("monolithic", image) == ("made",)
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@pytest.fixture
def store() -> Iterator[Any]:
    region = Region.create("disk")
    yield region
    region.close()


def test_the_next_life_has_the_image_that_the_last_one_had(image: str, store: Any) -> None:
    first = Disk(store, image)
    first.write(50, b"x" * 1024)
    del first  # without an orderly end: it died
    assert attempt("monolithic", image) == errno.EBUSY
    os.rename(image, image + ".moved")
    Path(image).write_bytes(bytes(100 * 1024))
    second = Disk(store, image)
    assert second.read(50) == b"x" * 1024
    second._stopping()
    assert attempt("monolithic", image + ".moved") == ("made",)


@pytest.mark.parametrize("other", OTHERS)
def test_nobody_comes_in_between_two_lives(image: str, other: str) -> None:
    """Kill the disk over and over while others try to boot on its image."""
    code = (
        "import errno, sys\n"
        "from tests.servers.test_disk_lock import attempt\n"
        "print('ready', flush=True)\n"
        "for _ in range(int(sys.argv[3])):\n"
        "    assert attempt(sys.argv[1], sys.argv[2]) == errno.EBUSY\n"
    )
    tries = "200" if other == "monolithic" else "15"
    with boot("microkernel", FileSystem, config={Disk: {"image": image}}) as system:
        files = system[FileSystem]
        with subprocess.Popen(
            [sys.executable, "-c", code, other, image, tries], stdout=subprocess.PIPE, text=True
        ) as rival:
            assert rival.stdout is not None
            assert rival.stdout.readline() == "ready\n"
            kills = 0
            while rival.poll() is None:
                os.kill(eventually(disk_pid, "the disk lives"), signal.SIGKILL)
                kills += 1
                eventually(lambda: outcome(files.sync)[0] == "result", "the disk is back")
            assert rival.returncode == 0
        assert kills > 3
        files.mkdir("/after")
    assert sorted(attempt(other, image)) == ["after", "made"]


def disk_pid() -> int | None:
    """The process of the disk, a child of the child that is the nucleus."""
    for nucleus, _ in children():
        with open(f"/proc/{nucleus}/task/{nucleus}/children", encoding="ascii") as listed:
            for pid in listed.read().split():
                try:
                    name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if "disk" in name.lower():
                    return int(pid)
    return None
