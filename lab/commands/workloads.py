"""`twinos workloads`: list the workloads, or describe one."""

import argparse
from collections.abc import Iterator
from textwrap import fill
from typing import Final

from tabulate import tabulate

from lab import selection
from lab.table import page_width
from workloads.workload import Workload

INDENT: Final = 31
"""Columns of the table before what is done."""

EPILOG: Final = """\
examples:
  twinos workloads
  twinos workloads files tree-import
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("names", nargs="*", metavar="WORKLOAD", help="workloads or groups; all")


def execute(arguments: argparse.Namespace) -> int:
    """List them, or describe those that were named."""
    chosen = selection.chosen(arguments.names, full=not arguments.names)
    if arguments.names:
        print("\n\n".join("\n".join(_description(one)) for one in chosen))
        return 0
    room = min(max(page_width() - INDENT, 30), 100)
    table = [[one.group, one.name, fill(one.about.partition("\n")[0], room)] for one in chosen]
    print(tabulate(table, ["group", "workload", "what is done"]))
    return 0


def _description(workload: Workload) -> Iterator[str]:
    yield f"{workload.name} (group {workload.group})"
    yield workload.about
    yield f"services: {', '.join(service.__name__ for service in workload.services)}"
    for name in sorted(workload.settable):
        yield f"option: {name} = {workload.options[name]}"
    if workload.macro:
        yield "macro: has boots of its own, in which it runs once"
    if workload.processes:
        yield "starts programs: --users process"
    if workload.extra:
        yield "extra: runs in --full, or when asked for by name"
