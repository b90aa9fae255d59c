"""A system that is killed on a schedule, and booted again when it is down."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Final

from kernels import System
from kernels.host import adopting
from lab.availability.clients import Client, Life, Tally
from lab.availability.course import STEP_S, Course, Kill
from lab.faults.campaign import fresh_image
from lab.faults.trial import start
from lab.kills.killing import kill, never_given_up
from lab.refusal import Failure
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import KernelPanic, Service
from twinos.errors import describe

KERNELS: Final = ("monolithic", "microkernel")
VICTIMS: Final[tuple[type[Service], ...]] = (FileSystem, Disk)
PATIENCE_S: Final = 30.0
"""After a kill; then the run has failed."""
_LOOK_S: Final = 0.002


def schedule(seconds: float, every: float, seed: int) -> list[tuple[float, str]]:
    """When which service is killed: the same for each kernel; not near the beginning or the end."""
    rng = random.Random(seed)
    kills: list[tuple[float, str]] = []
    at = every
    while at < seconds - every / 2:
        kills.append((at, rng.choice(VICTIMS).__name__))
        at += every * rng.uniform(0.75, 1.25)
    return kills


def run(
    kernel: str,
    seconds: float,
    kills: list[tuple[float, str]],
    *,
    clients: int,
    seed: int,
    reboot_s: float,
    tick: Callable[[], None] = lambda: None,
) -> Course:
    """One kernel, in files that nobody else has.

    Args:
        kernel: which; its processes are others than that of the clients.
        seconds: how long.
        kills: see `schedule`.
        clients: how many ask.
        seed: of what they ask.
        reboot_s: what a machine needs before its system boots.
        tick: is called after each kill.

    Raises:
        Failure: the system didn't come back, or a client ended.
    """
    with (
        tempfile.TemporaryDirectory(prefix="twinos-availability-") as name,
        adopting(),
        never_given_up(VICTIMS),
    ):
        image = Path(name) / "image"
        image.write_bytes(fresh_image())
        life, tally = Life(_boot(kernel, image)), Tally(round(seconds / STEP_S))
        done = []
        with _crowd(life, tally, clients, seed) as crowd:
            for at, service in kills:
                _sleep_until(at, tally)
                killed = tally.now
                kill(life.system, service)
                tally.await_answer()
                _raise_again(life, kernel, image, reboot_s)
                done.append(Kill(killed, service, _answered(tally, killed) - killed))
                tick()
            _sleep_until(seconds, tally)
        return Course(
            kernel=kernel,
            served=tuple(tally.served),
            kills=tuple(done),
            errors=sum(client.errors for client in crowd),
            wrong=sum(client.wrong for client in crowd),
            lost=sum(client.lost for client in crowd),
            broken=sum(client.broken for client in crowd),
            boots=life.number,
        )


@contextmanager
def _crowd(life: Life, tally: Tally, count: int, seed: int) -> Iterator[list[Client]]:
    """Clients who ask until the block is left; the system ends with them.

    Raises:
        Failure: one met what no client should.
    """
    ended = Event()
    crowd = [Client(life, tally, ended, number, str(seed)) for number in range(1, count + 1)]
    for client in crowd:
        client.start()
    try:
        yield crowd
    finally:
        ended.set()
        for client in crowd:
            client.join(PATIENCE_S)
        with suppress(KernelPanic, OSError):
            life.system.close()
    for client in crowd:
        if client.failure is not None:
            raise Failure(f"{client.name} ended: {describe(client.failure)}.")


def _sleep_until(moment: float, tally: Tally) -> None:
    time.sleep(max(0.0, moment - tally.now))


def _raise_again(life: Life, kernel: str, image: Path, reboot_s: float) -> None:
    """Boot the system again if it is down."""
    try:
        life.system[FileSystem].stat("/")
    except KernelPanic:
        with suppress(KernelPanic, OSError):
            life.system.close()
        time.sleep(reboot_s)
        life.replace(_boot(kernel, image))


def _boot(kernel: str, image: Path) -> System:
    """Boot. Kills are no loss of power: nobody has to wait for the host's medium."""
    return start(kernel, image, durable=False)


def _answered(tally: Tally, killed: float) -> float:
    """When a client got the first answer after a kill."""
    while tally.awaited is None:
        if tally.now - killed > PATIENCE_S:
            raise Failure(f"nobody was answered for {PATIENCE_S:g} s after a kill.")
        time.sleep(_LOOK_S)
    return tally.awaited
