"""A mix of jobs, after the AIM multiuser benchmark: what happens when more of them run at once.

The macro test of Härtig et al. (SOSP 1997): its result is the slope over the load.
"""

import random
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from servers.memory.layout import PAGE_SIZE
from servers.pipes import Pipes
from workloads.memory import load_each, space_of, store_each
from workloads.steps import Step, perform
from workloads.workload import Operation, Program, User, Users, WrongResultError, equals, workload

LOADS: Final = (1, 2, 4, 8)
PAGES: Final = 8
COMPUTED: Final = bytes(64 * 1024)
"""What the computing part digests. It is so large that the host's interpreter lets others run."""
DIGEST: Final = sha256(COMPUTED).digest()
SIZE: Final = 4096
COPIES: Final = 4
PARTS: Final = 5

Part = Callable[[random.Random], None]


@workload(
    "aim",
    {f"aim-{load}": {"load": load} for load in LOADS},
    config={Disk: {"blocks": 64 * 1024}},
    quick={"rounds": 4},
    macro=True,
    extra=True,
)
def aim(
    fs: FileSystem,
    memory: MemoryManager,
    pipes: Pipes,
    users: Users,
    load: int,
    rounds: int = 20,
    seed: int = 97,
) -> Program:
    """Jobs that each mix disk, memory, pipe and computing; at once: {load}. Cost of one job.

    A job is a thread and a caller of its own. It does {rounds:,} rounds of five parts, shuffled
    (seed {seed}): make a file of 4 KiB with fsync, read it back and delete it; list a directory of
    50 files and stat five; map 8 pages, store to each, load each, unmap; copy 4 KiB through a pipe
    four times; digest 64 KiB (SHA-256).
    """
    del memory, pipes  # every job has handles of its own; the parameters say what is used
    fs.mkdir("/aim")
    names = tuple(f"{number:02}" for number in range(50))
    perform(fs, [Step("create", f"/aim/{name}", name.encode()) for name in names])

    def run() -> list[int]:
        return _together([_Job(users, names, seed, number, rounds) for number in range(load)])

    yield Operation(run, check=equals([PARTS * rounds] * load), ops=load)
    equals(names)(tuple(sorted(fs.listdir("/aim"))))
    perform(fs, [Step("delete", f"/aim/{name}") for name in names])
    fs.rmdir("/aim")


class _Job(threading.Thread):
    """One job of the mix; `done` says how many parts it finished, `error` why not all."""

    def __init__(
        self, users: Users, names: tuple[str, ...], seed: int, number: int, rounds: int
    ) -> None:
        super().__init__(name=f"aim {number}", daemon=True)
        self._users = users
        self._names = names
        self._number = number
        self._rounds = rounds
        self._lots = random.Random(seed + number)
        self.done = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self._users.user() as user:
                self._work(user)
        except Exception as error:  # noqa: BLE001 (raised again by who started it)
            self.error = error

    def _work(self, user: User) -> None:
        fs, pipes = user[FileSystem], user[Pipes]
        path = f"/aim/job-{self._number}"
        source, sink = pipes.pipe()

        with space_of(user[MemoryManager], user) as space:

            def disk() -> None:
                data = self._lots.randbytes(SIZE)
                steps = [Step("create", path, data, sync=True), Step("read", path)]
                equals([None, data, None])(perform(fs, [*steps, Step("delete", path)]))

            def directory() -> None:
                found = set(fs.listdir("/aim"))
                if not found.issuperset(self._names):
                    raise WrongResultError("a file of the directory is missing")
                for name in self._lots.sample(self._names, 5):
                    equals(len(name))(fs.stat(f"/aim/{name}").st_size)

            def memory() -> None:
                start = space.mmap(PAGES * PAGE_SIZE)
                store_each(space, start, PAGES, b"a")
                equals(b"a" * PAGES)(load_each(space, start, PAGES))
                space.munmap(start, PAGES * PAGE_SIZE)

            def pipe() -> None:
                data = self._lots.randbytes(SIZE)
                for _ in range(COPIES):
                    equals(SIZE)(pipes.write(sink, data))
                    equals(data)(pipes.read(source, SIZE))

            def compute() -> None:
                equals(DIGEST)(sha256(COMPUTED).digest())

            self._take_turns([disk, directory, memory, pipe, compute])
        pipes.close(sink)
        pipes.close(source)

    def _take_turns(self, parts: list[Callable[[], None]]) -> None:
        for _ in range(self._rounds):
            for part in self._lots.sample(parts, len(parts)):
                part()
                self.done += 1


def _together(jobs: list[_Job]) -> list[int]:
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    for job in jobs:
        if job.error is not None:
            raise job.error
    return [job.done for job in jobs]
