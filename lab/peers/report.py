"""A run with peers as text, and as JSON."""

import json
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from tabulate import tabulate

from lab.peers.alone import FEW, MANY
from lab.peers.measure import (
    BASE,
    BINDFS,
    MFUSEPY,
    MICROKERNEL,
    MONOLITHIC,
    OPERATIONS,
    Measured,
)  # fmt: skip
from lab.stats import median_interval
from lab.table import figure

AIMS: Final = (
    (MONOLITHIC, BASE, 2.0),
    (MICROKERNEL, MFUSEPY, 2.5),
    (MICROKERNEL, BINDFS, 2.0),
)
LOOKUP_AIM: Final = 1.5
IMPORT_AIM: Final = 2000
"""Files of the standard library."""


def render(run: Measured) -> str:
    """The whole answer to `twinos bench files --peers`."""
    peers = list(run.times)
    rows = [
        [operation, *(figure(median(run.times[peer][operation]) / 1000) for peer in peers)]
        for operation in OPERATIONS
    ]
    rows += [[], ["times as fast", *(_score(run.scores(peer)) for peer in peers)]]
    align = ("left", *("right" for _ in peers))
    parts = [tabulate(rows, ["µs", *peers], colalign=align, disable_numparse=True), _aims(run)]
    parts += [f"Left out: {name}, because {why}." for name, why in run.missing.items()]
    parts.append(
        "µs: for one operation, the median over rounds. Times as fast: as the host's tmpfs by "
        "`os`, the\ngeometric mean over operations; the median over rounds with its 95 % interval. "
        f"mfusepy and\nbindfs without the host's caches. All on one processor; seed {run.seed}."
    )
    return "\n\n".join(parts) + "\n"


def to_json(run: Measured) -> str:
    """Every value, for other programs."""
    return json.dumps(run._asdict(), indent=1) + "\n"


def _aims(run: Measured) -> str:
    rows = [
        [f"{peer} / {base}", _score(run.scores(peer, base)), f"at least {aim}"]
        for peer, base, aim in AIMS
        if peer in run.times and base in run.times
    ]
    rows += _alone(run)
    return tabulate(rows, ["times as fast", "", "aim"], disable_numparse=True)


def _alone(run: Measured) -> Iterator[list[str]]:
    for kernel, found in run.alone.items():
        among = f"lookup among {MANY:,} names / among {FEW}"
        yield [f"{kernel}: {among}", _score(found.lookup), f"at most {LOOKUP_AIM}"]
    for kernel, found in run.alone.items():
        aim = f"at least {IMPORT_AIM:,}" if kernel == MONOLITHIC else ""
        yield [f"{kernel}: files imported a second", f"{median(found.imported):,.0f}", aim]


def _score(scores: Sequence[float]) -> str:
    interval = median_interval(scores)
    shown = f"{median(scores):.2f}" if median(scores) >= 0.1 else f"{median(scores):.3f}"
    if interval is None:
        return shown
    digits = 2 if median(scores) >= 0.1 else 3
    return f"{shown} [{interval[0]:.{digits}f}; {interval[1]:.{digits}f}]"
