"""Endurance: clients at work for a long time, while memory and descriptors stay what they were."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from kernels import boot
from lab.kills.census import Census, count, resident
from lab.kills.files import FileClient
from servers.disk import Disk
from servers.filesystem import FileSystem

GROWTH: Final = 0.05
"""What memory may grow by, of what it was."""
SLACK: Final = 8 << 20
"""Bytes by which it may grow in any case: heaps breathe."""
_SAMPLE_S: Final = 0.25
_BLOCKS: Final = 16_384


class Endurance(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        kernel: which.
        requests: that clients made and were checked.
        wrong: sentences: what some client was told and should not have been.
        before, after: what the system had of the host in the first part, and at the end, at most.
        memory: bytes resident in all of its processes, likewise.
    """

    kernel: str
    requests: int
    wrong: tuple[str, ...]
    before: Census
    after: Census
    memory: tuple[int, int]

    @property
    def flat(self) -> bool:
        """Whether nothing has grown."""
        before, after = self.memory
        grown = any(now > then for now, then in zip(self.after, self.before, strict=True))
        return not grown and after <= before * (1 + GROWTH) + SLACK

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        return self.flat and not self.wrong


def endure(
    kernel: str, seconds: float, clients: int, seed: int, tick: Callable[[], None]
) -> Endurance:
    """Have clients work for a time; the first third of it is what the rest is compared with."""
    config: Any = {Disk: {"blocks": _BLOCKS}}
    users: Any = "process" if kernel == "monolithic" else "inline"
    with boot(kernel, FileSystem, config=config, users=users) as system:
        working = [FileClient(system, f"client-{at}", f"{seed}/{at}") for at in range(clients)]
        began = time.monotonic()
        samples: list[tuple[Census, int]] = []
        while time.monotonic() < began + seconds:
            time.sleep(min(_SAMPLE_S, seconds / 10))
            samples.append((count(system), resident(system)))
            tick()
        for client in working:
            client.end()
        wrong = [sentence for client in working for sentence in client.wrong()]
        for client in working:
            client.leave()
    third = max(len(samples) // 3, 1)
    first, last = samples[:third], samples[-third:]
    return Endurance(
        kernel=kernel,
        requests=sum(client.requests for client in working),
        wrong=tuple(wrong),
        before=Census(*map(max, zip(*(each for each, _ in first), strict=True))),
        after=Census(*map(max, zip(*(each for each, _ in last), strict=True))),
        memory=(max(size for _, size in first), max(size for _, size in last)),
    )
