"""A program for `test_exhausted`: the host runs out of something, and has it again.

`python -m tests.kernels.exhausting KERNEL WHAT FOLDER`: an assertion fails, or nothing is printed.
"""

import errno
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kernels import System, User, boot
from servers.disk import Disk
from servers.filesystem import FileSystem

MIB = 1 << 20
FOREVER = resource.RLIM_INFINITY


def limit(what: int, soft: int) -> None:
    resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))


def booted(kernel: str, folder: Path, **config: Any) -> System:
    image = {"image": str(folder / "image"), "blocks": 8192, **config}
    return boot(kernel, FileSystem, config={Disk: image})


def fails(code: int, do: Callable[[], object]) -> None:
    met = 0
    try:
        do()
    except OSError as error:
        met = error.errno or -1
    assert met == code


def works(system: System, path: str) -> None:
    files, data = system[FileSystem], random.Random(path).randbytes(2 * MIB)
    descriptor = files.open(path, os.O_CREAT | os.O_RDWR)
    files.write(descriptor, data)
    files.fsync(descriptor)
    assert files.pread(descriptor, len(data), 0) == data
    files.close(descriptor)
    files.unlink(path)


def large_files(kernel: str, folder: Path) -> None:
    limit(resource.RLIMIT_FSIZE, MIB)
    fails(errno.EFBIG, lambda: booted(kernel, folder))
    limit(resource.RLIMIT_FSIZE, FOREVER)
    with booted(kernel, folder) as system:
        works(system, "/a")


def descriptors(kernel: str, folder: Path) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit(resource.RLIMIT_NOFILE, 6)
    with suppress(OSError):
        booted(kernel, folder).close()
    limit(resource.RLIMIT_NOFILE, 64)
    with booted(kernel, folder) as system:
        works(system, "/a")
        held: list[int] = []
        fails(errno.EMFILE, lambda: held.extend(iter(partial(os.dup, 0), -1)))
        users: list[User] = []
        with suppress(OSError):  # under the microkernel it needs a channel of its own
            users.append(system.user())
            users[0][FileSystem].stat("/")
        works(system, "/b")
        limit(resource.RLIMIT_NOFILE, most)
        with system.user() as user:
            user[FileSystem].stat("/")
        works(system, "/c")


def disk(kernel: str, folder: Path) -> None:
    with booted(kernel, folder) as system:
        files = system[FileSystem]
        descriptor = files.open("/a", os.O_CREAT | os.O_RDWR)

        def fill() -> None:
            for _ in range(80):
                files.write(descriptor, os.urandom(100_000))
                files.fsync(descriptor)

        fails(errno.ENOSPC, fill)
        fails(errno.ENOSPC, files.sync)
        assert len(files.pread(descriptor, 100, 0)) == 100
        files.close(descriptor)
        files.unlink("/a")
        subprocess.run(["mount", "-o", "remount,size=30m", folder], check=True)
        works(system, "/b")
        files.sync()


def memory(kernel: str, folder: Path) -> None:
    """The user's: under the monolithic kernel it is the kernel's, too."""
    with booted(kernel, folder, blocks=65_536) as system:
        files = system[FileSystem]
        descriptor, large = files.open("/a", os.O_CREAT | os.O_RDWR), bytes(20 * MIB)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit(resource.RLIMIT_AS, used + 8 * MIB)
        if kernel != "monolithic":
            with pytest.raises(MemoryError):
                files.pwrite(descriptor, large, 0)
        files.pwrite(descriptor, b"small", 0)
        limit(resource.RLIMIT_AS, FOREVER)
        assert files.pwrite(descriptor, large, 5) == len(large)
        assert files.pread(descriptor, 5, 0) == b"small"
        assert not any(server.restarts for server in system.status())


def memory_of_servers(kernel: str, folder: Path) -> None:
    """Whatever becomes of a server that gets no memory, what it had acknowledged is there."""
    with booted(kernel, folder, blocks=65_536) as system:
        files = system[FileSystem]
        descriptor, piece = files.open("/a", os.O_CREAT | os.O_RDWR), bytes(range(256)) * 4096
        servers = [each.pid for each in system.status() if each.pid != os.getpid()]
        for pid in servers:
            used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
            resource.prlimit(pid, resource.RLIMIT_AS, (used + 8 * MIB, FOREVER))
        done = 0
        with suppress(OSError):
            while done < 24:
                files.pwrite(descriptor, piece, done * len(piece))
                done += 1
        for server in system.status():
            if server.pid in servers:
                resource.prlimit(server.pid, resource.RLIMIT_AS, (FOREVER, FOREVER))
        for at in range(done):
            assert files.pread(descriptor, len(piece), at * len(piece)) == piece
        works(system, "/b")


if __name__ == "__main__":
    globals()[sys.argv[2]](sys.argv[1], Path(sys.argv[3]))
