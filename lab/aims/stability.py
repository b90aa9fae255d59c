"""What survivability costs, from a run that measured with it and without, in turns."""

from typing import Final

from lab.aims import tables, verdict
from lab.choice import UNSTABLE
from lab.schema import Run
from lab.table import figure

GROUPS: Final = ("files", "memory")
MOST: Final = 1.10
"""With it, over without."""


def standing(run: Run) -> str:
    """The aim, workload by workload; empty: the run did not measure both."""
    lines = []
    for ratio in run.ratios:
        if ratio.over == ratio.kernel + UNSTABLE:
            span = ratio.ci95
            shown = f"[{figure(span[0])}; {figure(span[1])}]" if span else ""
            told = verdict(ratio.ratio, MOST)
            lines.append([ratio.workload, figure(ratio.ratio), shown, figure(MOST), told])
    heads = ["what survivability costs", "with / without", "95 %", "at most", ""]
    return tables((lines, heads))
