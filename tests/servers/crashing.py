"""FileSystem is killed at each step of recording and of committing, in turn; nobody notices.

    python -m tests.servers.crashing FIRST LAST BY [LOG]

In a process of its own: what is patched here, the servers get by fork.
"""

import mmap
import os
import random
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from kernels import boot, recorder, stablestore
from servers.disk import Disk
from servers.filesystem import FileSystem, batch, cache, log, volume, writing
from twinos import Supervision

_CELL: Final = struct.Struct("<q")
_left: Final = mmap.mmap(-1, _CELL.size)
BIG: Final = random.Random(1).randbytes(300_000)


def left() -> int:
    """Steps until the kill; 0: it has been, or none is wanted."""
    return int(_CELL.unpack_from(_left)[0])


def arm(steps: int) -> None:
    """Have the server that does this step be killed; 0: none."""
    _CELL.pack_into(_left, 0, steps)


def _step() -> None:
    steps = left()
    if steps > 0:
        arm(steps - 1)
        if steps == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def _stepwise(owner: Any, *names: str) -> None:
    """Count a step before and after each of these functions."""
    for name in names:
        setattr(owner, name, _between(getattr(owner, name)))


def _between(function: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        _step()
        result = function(*arguments, **named)
        _step()
        return result

    return counted


def script(fs: FileSystem) -> tuple[int, int]:
    """Some of everything that has to survive; free blocks and inodes at the end."""
    one = fs.open("/a", os.O_RDWR | os.O_CREAT, 0o644)
    assert one == 3
    fs.write(one, b"hello")
    fs.fsync(one)
    log_file = fs.open("/b", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_SYNC, 0o644)
    for digit in b"01234":
        assert fs.write(log_file, bytes([digit]) * 700) == 700
    fs.mkdir("/d")
    fs.chdir("/d")
    fs.umask(0o077)
    nameless = fs.open("t", os.O_RDWR | os.O_CREAT)
    fs.write(nameless, b"x" * 9000)
    fs.unlink("t")
    fs.sync()
    fs.write(nameless, b"y" * 500)
    fs.ftruncate(nameless, 9200)
    fs.sync()
    fs.mkdir("gone")
    fs.chdir("gone")
    fs.rmdir("../gone")
    fs.sync()
    fs.lseek(one, 2, os.SEEK_SET)
    other = fs.dup(one)
    assert fs.read(other, 2) == b"ll"
    fs.sync()
    assert fs.read(one, 9) == b"o"
    fs.rename("/b", "/c")
    assert fs.stat("/c").st_size == 3500
    fs.lseek(nameless, 0, os.SEEK_SET)
    assert fs.read(nameless, 10**6) == b"x" * 9000 + b"y" * 200
    assert fs.pread(log_file, 10**4, 0) == b"".join(bytes([digit]) * 700 for digit in b"01234")
    assert fs.listdir("/d") == ()
    for number in range(40):
        fs.close(fs.open(f"/n{number}", os.O_CREAT | os.O_WRONLY, 0o666))
    for number in range(0, 40, 2):
        fs.unlink(f"/n{number}")
    fs.sync()
    big = fs.open("/big", os.O_RDWR | os.O_CREAT)
    fs.write(big, BIG)
    fs.sync()
    fs.pwrite(big, b"Z" * 5000, 1000)
    fs.sync()
    assert fs.pread(big, 10**6, 0) == BIG[:1000] + b"Z" * 5000 + BIG[6000:]
    assert fs.stat("/n1").st_mode & 0o777 == 0o600
    odd = {f"n{number}" for number in range(1, 40, 2)}
    assert set(fs.listdir("/")) == {"a", "c", "d", "big"} | odd
    for descriptor in (one, log_file, nameless, other, big):
        fs.close(descriptor)
    fs.chdir("/")
    free = fs.statvfs("/")
    return free.f_bfree, free.f_ffree


def main(first: int, last: int, by: int, log_blocks: int | None) -> int:
    """Run the script, killed at step `first`, and so on; how many steps it has."""
    FileSystem.__supervision__ = Supervision(at_once=10**6, most=10**6)
    _stepwise(stablestore.StableStore, "save", "append")
    recorder.quick = lambda *arguments: arguments[-1]  # it has no steps
    _stepwise(volume.Volume, "write_back")
    _stepwise(cache.BlockCache, "commit")
    _stepwise(writing.PageWriter, "flush")
    _stepwise(log, "write_blocks", "write_run")
    _stepwise(batch, "write_blocks")
    found = set()
    for steps in range(first, last, by):
        arm(0)
        settings = {"time": 1_000_000, "log": log_blocks}
        config: Any = {Disk: {"blocks": 4096}, FileSystem: settings}
        with boot("microkernel", FileSystem, config=config) as system:
            arm(steps)
            found.add(script(system[FileSystem]))
            unused = left()
            restarts = sum(server.restarts for server in system.status())
        assert len(found) == 1, f"killed at step {steps}, it has {found} free"
        if unused:
            return steps - unused
        assert restarts == 1, f"step {steps}: {restarts} restarts"
    return last


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:4]), int(sys.argv[4]) if len(sys.argv) > 4 else None))  # noqa: T201 (what it was asked for)
