"""A baseline that is not ours: the same workloads on the host's tmpfs, by its `os`."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from lab.measuring import running, time_beside
from lab.placement import pinned
from servers.filesystem import FileSystem
from workloads.workload import Workload

SHM: Final = Path("/dev/shm")  # noqa: S108 (it is that one, or none: elsewhere is another medium)
BUDGET_NS: Final = 20_000_000
QUICK_BUDGET_NS: Final = 5_000_000


class HostFiles:
    """What workloads ask of a FileSystem, done by the host in one of its folders.

    The name of the folder before each path is all that is added.

    Args:
        folder: which.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    close, read, write = staticmethod(os.close), staticmethod(os.read), staticmethod(os.write)
    pread, pwrite = staticmethod(os.pread), staticmethod(os.pwrite)
    lseek, fstat = staticmethod(os.lseek), staticmethod(os.fstat)

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        """`os.open`."""
        return os.open(self._folder + path, flags, mode)

    def stat(self, path: str) -> os.stat_result:
        """`os.stat`."""
        return os.stat(self._folder + path)

    def unlink(self, path: str) -> None:
        """`os.unlink`."""
        os.unlink(self._folder + path)

    def mkdir(self, path: str) -> None:
        """`os.mkdir`."""
        os.mkdir(self._folder + path)

    def rmdir(self, path: str) -> None:
        """`os.rmdir`."""
        os.rmdir(self._folder + path)

    def mknod(self, path: str) -> None:
        """`os.mknod`, of a regular file."""
        os.mknod(self._folder + path)

    def rename(self, source: str, target: str) -> None:
        """`os.rename`."""
        os.rename(self._folder + source, self._folder + target)

    def link(self, source: str, target: str) -> None:
        """`os.link`."""
        os.link(self._folder + source, self._folder + target)

    def listdir(self, path: str) -> tuple[str, ...]:
        """`os.listdir`."""
        return tuple(os.listdir(self._folder + path))


class _HostUser:
    """A user of nothing but files."""

    def __init__(self, folder: str) -> None:
        self._files: Any = HostFiles(folder)

    def __getitem__(self, _service: type[FileSystem]) -> Any:
        return self._files


def comparable(workload: Workload) -> bool:
    """Whether a workload takes a file system and nothing else, and asks what a host can do."""
    return workload.group == "files" and workload.services == (FileSystem,) and not workload.macro


def measure(workloads: Iterable[Workload], cpu: int, *, quick: bool) -> dict[str, float]:
    """The cost in µs of an operation of each workload that can be compared; none without tmpfs."""
    if not SHM.is_dir() or not os.access(SHM, os.W_OK):
        return {}
    with pinned(cpu), tempfile.TemporaryDirectory(prefix="twinos-", dir=SHM) as folder:
        return {
            one.name: _cost(one, _HostUser(folder), QUICK_BUDGET_NS if quick else BUDGET_NS)
            for one in workloads
            if comparable(one)
        }


def _cost(workload: Workload, user: Any, budget_ns: int) -> float:
    with running(workload, user) as operation:
        ns, _ = time_beside(operation, (), budget_ns)
    return ns / 1000
