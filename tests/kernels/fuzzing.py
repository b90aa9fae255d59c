"""Fuzzed frames for every server: noise, and mutations of recorded traffic.

    python -m tests.kernels.fuzzing --frames 1000000 --seed 1 [--transport ring]

One frame after the other is sent as a user without privileges would, who knows the code and holds a
channel. Then it must be true that no server and no nucleus died, that none holds more descriptors,
threads or memory than when it was warm, and that an honest client saw nothing of it all.
"""

import argparse
import os
import random
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from kernels import System, User, boot
from kernels.bulk import GRANT
from kernels.frames import HEADER, IN_STORE, LARGE, SIZE, frame
from kernels.ring import ASLEEP, RingChannel
from kernels.transport import Channel
from lab.measuring import running
from servers.clock import Clock
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.pipes import Pipes
from tests.kernels.channels import agent
from tests.kernels.services import Echo
from twinos import Bind, Op, Service, operations
from twinos.codec import encode
from workloads.catalogue import catalogue

SERVICES: Final[tuple[type[Service], ...]] = (
    Clock,
    Echo,
    FileSystem,
    MemoryManager,
    Pipes,
)
MOST_RECORDED: Final = 30
"""Requests kept of one operation."""
WARM: Final = 0.2
"""The part of a campaign after which servers are as large as they get."""
WAIT_MS: Final = 5
"""How long an answer is waited for: operations may wait."""
GROWTH_KIB: Final = 8 * 1024

Corpus = dict[str, list[bytes]]


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


def recorded() -> Corpus:
    """The requests that workloads and defaults make, as frames, by service."""
    corpus: Corpus = {service.__name__: [] for service in SERVICES}
    kept: dict[tuple[str, str], int] = {}

    def layer(bind: Bind) -> Bind:
        def bound(operation: Op) -> Callable[..., Any]:
            deliver = bind(operation)

            def record(*arguments: Any) -> Any:
                key = operation.service, operation.name
                kept[key] = kept.get(key, 0) + 1
                if operation.service in corpus and kept[key] <= MOST_RECORDED:
                    corpus[operation.service].append(request(operation, arguments))
                return deliver(*arguments)

            return record

        return bound

    for workload in catalogue().values():
        if set(workload.services) <= set(SERVICES) and not workload.macro:
            with (
                boot(
                    "monolithic", *workload.services, config=workload.config, layers=[layer]
                ) as system,
                suppress(Exception),
                running(workload, system) as operation,
            ):
                operation.call()
    for service in SERVICES:
        corpus[service.__name__] += [request(each, ()) for each in operations(service).values()]
    return corpus


def request(operation: Op, arguments: tuple[Any, ...]) -> bytes:
    """The frame of a request."""
    return frame(operation.number, encode(arguments) if arguments else b"")


def mutated(rng: random.Random, frames: Sequence[bytes]) -> bytes:
    """A frame that is nearly one of these, or nothing of the kind."""
    kind, message = rng.randrange(9), bytearray(rng.choice(frames))
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 40))
    if kind == 1:
        return bytes(message[: rng.randrange(len(message))])
    if kind == 2:
        return bytes(message) + rng.randbytes(rng.randrange(1, 9))
    if kind == 3:
        return HEADER.pack(rng.getrandbits(32), rng.randrange(256)) + message[SIZE:]
    if kind == 4:
        size = rng.choice([0, LARGE - 1, LARGE, LARGE + 1, 1 << 20, 1 << 31])
        rest = bytes(message[SIZE:][: rng.choice([0, 3, 99])])
        return GRANT.pack(IN_STORE | 4 + len(rest), message[SIZE - 1], size) + rest
    if kind == 5:
        message[SIZE:] = rng.choice(frames)[SIZE:]
        return frame(message[SIZE - 1], bytes(message[SIZE:]))
    for _ in range(rng.randrange(0 if kind == 6 else 1, 4)):
        place = rng.randrange(SIZE if kind == 7 else 0, max(len(message), SIZE + 1))
        if place < len(message):
            message[place] = rng.randrange(256)
    return bytes(message)


def is_part(message: bytes) -> bool:
    """Whether a server has to wait for the rest of it."""
    if len(message) < SIZE:
        return True
    return HEADER.unpack_from(message)[0] & ~IN_STORE > len(message) - SIZE


class Attacker:
    """Sends frames to one service, over one channel after another.

    Attributes:
        channels: how many it took.
    """

    def __init__(self, system: System, user: User, service: type[Service]) -> None:
        self._connect = lambda: agent(system)._connect(service.__name__, user.caller)
        self._channel: Channel | None = None
        self._noise = bytes(range(256)) * (LARGE // 256)
        self._parts = False
        self.channels = 0

    def send(self, message: bytes) -> None:
        """Send it, and wait a moment for whatever comes."""
        if self._channel is None:
            self._channel = self._open()
        try:
            self._channel.send(message)
            if is_part(message):
                self._parts = not self._parts
                if self._parts:
                    return  # the next one goes on with it
            if not self._answered(self._channel):
                self.close()
        except (OSError, EOFError):
            self.close()

    def _open(self) -> Channel:
        self.channels += 1
        channel = self._connect()
        if isinstance(channel, RingChannel):
            channel._said[ASLEEP] = 1  # so that it rings, and can be polled for
            channel._ours[8192 : 8192 + LARGE] = self._noise
        else:
            channel.sent[: len(self._noise)] = self._noise  # type: ignore[attr-defined]  # of pipes
        return channel

    def _answered(self, channel: Channel) -> bool:
        poll = select.poll()
        poll.register(channel.hangup, select.POLLIN)
        if not poll.poll(WAIT_MS):
            return False
        got = os.read(channel.hangup, 1 << 16)
        return 0 < len(got) < 1 << 16

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None


class Honest(threading.Thread):
    """A client that asks for what it knows, and notes whatever else it gets."""

    def __init__(self, system: System) -> None:
        super().__init__(daemon=True)
        self.complaints: list[str] = []
        self.calls = 0
        self._over = threading.Event()
        self._files, self._echo = system[FileSystem], system[Echo]
        descriptor = self._files.open("/honest", os.O_RDWR | os.O_CREAT, 0o600)
        self._descriptor = descriptor
        self._files.pwrite(descriptor, b"honest" * 1000, 0)

    def run(self) -> None:
        while not self._over.wait(0.002):
            try:
                good = (
                    self._files.pread(self._descriptor, 6, 600) == b"honest"
                    and self._files.stat("/honest").st_size == 6000
                    and self._echo.number(self.calls) == self.calls
                )
            except Exception as error:  # noqa: BLE001 (all of them are what is looked for)
                self.complaints.append(repr(error))
                return
            if not good:
                self.complaints.append("a wrong answer")
            self.calls += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


class Outcome(NamedTuple):
    """What came of a campaign."""

    frames: int
    channels: int
    honest_calls: int
    complaints: list[str]
    growth: dict[str, tuple[Held, Held]]


def processes(system: System) -> dict[str, int]:
    """The pids of the nucleus and of all servers, by what the host calls them."""
    nucleus = system._kernel._nucleus.pid  # type: ignore[attr-defined]  # of a microkernel
    with open(f"/proc/{nucleus}/task/{nucleus}/children", encoding="ascii") as file:
        pids = [nucleus, *map(int, file.read().split())]
    return {_name(pid): pid for pid in pids}


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()


def attack(
    frames: int, seed: int, transport: str, told: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Send so many frames, to all services in turn."""
    corpus, rng = recorded(), random.Random(seed)
    with (
        boot("microkernel", *SERVICES, transport=transport) as system,
        system.user(1000, 1000) as user,
    ):
        honest = Honest(system)
        attackers = {each.__name__: Attacker(system, user, each) for each in SERVICES}
        before, warm = processes(system), {}
        honest.start()
        start = time.monotonic()
        for number in range(frames):
            name = rng.choice(list(attackers))
            attackers[name].send(mutated(rng, corpus[name]))
            if number == int(frames * WARM):
                warm = {name: held(pid) for name, pid in before.items()}
            if number % 10_000 == 9_999:
                told(f"{number + 1:,} frames, {time.monotonic() - start:.0f} s")
        for attacker in attackers.values():
            attacker.close()
        honest.stop()
        complaints = list(honest.complaints)
        after = processes(system)
        if after != before:
            complaints.append(f"processes were {before}, and are {after}")
        growth = {name: (warm[name], _settled(pid, warm[name])) for name, pid in before.items()}
    complaints += [
        f"{name} grew from {was} to {now}"
        for name, (was, now) in growth.items()
        if now.descriptors > was.descriptors
        or now.threads > was.threads
        or now.kib > was.kib + GROWTH_KIB
    ]
    channels = sum(attacker.channels for attacker in attackers.values())
    return Outcome(frames, channels, honest.calls, complaints, growth)


def _settled(pid: int, was: Held) -> Held:
    """What a process holds when it has let go of what its last clients had."""
    deadline = time.monotonic() + 10
    while (now := held(pid))[:2] > was[:2] and time.monotonic() < deadline:
        time.sleep(0.01)
    return now


def lines(outcome: Outcome) -> Iterator[str]:
    """What came of it, for people."""
    yield f"{outcome.frames:,} frames over {outcome.channels:,} channels"
    yield f"{outcome.honest_calls:,} rounds of an honest client"
    for name, (was, now) in outcome.growth.items():
        yield f"{name}: {was.kib:,} KiB when warm, {now.kib:,} at the end"
    yield from outcome.complaints or ["no server died, none grew, the honest client saw nothing"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", default="pipe")
    asked = parser.parse_args()
    outcome = attack(
        asked.frames,
        asked.seed,
        asked.transport,
        lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201 (a program)
    )
    print("\n".join(lines(outcome)))  # noqa: T201 (a program)
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
