"""Making runs, and what is to be said when that is interrupted."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lab import archive, bench
from lab.journal import Journal
from lab.refusal import Failure, Refusal
from lab.schema import Run

BOOT_S: Final = 0.6
"""About what a boot takes, for an estimate before the first one."""


def make(plans: Sequence[bench.Plan], journal: Journal, command: str) -> list[Run]:
    """Make the runs; what an interruption leaves of them can be gone on with.

    Args:
        plans: of the runs.
        journal: of their boots.
        command: what goes on with them, given `--resume` and the journal.
    """
    try:
        runs = [bench.measure(plan, journal.measure) for plan in _told(plans)]
    except Failure:
        journal.remove()
        raise
    except BaseException as error:
        if isinstance(error, Refusal) and not journal.done:
            journal.remove()
        if journal.done:  # a host that is unsteady for a moment is an interruption, too
            shown = archive.relative(journal.path)
            print(f"To go on: twinos {command} --resume {shown}", file=sys.stderr)
        raise
    journal.remove()
    return runs


def _told(plans: Sequence[bench.Plan]) -> Iterator[bench.Plan]:
    """The plans, one by one; of several, say which it is and how long all that are left will take.

    Boots that a pilot adds are not known before; so it takes longer then.
    """
    boots, start, done = [bench.boots_of(plan) for plan in plans], time.monotonic(), 0
    for number, plan in enumerate(plans):
        if len(plans) > 1:
            taken = time.monotonic() - start
            each = taken / done if done else BOOT_S
            left = max(1.0, each * sum(boots[number:]) / 60)
            where = "one processor" if plan.placement == "one" else "two processors"
            print(
                f"Run {number + 1} of {len(plans)}: {where}, users {plan.users}; "
                f"about {left:.0f} min for it and all that follow.",
                file=sys.stderr,
            )
        yield plan
        done += boots[number]


def taken_up(path: Path) -> Journal:
    """The journal of an interrupted command, if it can be gone on with here and now.

    Raises:
        Refusal: it can't.
    """
    journal = Journal.open(path)
    archive.check_header(journal.header, path)
    return journal
