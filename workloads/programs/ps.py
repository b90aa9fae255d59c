"""ps: the processes."""

from collections.abc import Iterable

from servers.process import Process, ProcessInfo
from workloads.programs._common import human, options


def main(process: Process, *arguments: str) -> int:
    """`ps [-aefl]`: all processes; -f and -l say more."""
    given, _ = options(process, arguments, "aAefl")
    full = bool({"f", "l"} & given.keys())
    process.stdout.writelines(table(process.manager.processes(), full=full))
    return 0


def table(processes: Iterable[ProcessInfo], *, full: bool) -> Iterable[str]:
    """Processes as lines."""
    more = "  PGID   SID    UID  NI" if full else ""
    yield f"  PID  PPID S{more}    TIME    RSS COMMAND\n"
    for one in processes:
        more = f" {one.pgid:5} {one.sid:5} {one.uid:6} {one.nice:3}" if full else ""
        yield (
            f"{one.pid:5} {one.ppid:5} {one.state}{more} {one.cpu:7.2f} {human(one.memory):>6} "
            f"{one.command}\n"
        )
