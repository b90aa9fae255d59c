"""Fuzzed frames for every server: noise, and mutations of recorded and of drawn traffic.

    python -m tests.kernels.fuzzing --frames 1000000 --seed 1 [--transport ring]

In turn two systems are attacked: one with all that users may call, by somebody without privileges
who knows the code and holds channels; and one with what only services may call, by somebody who has
all privileges (else nothing of it could be reached at all). The kernel proper is attacked over its
control channel and by mailboxes. Then it must be true that no server and no nucleus died, that none
holds more descriptors or threads than when it was warm, that the memory of none grows, and that an
honest client saw nothing of it all.

A server may hold what its callers have it hold, up to a bound of its own: messages, files. Memory
is looked at several times: what has a bound stops growing, and a large message leaves a step behind
at most; what leaks grows by the same amount with every so many frames. See `grows`.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from kernels import System, boot
from lab.catalogue import services
from servers.console import Console
from servers.examples.queue import MessageQueue
from servers.filesystem import FileSystem
from servers.slowdisk import SlowDisk
from servers.slowfiles import SlowFileSystem
from tests.kernels.attackers import SOMEBODY, Asker, Attacker, Writer
from tests.kernels.corpus import DRAWN, Config, recorded
from tests.kernels.services import Echo
from twinos import Service

LOOKS: Final = (0.2, 0.4, 0.6, 0.8)
"""After which parts of a campaign it is looked at what servers hold, before the end: in the first
one they get warm."""
GROWTH_KIB: Final = 8 * 1024
"""Of what may come and go."""
MORE_CHANNELS: Final = 2
"""Between servers of which one had not asked the other for anything when they were warm. Each takes
four descriptors at both ends, and a thread at one."""
CONTROL: Final = 8
"""One in so many messages goes to the kernel proper."""


@dataclass(frozen=True)
class Field:
    """What is attacked together.

    Attributes:
        name: for people.
        services: what is booted.
        uid: the attackers'.
        config: settings of the services.
        share: of the frames of a campaign.
    """

    name: str
    services: tuple[type[Service], ...]
    uid: int
    config: Config
    share: float


def fields() -> tuple[Field, Field]:
    """All services, those that only services may call apart from the others."""
    found = services().values()
    hidden = tuple(service for service in found if service.__privileged__)
    # Two file systems can't share a disk: of those on the slow one the overlapped one is enough.
    apart = {SlowFileSystem}
    open_ones = tuple(s for s in found if not s.__privileged__ and s not in apart)
    disk: Config = {SlowDisk: {"speed": 0.0}}
    full: Config = {Console: {"keep": True}, MessageQueue: {"memory": 1 << 20, "topics": 32}}
    return (
        Field("for users", (Echo, *open_ones), SOMEBODY[0], {**disk, **full}, 0.7),
        Field("for services", (Echo, *hidden), 0, disk, 0.3),
    )


class Held(NamedTuple):
    """What a process holds."""

    descriptors: int
    threads: int
    kib: int


def held(pid: int) -> Held:
    """What it holds now; kib: anonymous memory."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    descriptors, threads = os.listdir(f"/proc/{pid}/fd"), os.listdir(f"/proc/{pid}/task")
    return Held(len(descriptors), len(threads), kib)


def grows(kib: Sequence[int]) -> bool:
    """Whether memory, looked at after equal numbers of frames, still grows, as if without a bound.

    The least step of the second half is what a leak, if there is one, adds each time.
    """
    steps = [later - sooner for sooner, later in pairwise(kib)]
    return min(steps[len(steps) // 2 :]) * len(steps) > GROWTH_KIB


class Honest(threading.Thread):
    """A client that asks for what it knows, and notes whatever else it gets."""

    def __init__(self, system: System) -> None:
        super().__init__(daemon=True)
        self.complaints: list[str] = []
        self.calls = 0
        self._over = threading.Event()
        self._system = system
        self._echo = system[Echo]
        self._files = system[FileSystem] if FileSystem in system.services else None
        if self._files is not None:
            self._descriptor = self._files.open("/honest", os.O_RDWR | os.O_CREAT, 0o600)
            self._files.pwrite(self._descriptor, b"honest" * 1000, 0)

    def run(self) -> None:
        while not self._over.wait(0.002):
            try:
                good = self._asks() and (self.calls % 50 or self._comes_and_goes())
            except Exception as error:  # noqa: BLE001 (all of them are what is looked for)
                self.complaints.append(repr(error))
                return
            if not good:
                self.complaints.append("a wrong answer")
            self.calls += 1

    def _asks(self) -> bool:
        files = self._files
        return self._echo.number(self.calls) == self.calls and (
            files is None
            or (
                files.pread(self._descriptor, 6, 600) == b"honest"
                and files.stat("/honest").st_size == 6000
            )
        )

    def _comes_and_goes(self) -> bool:
        with self._system.user(77, 77) as friend:
            return friend[Echo].caller().uid == 77

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self.join()


class Outcome(NamedTuple):
    """What came of a campaign."""

    field: str
    frames: dict[str, int]
    channels: int
    honest_calls: int
    complaints: list[str]
    looks: dict[str, list[Held]]
    seconds: float


def processes(system: System) -> dict[str, int]:
    """The pids of the nucleus and of all servers, by what the host calls them."""
    nucleus = system._kernel._nucleus.pid  # type: ignore[attr-defined]  # of a microkernel
    with open(f"/proc/{nucleus}/task/{nucleus}/children", encoding="ascii") as file:
        pids = [nucleus, *map(int, file.read().split())]
    return {f"{_name(pid)} {number}": pid for number, pid in enumerate(pids)}


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()


def attack(
    field: Field,
    frames: int,
    seed: int,
    transport: str,
    told: Callable[[str], None] = lambda _: None,
    drawn: int = DRAWN,
) -> Outcome:
    """Send so many frames, to all services in turn, and to the kernel proper."""
    corpus, rng = recorded(field.services, drawn), random.Random(seed)
    start = time.monotonic()
    with boot("microkernel", *field.services, transport=transport, config=field.config) as system:
        honest = Honest(system)
        servers = {
            each.__name__: Attacker(system, each, corpus[each.__name__], field.uid)
            for each in field.services
        }
        kernel = {"control": Asker(system), "mailboxes": Writer(system)}
        attackers = {**servers, **kernel}
        sent = dict.fromkeys(attackers, 0)
        before = processes(system)
        looks: dict[str, list[Held]] = {name: [] for name in before}
        due = [int(frames * part) for part in LOOKS]
        honest.start()
        for number in range(frames):
            name = rng.choice(list(servers if rng.randrange(CONTROL) else kernel))
            attackers[name].attack(rng)
            sent[name] += 1
            if number in due:
                _look(before, looks)
            if number % 10_000 == 9_999:
                told(f"{number + 1:,} frames, {time.monotonic() - start:.0f} s")
        for attacker in attackers.values():
            attacker.close()
        honest.stop()
        complaints = list(honest.complaints)
        after = processes(system)
        if after != before:
            complaints.append(f"processes were {before}, and are {after}")
        looks = {name: seen for name, seen in looks.items() if seen and _runs(before[name])}
        for name, seen in looks.items():
            seen.append(_settled(before[name], seen[0]))
    complaints += [
        f"{name} grew: {seen}"
        for name, seen in looks.items()
        if seen[-1].descriptors > seen[0].descriptors + 4 * MORE_CHANNELS
        or seen[-1].threads > seen[0].threads + MORE_CHANNELS
        or grows([each.kib for each in seen])
    ]
    channels = sum(attacker.channels for attacker in attackers.values())
    seconds = time.monotonic() - start
    return Outcome(field.name, sent, channels, honest.calls, complaints, looks, seconds)


def _look(pids: dict[str, int], looks: dict[str, list[Held]]) -> None:
    for name, pid in pids.items():
        if _runs(pid):
            looks[name].append(held(pid))


def _runs(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/status")


def _settled(pid: int, was: Held) -> Held:
    """What a process holds when it has let go of what its last clients had."""
    deadline = time.monotonic() + 10
    while (now := held(pid))[:2] > was[:2] and time.monotonic() < deadline:
        time.sleep(0.01)
    return now


def lines(outcome: Outcome) -> Iterator[str]:
    """What came of it, for people."""
    frames = sum(outcome.frames.values())
    yield f"services {outcome.field}: {frames:,} frames over {outcome.channels:,} channels"
    yield ", ".join(f"{name} {count:,}" for name, count in outcome.frames.items())
    yield f"{outcome.honest_calls:,} rounds of an honest client, {outcome.seconds:.0f} s"
    for name, seen in outcome.looks.items():
        yield f"{name}: {', '.join(f'{each.kib:,}' for each in seen)} KiB"
    yield from outcome.complaints or ["no server died, none grew, the honest client saw nothing"]


def main() -> int:
    """Attack, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", default="pipe")
    asked = parser.parse_args()
    status = 0
    for field in fields():
        outcome = attack(
            field,
            int(asked.frames * field.share),
            asked.seed,
            asked.transport,
            lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201 (a program)
        )
        print("\n".join(lines(outcome)), flush=True)  # noqa: T201 (a program)
        status = status or bool(outcome.complaints)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
