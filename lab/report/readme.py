"""README's table: what `twinos bench` prints of the published run, between two marks."""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from lab.refusal import Refusal
from lab.report.evidence import Evidence
from lab.schema import Run
from lab.table import render
from workloads.catalogue import catalogue

BEGIN: Final = "<!-- the table of results/reference: twinos report --readme README.md -->"
END: Final = "<!-- end of the table -->"
WIDTH: Final = 120


def published(results: Path) -> list[Path]:
    """Where the published runs are, in the folder of results.

    Raises:
        Refusal: there are none.
    """
    found = sorted((results / "reference").glob("*.json"))
    if not found:
        raise Refusal(
            f"{results / 'reference'} has no runs: `twinos report --reference` makes them."
        )
    return found


def table(runs: list[Run]) -> str:
    """The table, as it stands in README."""
    return f"{BEGIN}\n\n```text\n{render(ordinary(Evidence(runs).main), WIDTH)}\n```\n\n{END}"


def ordinary(run: Run) -> Run:
    """A run without what `twinos bench` leaves out unless it is named."""
    extra = {one.name for one in catalogue().values() if one.extra}
    return replace(
        run,
        rows=tuple(row for row in run.rows if row.workload not in extra),
        ratios=tuple(ratio for ratio in run.ratios if ratio.workload not in extra),
    )


def updated(target: Path, runs: list[Run]) -> str:
    """The text of a file with a new table in it.

    Raises:
        Refusal: it can't be read, or has no place for a table.
    """
    try:
        text = target.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{target}: {error.strerror}.") from None
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Refusal(f"{target} has no place for the table: between {BEGIN!r} and {END!r}.")
    return f"{before}{table(runs)}{after}"
