"""`twinos availability`: requests served over time while services are killed."""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Final

import msgspec

from lab import archive, environment, placement
from lab.arguments import between, known, positive, writable
from lab.availability.course import Availability
from lab.availability.house import KERNELS, VICTIMS, run, schedule
from lab.availability.show import told
from lab.image_listing import say
from lab.progress import Progress
from lab.refusal import Refusal

SECONDS, EVERY_S, CLIENTS = 20.0, 2.0, 4
QUICK_SECONDS, QUICK_EVERY_S = 5.0, 1.0
LONGEST_S: Final = 86_400.0
seconds: Final = between(0, LONGEST_S, f"time of 0 to {LONGEST_S:,.0f} seconds")
"""Parses a time."""
EPILOG: Final = f"""\
Clients put, get and sync files all the time. At instants that the seed chooses, the same for each
kernel, the process of a service is killed (kill -9): {" or ".join(v.__name__ for v in VICTIMS)}.
The microkernel starts that one again; the monolithic kernel is all one process, and is booted again
from its image. The clients know what they were promised and look after it.

examples:
  twinos availability                              {SECONDS:g} s under each kernel
  twinos availability --seconds 60 --kill-every 5 --reboot 10
  twinos availability -o availability.html         a page with the picture

exit status: 0 the run was made, 1 what was synced is gone, or an answer was wrong
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--seconds", type=some, metavar="S", help=f"under each kernel (default: {SECONDS:g})")
    add("--kill-every", type=some, metavar="S", help=f"on average (default: {EVERY_S:g})")
    add("--clients", type=positive, default=CLIENTS, metavar="N", help=f"(default: {CLIENTS})")
    add("--reboot", type=seconds, default=0.0, metavar="S", help="of a machine (default: 0)")
    add("-s", "--seed", type=int, default=0, help="of kills and requests (default: 0)")
    add("--kernel", action="append", metavar="K", help=f"one of {', '.join(KERNELS)}; both")
    add("--quick", action="store_true", help=f"{QUICK_SECONDS:g} s under each kernel")
    add("-o", "--output", metavar="FILE", help="a page with the picture (extra report)")
    add("--json", action="store_true", help="print the run as it is saved")


def execute(arguments: argparse.Namespace) -> int:
    """Make the run."""
    kernels = known("kernel to try", arguments.kernel, KERNELS, "twinos availability --help")
    page = _target(arguments.output)
    length = arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS)
    every = arguments.kill_every or (QUICK_EVERY_S if arguments.quick else EVERY_S)
    kills = schedule(length, every, arguments.seed)
    if not kills:
        raise Refusal(f"in {length:g} s nothing would be killed every {every:g} s.")
    load = os.getloadavg()
    with Progress(len(kills) * len(kernels), "kill") as progress:
        courses = []
        for kernel in kernels:
            progress.begin(kernel)
            course = run(
                kernel,
                length,
                kills,
                clients=arguments.clients,
                seed=arguments.seed,
                reboot_s=arguments.reboot,
                tick=progress.step,
            )
            courses.append(course)
    command = shlex.join(["twinos", *sys.argv[1:]])
    cpus = placement.choose("one")
    setting = environment.Setting("one", cpus, arguments.seed, 1, arguments.quick, command)
    made = Availability(
        environment=environment.describe(setting, load),
        clients=arguments.clients,
        reboot_s=arguments.reboot,
        courses=tuple(courses),
    )
    if arguments.json:
        say(msgspec.json.encode(made).decode())
    else:
        for line in told(made):
            say(line)
    if page:
        _write(page, made)
    return int(any(course.broken or course.wrong for course in courses))


def some(text: str) -> float:
    """A time that is not 0."""
    value = seconds(text)
    if not value:
        raise argparse.ArgumentTypeError("a time of 0 seconds is none")
    return value


def _target(path: str | None) -> Path | None:
    if path is None:
        return None
    import lab.report.html  # noqa: PLC0415, F401 (it may lack a package)

    return writable(path, "-o")


def _write(page: Path, made: Availability) -> None:
    from lab.report import html, reliability  # noqa: PLC0415 (an extra)
    from lab.report.model import Report  # noqa: PLC0415

    env = made.environment
    about = f"{env.host}, {env.cpu_model}, {env.date[:10]}, commit {(env.commit or 'none')[:7]}"
    report = Report("What a microkernel is worth", about, (), (reliability.chapter(made),))
    archive.write(page, html.page(report))
    print(f"Wrote {archive.relative(page)}", file=sys.stderr)
