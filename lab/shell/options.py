"""What the commands that boot a machine have in common: its options, and leaving in good order."""

import argparse
import os
import signal
from typing import NoReturn

from kernels.scheduling import policies
from lab.refusal import Refusal, unknown


def add_machine(parser: argparse.ArgumentParser, scheduler: str | None = None) -> None:
    """The options of a machine; `scheduler` is that by default."""
    add = parser.add_argument
    known = ", ".join(policies())
    add("--kernel", default="microkernel", metavar="K", help="microkernel by default")
    add("--image", metavar="I", help="an image on the host; without it, a disk in memory")
    add("--scheduler", default=scheduler, metavar="P", help=f"which request is next: {known}")
    add("--limit", action="append", default=[], metavar="NAME=VALUE", help="see `twinos limits`")


def check_machine(arguments: argparse.Namespace, command: str) -> None:
    """Refusal: there is no such image, or no such scheduler."""
    if arguments.image is not None and not os.path.exists(arguments.image):
        raise Refusal(f"there is no image {arguments.image!r}; `twinos image create` makes one.")
    if arguments.scheduler not in {None, *policies()}:
        raise unknown("scheduler", arguments.scheduler, policies(), f"twinos {command} --help")


def leave_in_order() -> None:
    """Have SIGHUP and SIGTERM end this process so that nothing stays behind."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
