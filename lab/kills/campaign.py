"""The campaign: a system under load, whose services are killed at random instants."""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from kernels import System, User, boot
from kernels.host import adopting
from lab.kills.census import Census, count, kernel_process
from lab.kills.client import Client
from lab.kills.files import FileClient
from lab.kills.killing import kill, never_given_up
from lab.kills.memory import FRAMES, MemoryClient
from lab.kills.spawning import ProcessClient
from servers.console import Console
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.check import MemoryImage, Severity, check
from servers.memory import MemoryManager, SwapDisk
from servers.process import ProcessManager
from twinos import KernelPanic, Service

VICTIMS: Final[dict[str, type[Service]]] = {
    "FileSystem": FileSystem,
    "Disk": Disk,
    "ProcessManager": ProcessManager,
    "MemoryManager": MemoryManager,
    "SwapDisk": SwapDisk,
}
SERVICES: Final = (FileSystem, MemoryManager, ProcessManager, Console)
CLIENTS: Final = 4
BLOCKS: Final = 16_384
SLOTS: Final = 2048
"""Of the swap area; the programs that are started need some, too."""
_PAUSE_S: Final = 0.01
_BOTH, _AGAIN, _CLIENT = 0.15, 0.3, 0.97
"""Chances: all victims at once; the victim once more while it recovers; from there on, a client."""
_READY_S: Final = 30.0
_WARM_S: Final = 0.3
_BULK: Final = 200_000
"""Bytes in each write of the client that dies with a grant."""


class Kills(msgspec.Struct, frozen=True):
    """What came of a campaign.

    Attributes:
        kills: how many there were, by what was killed.
        requests: that clients made and were checked.
        wrong: sentences: what some client was told and should not have been.
        before, after: what the system had of the host, before the kills and after.
        errors: of the image, at the end.
        recovery_ms: from a kill until the next life was ready: median and 99th percentile.
        seconds: how long it took.
    """

    kills: dict[str, int]
    requests: int
    wrong: tuple[str, ...]
    before: Census
    after: Census
    errors: tuple[str, ...]
    recovery_ms: tuple[float, float]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        grown = any(now > then for now, then in zip(self.after, self.before, strict=True))
        return not (self.wrong or self.errors or grown)


def campaign(
    services: Sequence[str], kills: int, seed: int, tick: Callable[[str], None] = lambda _: None
) -> Kills:
    """Kill so many times, and look at what became of it.

    Args:
        services: which may be killed.
        kills: how many kills there are.
        seed: of the instants, the victims and of what the clients do.
        tick: is told of each kill.
    """
    rng = random.Random(seed)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="twinos-kills-") as name,
        never_given_up(VICTIMS.values()),
    ):
        image = Path(name) / "image"
        # Kills are no loss of power: nobody has to wait for the medium.
        config: Any = {
            Disk: {"image": str(image), "blocks": BLOCKS, "durable": False},
            MemoryManager: {"pages": FRAMES},
            SwapDisk: {"blocks": SLOTS},
        }
        with boot("microkernel", *SERVICES, config=config) as system:
            _warm_up(system)
            before = count(system)
            memory = system[MemoryManager].meminfo()
            clients = _clients(system, CLIENTS, f"{seed}")
            done, recoveries = _kill_all(system, services, kills, rng, tick)
            for client in clients:
                client.end()
            wrong = [sentence for client in clients for sentence in client.wrong()]
            for client in clients:
                client.leave()
            after = _settled(system, before)
            left = system[MemoryManager].meminfo()
        if left != memory:
            wrong.append(f"memory: {left}, and before {memory}")
        errors = errors_of(image.read_bytes())
    recoveries.sort()
    middle, last = recoveries[len(recoveries) // 2], recoveries[len(recoveries) * 99 // 100]
    return Kills(
        kills=dict(done),
        requests=sum(client.requests for client in clients),
        wrong=tuple(wrong),
        before=before,
        after=after,
        errors=errors,
        recovery_ms=(middle * 1e3, last * 1e3),
        seconds=time.monotonic() - began,
    )


def _kill_all(
    system: System,
    services: Sequence[str],
    kills: int,
    rng: random.Random,
    tick: Callable[[str], None],
) -> tuple[Counter[str], list[float]]:
    """Kill one service, two at once, one that has just begun again, a client with a grant."""
    done: Counter[str] = Counter()
    recoveries: list[float] = []
    bulky = system.process(write_for_ever)
    while done.total() < kills:
        time.sleep(rng.uniform(0.0, 2 * _PAUSE_S))
        way = rng.random()
        victims = list(services) if way < _BOTH else [rng.choice(list(services))]
        killed = set(filter(None, [kill(system, victim) for victim in victims]))
        began = time.monotonic()
        done.update(victims)
        tick("+".join(victims))
        if _BOTH <= way < _AGAIN:
            time.sleep(rng.uniform(0.0, _PAUSE_S))
            killed.add(kill(system, victims[0]))
            done[f"{victims[0]}, while it recovered"] += 1
            tick(victims[0])
        elif way > _CLIENT:
            bulky.kill()
            bulky.join()
            done["a client with a grant"] += 1
            tick("a client")
            bulky = system.process(write_for_ever)
        _until_ready(system, killed)
        recoveries.append(time.monotonic() - began)
    bulky.kill()
    bulky.join()
    return done, recoveries


def write_for_ever(user: User) -> int:
    """A client whose messages are large, and which is killed in the middle of one."""
    files = user[FileSystem]
    descriptor = files.open(f"/bulk-{os.getpid()}", os.O_RDWR | os.O_CREAT)
    files.unlink(f"/bulk-{os.getpid()}")
    while True:
        files.pwrite(descriptor, bytes(_BULK), 0)
        files.pread(descriptor, _BULK, 0)


def _until_ready(system: System, killed: Collection[int]) -> None:
    """Wait until every server serves, and none is one of those that were killed."""
    deadline = time.monotonic() + _READY_S
    while any(each.state != "running" or each.pid in killed for each in system.status()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {_READY_S:g} s: {system.status()}")
        time.sleep(0.0005)


def _warm_up(system: System) -> None:
    """One life and one client each: what is made once for all is there."""
    _until_ready(system, [kill(system, name) for name in VICTIMS])
    clients = _clients(system, 1, "warm-up")  # no seed: a directory of its own
    time.sleep(_WARM_S)
    for client in clients:
        client.end()
        client.leave()
    time.sleep(_WARM_S)


def _clients(system: System, count: int, seed: str) -> list[Client]:
    """So many of files, one of processes, and one of memory."""
    files = [FileClient(system, f"client-{seed}-{at}", f"{seed}/{at}") for at in range(count)]
    return [*files, ProcessClient(system, seed), MemoryClient(system, seed)]


def _settled(system: System, before: Census) -> Census:
    """A census, once what is on its way out has gone, or after a while."""
    deadline = time.monotonic() + 10
    while True:
        after = count(system)
        if time.monotonic() > deadline or all(
            now <= then for now, then in zip(after, before, strict=True)
        ):
            return after
        time.sleep(0.1)


def errors_of(image: bytes) -> tuple[str, ...]:
    """What the checker finds wrong with an image."""
    found = check(MemoryImage(bytearray(image)))
    return tuple(str(each) for each in found if each.severity is Severity.ERROR)


def kill_kernel(seed: int) -> tuple[str, ...]:
    """Kill the kernel's own process: all of it is gone, and what was synced is not.

    Returns:
        What is wrong, as sentences.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="twinos-kills-") as name, adopting():
        image = Path(name) / "image"
        config: Any = {Disk: {"image": str(image), "blocks": BLOCKS}}
        system = boot("microkernel", FileSystem, config=config)
        files = system[FileSystem]
        synced: dict[str, bytes] = {}
        try:
            deadline = time.monotonic() + rng.uniform(0.02, 0.2)
            while time.monotonic() < deadline:
                path, data = f"/{rng.randrange(20)}-{len(synced)}", rng.randbytes(3000)
                descriptor = files.open(path, os.O_CREAT | os.O_WRONLY)
                files.write(descriptor, data)
                files.fsync(descriptor)
                files.close(descriptor)
                synced[path] = data
            pids = [server.pid for server in system.status()]
            kernel = kernel_process(system)
            os.kill(kernel, signal.SIGKILL)
            wrong = _after_kernel(files, [kernel, *pids])
            for pid in pids:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        finally:
            with suppress(KernelPanic, OSError):
                system.close()
        wrong += errors_of(image.read_bytes())
        with boot("microkernel", FileSystem, config={Disk: {"image": str(image)}}) as again:
            for path, data in synced.items():
                descriptor = again[FileSystem].open(path, os.O_RDONLY)
                if again[FileSystem].read(descriptor, 10_000) != data:
                    wrong.append(f"{path} was synced, and is not what it was")
    return tuple(wrong)


def _after_kernel(files: FileSystem, pids: Sequence[int]) -> list[str]:
    deadline = time.monotonic() + 10
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if _runs(pid)]
        time.sleep(0.01)
    wrong = [f"process {pid} outlives its kernel" for pid in left]
    with suppress(KernelPanic):
        files.stat("/")
        wrong.append("there is an answer after the kernel's death")
    return wrong


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
