"""The chapter on what the structure is worth: requests served while services are killed."""

import secrets
import subprocess
import sys
from collections.abc import Iterator

import msgspec

from lab.availability.course import STEP_S, Availability
from lab.availability.show import SUMS
from lab.figures import draw_over_time
from lab.refusal import Failure
from lab.report.model import Block, Chapter, table
from lab.report.prose import boxed, said
from lab.table import figure


def measure(*, quick: bool) -> Availability:
    """Have it measured by a process of its own.

    Raises:
        Failure: it was not.
    """
    seed = str(secrets.randbits(32))
    command = [sys.executable, "-P", "-m", "lab", "availability", "--json", "--seed", seed]
    done = subprocess.run([*command, *["--quick"] * quick], stdout=subprocess.PIPE, check=False)
    try:
        return msgspec.json.decode(done.stdout, type=Availability)
    except msgspec.DecodeError:
        raise Failure(f"availability was not measured: status {done.returncode}.") from None


def chapter(run: Availability | None) -> Chapter:
    """The chapter; None: nobody measured it."""
    blocks = (boxed("reliability"),) if run is None else tuple(blocks_of(run))
    return Chapter("reliability", "Reliability", blocks)


def blocks_of(run: Availability) -> Iterator[Block]:
    """The picture and its tables."""
    kernels = " and ".join(course.kernel for course in run.courses)
    yield said("availability")
    yield draw_over_time(
        "Requests served while services are killed",
        f"Requests in a second over time, under {kernels}; triangles mark the kills. The tables "
        "below have what each kill cost, and the sums.",
        {course.kernel: course.per_second for course in run.courses},
        step=STEP_S,
        marks={course.kernel: [kill.at for kill in course.kills] for course in run.courses},
        up="requests / s",
    )
    yield table(
        f"{run.clients} clients, {len(run.courses[0].served) * STEP_S:g} s; "
        f"{figure(run.reboot_s)} s added to each reboot",
        ("what", *(course.kernel for course in run.courses)),
        ((name, *map(show, run.courses)) for name, show in SUMS.items()),
    )
    yield table(
        "From each kill to the next answer, ms",
        ("at, s", "killed", *(course.kernel for course in run.courses)),
        (
            (
                f"{kills[0].at:.1f}",
                kills[0].service,
                *(figure(1000 * kill.down_s) for kill in kills),
            )
            for kills in zip(*(course.kills for course in run.courses), strict=True)
        ),
    )
    yield said("reboot")
