"""The null call: what remains of a request when nothing is asked, alone and many at a time."""

from servers.clock import Clock
from servers.filesystem import FileSystem
from workloads.workload import Operation, Program, User, equals, workload


@workload("null")
def null(clock: Clock) -> Program:
    """Ask the clock for nothing: no argument, no work, no result."""
    yield Operation(clock.null, check=equals(None))


@workload("batch", {f"batch-{size}": {"size": size} for size in (1, 4, 16, 64, 256)}, extra=True)
def batched(user: User, clock: Clock, size: int) -> Program:
    """Ask the clock for nothing, {size:,} times in one message, and look at the results."""

    def call() -> list[None]:
        with user.batch(size) as later:
            pending = [later(clock.null) for _ in range(size)]
        return [each.result() for each in pending]

    yield Operation(call, check=equals([None] * size), ops=size)


@workload("batch", {f"batch-stat-{size}": {"size": size} for size in (1, 16, 64)}, extra=True)
def batched_stat(user: User, fs: FileSystem, size: int) -> Program:
    """Stat the root directory {size:,} times in one message, and look at the results."""
    root = fs.stat("/")

    def call() -> list[int]:
        with user.batch(size) as later:
            pending = [later(fs.stat, "/") for _ in range(size)]
        return [each.result().st_ino for each in pending]

    yield Operation(call, check=equals([root.st_ino] * size), ops=size)
