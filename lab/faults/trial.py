"""One boot and one fault, in a process of its own, which may die of it.

Reads a `Trial` from standard input and writes the history, as it happens, to standard output.
"""

import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from kernels import System, boot
from kernels.host import die_with_parent
from lab.faults.cell import Cell
from lab.faults.history import ABSENT, Done, Ended, Step, content, version_of
from lab.faults.kinds import SERVICES, instrument
from lab.faults.script import Script, look, script
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import KernelPanic, Service, Supervision

Config = Mapping[type[Service], Mapping[str, Any]]
BLOCKS: Final = 1024
HANG_S: Final = 0.5
"""How long a service may be at one request; every trial's policy, to end soon."""
GRACE_S: Final = 2.0
_LOCKED_S: Final = 5.0
_LONGEST: Final = 1 << 16
_PAUSE_S: Final = 0.02


class Trial(msgspec.Struct, frozen=True):
    """What is tried.

    Attributes:
        kernel: which.
        service: in which the fault strikes.
        kind: of the fault; empty: none, look what is on the image.
        seed: of the fault and the script.
        folder: where the image and the cell are.
    """

    kernel: str
    service: str
    kind: str
    seed: str
    folder: str


def start(kernel: str, image: Path, *beside: type[Service], durable: bool = True) -> System:
    """Boot on an image; a system that was killed a moment ago may still hold it."""
    users: Any = "process" if kernel == "monolithic" else "inline"
    config: Config = {Disk: {"image": str(image), "durable": durable}}
    deadline = time.monotonic() + _LOCKED_S
    while True:
        try:
            return boot(kernel, FileSystem, *beside, config=config, users=users, grace=GRACE_S)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)


def run(trial: Trial) -> None:
    """Do it."""
    folder = Path(trial.folder)
    cell = Cell(folder / "cell")
    plan = script(trial.seed)
    if trial.kind:
        for service in SERVICES.values():
            service.__supervision__ = Supervision(hang=HANG_S)
        instrument(SERVICES[trial.service], trial.kind, trial.seed, cell)
    else:
        plan = Script(look(), -1, 0)
    system = start(trial.kernel, folder / "image")
    clients = Clients(system)
    for number, step in enumerate(plan.steps):
        if number == plan.armed:
            cell.arm(plan.spared)
        if not _record(partial(clients.take, step)):
            return
    restarts = sum(server.restarts for server in system.status())
    if _record(partial(_shut_down, system)):
        _say(Ended(restarts))


def _shut_down(system: System) -> int:
    system.close()
    return ABSENT


def _record(act: Callable[[], int]) -> bool:
    """Do something and record it; whether anything answers still."""
    found, error, down = ABSENT, "", False
    try:
        found = act()
    except KernelPanic as panic:
        error, down = f"KernelPanic: {panic}", True
    except Exception as problem:  # noqa: BLE001 (whatever a fault does to a client is recorded)
        error = f"{type(problem).__name__}: {problem}"
        down = getattr(problem, "errno", 0) == errno.ECONNREFUSED
    _say(Done(found, error, time.monotonic_ns(), down))
    return not down


def _say(line: Done | Ended) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


class Clients:
    """Two users, who take turns."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._files = [system[FileSystem], system.user()[FileSystem]]

    def take(self, step: Step) -> int:
        """Do what a step says; the version of the file that was found, if one was looked for."""
        files = self._files[step.client]
        match step.action:
            case "put":
                put(files, step.path, content(step.version))
            case "get":
                return get(files, step.path)
            case "unlink":
                with suppress(FileNotFoundError):
                    files.unlink(step.path)
            case "sync":
                files.sync()
            case _:
                with self._system.user() as newcomer:
                    newcomer[FileSystem].listdir("/")
        return ABSENT


def put(files: FileSystem, path: str, data: bytes) -> None:
    """Have a file hold this."""
    descriptor = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    written = files.write(descriptor, data)
    files.close(descriptor)
    if written != len(data):
        raise OSError(errno.EIO, f"{written} of {len(data)} bytes were written")


def get(files: FileSystem, path: str) -> int:
    """The version of what a file holds."""
    try:
        descriptor = files.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return ABSENT
    data = files.read(descriptor, _LONGEST)
    files.close(descriptor)
    return version_of(data)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    run(msgspec.json.decode(sys.stdin.buffer.read(), type=Trial))
