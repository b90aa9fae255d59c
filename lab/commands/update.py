"""`twinos update`: the code of a service is replaced under load, and nobody may notice."""

import argparse
import errno
from collections.abc import Iterator
from typing import Final

import msgspec
from tabulate import tabulate

from kernels.version import code_of
from lab.arguments import between, positive
from lab.catalogue import services
from lab.image_listing import say
from lab.kills.updating import CLIENTS, Updates, update_all
from lab.progress import Progress
from lab.refusal import Refusal, unknown
from servers.filesystem import FileSystem
from twinos import Service, UpdateError

COUNT: Final = 30
PROBATION: Final = 0.3
_ALIGNED: Final = ("left", *["right"] * 4)
LONGEST: Final = 60.0
EPILOG: Final = f"""\
A microkernel on an image serves {CLIENTS} clients, who do with files whatever programs do, and one
that starts programs. Meanwhile the code of SERVICE is replaced, again and again: it is imported
from MODULE anew and checked, the old code stops between two requests, the new one goes on with its
state. Every third time the new code is one that fails: then the old one goes on. What each client
was told is compared with a model that knows nothing of the system. The monolithic kernel can't do
that: what it needs to be booted again is shown for comparison.

MODULE is a module, or FILE.py, with a class of the service's name; or MODULE:CLASS. Without one it
is the service's own module. In a system of your own: `System.update(service, "MODULE")`; in the
shell: `update SERVICE MODULE`.

examples:
  twinos update                                FileSystem, {COUNT} times, by itself
  twinos update Disk servers.disk --count 100
  twinos update FileSystem ./faster.py:Faster

exit status: 0 nobody noticed, 1 somebody did, or the new code was refused
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("service", nargs="?", metavar="SERVICE", default=FileSystem.__name__)
    parser.add_argument("module", nargs="?", metavar="MODULE", help="of the new code")
    parser.add_argument("--count", type=positive, metavar="N", default=COUNT, help="updates")
    parser.add_argument(
        "--probation",
        type=between(0.0, LONGEST, f"number of seconds from 0 to {LONGEST:g}"),
        metavar="SECONDS",
        default=PROBATION,
        help=f"in which new code that fails is replaced by the old ({PROBATION:g})",
    )
    parser.add_argument("-s", "--seed", type=int, default=0, help="of all chances (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one object instead")


def execute(arguments: argparse.Namespace) -> int:
    """Run it."""
    service = _service(arguments.service)
    code = arguments.module or service.__module__
    try:
        code_of(code)
    except UpdateError as error:
        raise Refusal(f"{error}.") from error
    with Progress(arguments.count, "update") as progress:

        def tick(what: str) -> None:
            progress.begin(what)
            progress.step()

        size = (arguments.count, arguments.seed, arguments.probation)
        try:
            updates = update_all(service, code, *size, tick)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
            raise Refusal(f"{error.strerror}.") from error
    if arguments.json:
        say(msgspec.json.encode(updates).decode())
    else:
        for line in told(updates):
            say(line)
    return 0 if updates.passed else 1


def _service(name: str) -> type[Service]:
    known = {service.lower(): found for service, found in services().items()}
    if name.lower() not in known:
        raise unknown("service", name, services(), "twinos services")
    return known[name.lower()]


def told(updates: Updates) -> Iterator[str]:
    """The result for people."""
    table = [
        [row.kind, row.updates, row.kept, *(f"{pause:.1f}" for pause in row.pauses_ms)]
        for row in updates.rows
    ]
    heads = [f"new code of {updates.service}", "updates", "old kept", "pause, ms", "longest"]
    yield from tabulate(table, heads, colalign=_ALIGNED, disable_numparse=True).splitlines()
    yield ""
    yield f"pause: the longest that a client waited; {updates.quiet_ms:.1f} ms without any update"
    yield (
        f"a monolithic kernel is booted again in {updates.reboot_ms:.1f} ms, "
        "and every open file is gone"
    )
    yield f"{updates.requests} requests, checked by the model; image: {len(updates.errors)} errors"
    for sentence in (*updates.errors, *updates.wrong, *updates.surprises):
        yield f"WRONG: {sentence}"
    yield "nobody noticed" if updates.passed else "NOT as it must be"
