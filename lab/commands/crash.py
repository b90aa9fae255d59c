"""`twinos crash`: let the power fail at every write, and see what is left."""

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tabulate import tabulate

from lab.crash import Campaign, Report, Settings
from lab.crash.campaign import IN_RECOVERY, recorded
from lab.crash.fsck import second_opinion
from lab.crash.judge import Raw
from lab.crash.states import PREFIX, SUBSET, TORN
from lab.crash.story import story
from lab.image_file import reason
from lab.image_listing import say
from lab.progress import Progress
from lab.refusal import Refusal
from servers.filesystem.mkfs import plan_with_log

EPILOG: Final = """\
Short sequences of operations run on a small disk in memory that remembers every write and every
flush. The power then fails at each moment: what was flushed is there, and of the rest any part, in
any order, one write torn perhaps; and it fails again during recovery. Each time the image is
recovered and compared with what was promised (docs/crash-consistency.md).

examples:
  twinos crash                     10,000 states of an image with a log
  twinos crash --log 0             the same without one: what the order of writes alone protects
  twinos crash --count 1000000     all night
  twinos crash --show 0            what one sequence writes, and when

exit status: 0 all promises were kept, 1 one was not
"""
FAILED: Final = 1
SHOWN: Final = 20
"""Broken promises that are listed one by one."""
BLOCKS: Final = 320


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--count", type=_count, default=10_000, metavar="N", help="states to look at; 10,000"
    )
    parser.add_argument("-s", "--seed", type=int, default=0, help="repeats a run (default: 0)")
    parser.add_argument(
        "--log", type=_blocks, default=48, metavar="BLOCKS", help="of the log; 0 for none; 48"
    )
    parser.add_argument(
        "--one-in",
        type=_count,
        default=4,
        metavar="K",
        help="of the states that are not just cut off, look at one in K: more sequences; 4",
    )
    parser.add_argument("--show", type=_number, metavar="N", help="print what sequence N writes")


def execute(arguments: argparse.Namespace) -> int:
    """Run the campaign, or print one of its sequences."""
    settings = Settings(
        arguments.count, arguments.seed, BLOCKS, arguments.log, share=arguments.one_in
    )
    try:
        plan_with_log(BLOCKS, log=settings.log)
    except OSError as error:
        raise Refusal(f"{reason(error)}.") from None
    if arguments.show is not None:
        for line in story(*recorded(settings, arguments.show)):
            say(line)
        return 0
    report, examined = _run(settings)
    print("\n".join(_told(settings, report, examined=examined)))
    return FAILED if report.broken else 0


def _run(settings: Settings) -> tuple[Report, bool]:
    """The report, and whether fsck.minix was asked too."""
    with second_opinion() as examine, Progress(settings.states, "state") as progress:
        done = 0

        def tell(states: int) -> None:
            nonlocal done
            for _ in range(min(states, settings.states) - done):
                progress.step()
            done = max(done, min(states, settings.states))

        campaign = Campaign(settings) if examine is None else Campaign(settings, examine)
        return campaign.run(tell), examine is not None


def _told(settings: Settings, report: Report, *, examined: bool) -> Iterator[str]:
    total = report.kinds.total()
    where = f"a log of {settings.log} blocks" if settings.log else "no log"
    yield (
        f"{report.scripts:,} sequences, {report.operations:,} operations; a disk of "
        f"{settings.blocks} blocks, {where}; seed {settings.seed}"
    )
    yield f"{report.refused:,} operations found no room: no block, or no inode."
    yield ""
    kinds = (PREFIX, SUBSET, TORN, IN_RECOVERY)
    yield _table("the power failed", Counter({kind: report.kinds[kind] for kind in kinds}), total)
    yield ""
    found = Counter({str(raw): report.raw[raw] for raw in Raw})
    yield _table("the image was then, unrecovered,", found, report.raw.total())
    yield ""
    yield f"{report.distinct:,} different images were looked at after recovery."
    if settings.log and not examined:
        yield "fsck.minix is not installed, and was not asked."
    elif settings.log:
        yield f"{report.examined:,} of them were shown to fsck.minix too."
    yield from report.broken[:SHOWN]
    count = len(report.broken)
    yield f"promises broken: {count:,}" if count else "promises broken: none"


def _table(title: str, counts: Counter[str], total: int) -> str:
    rows = [[name, f"{count:,}", f"{count / max(total, 1):.1%}"] for name, count in counts.items()]
    return tabulate(rows, [title, "states", "share"], colalign=("left", "right", "right"))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _count(text: str) -> int:
    if not _number(text):
        raise argparse.ArgumentTypeError("0 is too few")
    return int(text)


def _blocks(text: str) -> int:
    if _number(text) > BLOCKS // 2:
        raise argparse.ArgumentTypeError(f"{text} of {BLOCKS} blocks are too many for a log")
    return int(text)
