"""The null call: what remains of a request when nothing is asked."""

from servers.clock import Clock
from workloads.workload import Operation, Program, equals, workload


@workload("null")
def null(clock: Clock) -> Program:
    """Ask the clock for nothing: no argument, no work, no result."""
    yield Operation(clock.null, check=equals(None))
