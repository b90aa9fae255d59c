"""top: the processes that use the most."""

from servers.process import Process
from workloads.programs._common import number, options
from workloads.programs.free import memory_lines
from workloads.programs.ps import table


def main(process: Process, *arguments: str) -> int:
    """`top [-n TIMES] [-d SECONDS]`: once by default; processes by processor time."""
    given, _ = options(process, arguments, "n:d:b")
    times = number(process, given.get("n", "1"))
    for turn in range(times):
        if turn:
            process.sleep(float(given.get("d", "1")))
        found = sorted(process.manager.processes(), key=lambda one: -one.cpu)
        states = [one.state for one in found]
        process.stdout.write(
            f"{len(found)} processes: {states.count('R')} running, {states.count('T')} stopped, "
            f"{states.count('Z')} zombies\n"
        )
        process.stdout.writelines(memory_lines(process))
        process.stdout.writelines(table(found, full=True))
        process.stdout.flush()
    return 0
