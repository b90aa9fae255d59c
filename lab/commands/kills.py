"""`twinos kills`: services are killed at random instants under load, and nobody may notice."""

import argparse
from collections.abc import Iterator
from typing import Final

import msgspec

from lab.arguments import known, positive
from lab.image_listing import say
from lab.kills.campaign import CLIENTS, VICTIMS, Kills, campaign, kill_kernel
from lab.progress import Progress

COUNT: Final = 200
EPILOG: Final = f"""\
A microkernel on an image serves {CLIENTS} clients, who do with files whatever programs do,
one that starts programs, and one with more memory than there are frames. Meanwhile its services
are killed (kill -9) at random instants: one, all at once, one that has just begun again, or a
client in the middle of a large message. What each client was told is compared with a model that
knows nothing of the system: nothing acknowledged may be lost or done twice, and no client may see
an error. At the end the image must be in order, and no process, thread, descriptor, region, frame
or place in the swap area left over.

With each thousand kills, and once at least, the kernel's own process is killed: all of the system
must be gone, and what was synced must be on the image.

examples:
  twinos kills                      {COUNT} kills, a minute or less
  twinos kills --count 10000        the full campaign
  twinos kills --service Disk --seed 7

exit status: 0 all is as it must be, 1 something is not
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--service", action="append", metavar="S", help=f"one of {', '.join(VICTIMS)}; all"
    )
    parser.add_argument("--count", type=positive, metavar="N", default=COUNT, help="kills")
    parser.add_argument("-s", "--seed", type=int, default=0, help="of all chances (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one object instead")


def execute(arguments: argparse.Namespace) -> int:
    """Run the campaign."""
    services = known("service", arguments.service, VICTIMS, "twinos kills --help")
    with Progress(arguments.count, "kill") as progress:

        def tick(what: str) -> None:
            progress.begin(what)
            progress.step()

        kills = campaign(services, arguments.count, arguments.seed, tick)
    rounds = arguments.count // 1000 + 1
    wrong = [sentence for at in range(rounds) for sentence in kill_kernel(arguments.seed + at)]
    kills = msgspec.structs.replace(
        kills,
        kills={**kills.kills, "the kernel's process": rounds},
        wrong=(*kills.wrong, *wrong),
    )
    if arguments.json:
        say(msgspec.json.encode(kills).decode())
    else:
        for line in told(kills):
            say(line)
    return 0 if kills.passed else 1


def told(kills: Kills) -> Iterator[str]:
    """The result for people."""
    for what, number in sorted(kills.kills.items()):
        yield f"{number:8} {what}"
    middle, last = kills.recovery_ms
    yield f"{kills.requests:8} requests, checked by the model, in {kills.seconds:.0f} s"
    yield f"ready again after {middle:.1f} ms (median), {last:.1f} ms (99th percentile)"
    for field, now, then in zip(kills.after._fields, kills.after, kills.before, strict=True):
        yield f"{field.replace('_', ' ')}: {then} before, {now} after"
    yield f"errors of the image: {len(kills.errors)}"
    for sentence in (*kills.errors, *kills.wrong):
        yield f"WRONG: {sentence}"
    yield "nobody noticed" if kills.passed else "NOT as it must be"
