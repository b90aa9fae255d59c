"""`twinos endure`: clients at work for a long time, while memory and descriptors stay flat."""

import argparse
from typing import Final

import msgspec

from lab.arguments import known, positive
from lab.image_listing import say
from lab.kills.endurance import Endurance, endure
from lab.progress import Progress

KERNELS: Final = ("monolithic", "microkernel")
EPILOG: Final = """\
Clients do with files whatever programs do, and a model that knows nothing of the system checks what
they are told. Meanwhile the processes, threads, descriptors, memory files and resident memory of
the system are counted: at the end there may be no more of them than in the first third of the time.
(Memory: 5 % and 8 MiB more, for heaps breathe.) The monolithic kernel is a process beside them.

examples:
  twinos endure                          a minute for each kernel
  twinos endure --minutes 30             half an hour for each
  twinos endure --seconds 5 --kernel microkernel

exit status: 0 it is flat, 1 something has grown, or a client was told what can't be
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--minutes", type=positive, metavar="N", default=1, help="for each kernel (1)"
    )
    size.add_argument("--seconds", type=positive, metavar="N", help="instead of minutes")
    parser.add_argument("--clients", type=positive, metavar="N", default=8, help="at work (8)")
    parser.add_argument(
        "--kernel", action="append", metavar="K", help=f"one of {', '.join(KERNELS)}; both"
    )
    parser.add_argument("-s", "--seed", type=int, default=0, help="of all chances (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one object for each kernel")


def execute(arguments: argparse.Namespace) -> int:
    """Run it."""
    kernels = known("kernel", arguments.kernel, KERNELS, "twinos endure --help")
    seconds = arguments.seconds or arguments.minutes * 60
    passed = True
    for kernel in kernels:
        with Progress(seconds * 4, "sample") as progress:

            def tick(kernel: str = kernel, progress: Progress = progress) -> None:
                progress.begin(kernel)
                progress.step()

            found = endure(kernel, seconds, arguments.clients, arguments.seed, tick)
        passed = passed and found.passed
        say(msgspec.json.encode(found).decode() if arguments.json else told(found))
    return 0 if passed else 1


def told(found: Endurance) -> str:
    """A result for people."""
    lines = [f"{found.kernel}: {found.requests} requests, checked by the model"]
    for field, now, then in zip(found.after._fields, found.after, found.before, strict=True):
        lines.append(f"  {field.replace('_', ' ')}: {then} before, {now} after")
    before, after = (size / (1 << 20) for size in found.memory)
    lines.append(f"  memory: {before:.1f} MiB before, {after:.1f} MiB after")
    lines += [f"  WRONG: {sentence}" for sentence in found.wrong]
    lines.append("  flat" if found.passed else "  NOT as it must be")
    return "\n".join(lines)
