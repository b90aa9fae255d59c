"""top: the processes that use the most."""

import math
import os
from itertools import count

from servers.process import Process
from workloads.programs._common import number, options, usage
from workloads.programs.free import memory_lines
from workloads.programs.ps import table

HOME = "\x1b[H\x1b[2J"
"""Empties a terminal."""


def main(process: Process, *arguments: str) -> int:
    """`top [-b] [-n TIMES] [-d SECONDS]`: processes by processor time.

    On a terminal until Ctrl-C; with -b, or elsewhere, once. `twinos top` shows services, too.
    """
    given, _ = options(process, arguments, "n:d:b")
    live = "b" not in given and process.isatty(1)
    delay = _delay(process, given.get("d", "1"))
    turns = range(number(process, given["n"])) if "n" in given else count() if live else range(1)
    for turn in turns:
        if turn:
            process.sleep(delay)
        process.stdout.write(HOME if live else "")
        _show(process)
    return os.EX_OK


def _show(process: Process) -> None:
    found = sorted(process.manager.processes(), key=lambda one: -one.cpu)
    states = [one.state for one in found]
    process.stdout.write(
        f"{len(found)} processes: {states.count('R')} running, {states.count('T')} stopped, "
        f"{states.count('Z')} zombies\n"
    )
    process.stdout.writelines(memory_lines(process))
    process.stdout.writelines(table(found, full=True))
    process.stdout.flush()


def _delay(process: Process, text: str) -> float:
    try:
        delay = float(text)
    except ValueError:
        delay = math.nan
    if not 0 <= delay < math.inf:
        usage(process, f"invalid delay '{text}'")
    return delay
