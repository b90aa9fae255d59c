"""`twinos run`: run one workload once and say what it did."""

import argparse
from typing import Final

from lab import placement, selection
from lab.choice import grouped, parse
from lab.dispatch import dispatch
from lab.measuring import Cost
from lab.refusal import Refusal
from lab.station import Job, Mode
from lab.table import exact, figure
from workloads.workload import Workload

EPILOG: Final = """\
The time is that of the first call after booting, so of cold caches; `twinos bench` gives
figures to compare. Messages and bytes come from a second boot, which counts them.

examples:
  twinos run null --kernel microkernel
  twinos run tree-import --set files=50
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("workload", metavar="WORKLOAD", help="`twinos workloads` lists them")
    add("--kernel", default="monolithic", metavar="K", help="monolithic by default")
    add("--groups", metavar="A+B,...", help="of a hybrid: what shares an address space")
    add("--placement", choices=("one", "two"), default="one", help="processors; one by default")
    add("--users", choices=("inline", "process"), default="inline", help="inline by default")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="size the workload")


def execute(arguments: argparse.Namespace) -> int:
    """Run it twice, timed and counted."""
    (arguments.kernel,) = grouped([arguments.kernel], arguments.groups)
    chosen = selection.chosen([arguments.workload])
    if len(chosen) != 1:
        members = ", ".join(one.name for one in chosen)
        raise Refusal(f"{arguments.workload} is a group; run one of {members}.")
    (workload,) = selection.with_settings(selection.runnable(chosen, named=True), arguments.set)
    timed = _once(arguments, workload, "once")
    counted = _once(arguments, workload, "count")
    print(f"{workload.name}: {workload.about}")
    print(f"{arguments.kernel}: {figure(timed.ns / 1000)} µs per operation, cold")
    print(f"{exact(counted.messages)} messages, {exact(counted.bytes)} bytes per operation")
    return 0


def _once(arguments: argparse.Namespace, workload: Workload, mode: Mode) -> Cost:
    ((_, users),) = selection.runs([workload], arguments.users)
    job = Job(
        kernel=parse(arguments.kernel).name,
        users=users,
        cpus=placement.choose(arguments.placement),
        mode=mode,
        workloads={workload.name: workload.options},
    )
    return dispatch(job).costs[workload.name]
