"""Making runs, and what is to be said when that is interrupted."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lab import archive, bench
from lab.journal import Journal
from lab.refusal import Failure, Refusal
from lab.schema import Run


def make(plans: Sequence[bench.Plan], journal: Journal, command: str) -> list[Run]:
    """Make the runs; what an interruption leaves of them can be gone on with.

    Args:
        plans: of the runs.
        journal: of their boots.
        command: what goes on with them, given `--resume` and the journal.
    """
    try:
        runs = [bench.measure(plan, journal.measure) for plan in plans]
    except (Refusal, Failure):
        journal.remove()
        raise
    except BaseException:
        if journal.done:
            shown = archive.relative(journal.path)
            print(f"To go on: twinos {command} --resume {shown}", file=sys.stderr)
        raise
    journal.remove()
    return runs


def taken_up(path: Path) -> Journal:
    """The journal of an interrupted command, if it can be gone on with here and now.

    Raises:
        Refusal: it can't.
    """
    journal = Journal.open(path)
    archive.check_header(journal.header, path)
    return journal
