"""What groups of workloads aim at, from the rows of a run itself: a module a group."""

from collections.abc import Iterable, Sequence
from typing import Final

from lab.schema import Run
from lab.table import figure, plain_table

MISSED: Final = "missed"

Times = dict[tuple[str, str], float]
"""Medians in µs by workload and kernel."""


def times_of(run: Run) -> Times:
    """The medians of its rows."""
    return {(row.workload, row.kernel): row.median_us for row in run.rows}


def aim(what: str, found: float, most: float) -> list[str]:
    """A line of a table: what was found, beside what is aimed at."""
    return [what, figure(found), f"at most {figure(most)}", verdict(found, most)]


def verdict(found: float, most: float) -> str:
    """What to say of it; nothing, if it is as it should be."""
    return "" if found <= most else MISSED


def per_second(time: float | None, amount: float = 1.0) -> str:
    """How much happens a second, if that amount takes so many µs; empty: it was not measured."""
    return f"{amount * 1e6 / time:,.0f}" if time else ""


def tables(*parts: tuple[Iterable[Sequence[str]], Sequence[str]]) -> str:
    """Tables of lines and headers, one below the other; those without a line are left out."""
    filled = ((list(lines), headers) for lines, headers in parts)
    return "\n\n".join(plain_table(lines, headers) for lines, headers in filled if lines)
