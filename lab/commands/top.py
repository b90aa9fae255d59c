"""`twinos top`: a running system, live."""

import argparse
import math
import sys
import time
from functools import partial
from typing import Final

from lab.refusal import Refusal
from lab.shell.machine import Machine
from lab.shell.options import add_machine, check_machine, leave_in_order
from lab.top.errands import Errands
from lab.top.table import show
from lab.top.watcher import Watcher

EPILOG: Final = """\
Boots a system, has its shell carry out COMMAND, and shows what becomes of it: services and the
queues before them, processes, messages a second, memory. Further lines for the shell can be typed
below. A request enters an address space through a gate, in the order that the scheduler chooses;
who stands before it is in the queue. top itself asks three services once at each look.

keys: q leaves; x crashes the service under the cursor, z has it hang; k kills the process under
the cursor; : begins a line for the shell, Escape ends it; Tab goes on; r boots anew after a panic.

examples:
  twinos top
  twinos top 'while true; do ls -R / | sort | wc -l; done'
  twinos top --kernel monolithic --scheduler fair -- yes
  twinos top --once 'sleep 9 & ls -R /'
"""

INTERVALS: Final = (0.1, 60.0)


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add_machine(parser, "fcfs")
    add = parser.add_argument
    add("command", nargs="*", metavar="COMMAND", help="a line for the shell")
    add("--interval", type=float, default=1.0, metavar="S", help="seconds between looks; 1")
    add("--once", action="store_true", help="print one look, after an interval, and leave")


def execute(arguments: argparse.Namespace) -> int:
    """Show it."""
    least, most = INTERVALS
    if math.isnan(arguments.interval) or not least <= arguments.interval <= most:
        raise Refusal(f"--interval is from {least:g} to {most:g} seconds.")
    check_machine(arguments, "top")
    if not arguments.once:
        _refuse_without_terminal()
    leave_in_order()
    command = " ".join(arguments.command)
    if arguments.once:
        with _machine(arguments) as machine:
            _once(machine, command, arguments.interval)
        return 0
    from lab.top.app import REBOOT, watch  # noqa: PLC0415 (an extra)

    again = True
    while again:
        with _machine(arguments) as machine:
            again = watch(machine, command, arguments.interval) == REBOOT
    return 0


def _machine(arguments: argparse.Namespace) -> Machine:
    return Machine(
        arguments.kernel,
        arguments.image,
        scheduler=arguments.scheduler,
        limits=arguments.limit,
        screen=True,
    )


def _once(machine: Machine, command: str, interval: float) -> None:
    """Print one look, and before it what the command has written."""
    watcher = Watcher(machine)
    errands = Errands(machine, watcher, partial(print, end=""))
    if command:
        errands.run(command)
    watcher.look()
    time.sleep(interval)
    watcher.ask()
    print(show(watcher.look()))
    if command:
        print()
        errands.collect()


def _refuse_without_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refusal("a live view takes a terminal; --once prints one look.")
