"""`twinos limits`: what bounds a program, and what becomes of who wants more."""

import argparse
from typing import Final

from tabulate import tabulate

from lab.catalogue import services
from lab.limits import rows

EPILOG: Final = """\
Each may be set when a system boots: `twinos shell --limit ProcessManager.cpu=10`, or
`boot(..., requests=8, config={ProcessManager: {"cpu": 10}})`.

A program that wants more gets an error or a signal, and everybody else goes on: it computes on
its own, its memory is its own, and a caller that floods a service has one turn there, as all.

examples:
  twinos limits
  twinos shell --limit requests=8 --limit ProcessManager.processes=32
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG


def execute(arguments: argparse.Namespace) -> int:
    """Show them."""
    del arguments
    headers = ["limit", "default", "of", "one more is"]
    print(tabulate(rows(services().values()), headers, intfmt=","))
    return 0
