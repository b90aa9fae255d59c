"""Runs in the format of pyperf's JSON, so that its commands can read them.

Every workload under every kernel is a benchmark, every boot a run of one value, in seconds. See
https://pyperf.readthedocs.io, version 1.0 of the format.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from lab.refusal import Refusal
from lab.schema import Row, Run

VERSION: Final = "1.0"


def to_pyperf(runs: Sequence[Run]) -> str:
    """The runs as one suite of benchmarks.

    Raises:
        Refusal: they have nothing in common that a suite could be named by, or no rows.
    """
    if not any(run.rows for run in runs):
        raise Refusal("there is nothing to export: the runs have no rows.")
    suite = {
        "version": VERSION,
        "metadata": _common(runs[0]),
        "benchmarks": [_benchmark(*each) for each in _named(runs)],
    }
    return msgspec.json.format(msgspec.json.encode(suite), indent=1).decode() + "\n"


def _named(runs: Sequence[Run]) -> Iterator[tuple[str, Run, Row]]:
    """Every row with its run and a name that no other has: pyperf reads no suite with one twice."""
    taken: set[str] = set()
    for number, run in enumerate(runs, 1):
        for row in run.rows:
            where = f"/{row.placement}/{row.users}" if len(runs) > 1 else ""
            name = f"{row.workload}/{row.kernel}{where}"
            name = f"{name}/run {number}" if name in taken else name
            taken.add(name)
            yield name, run, row


def _common(run: Run) -> dict[str, Any]:
    env = run.environment
    return {
        "cpu_count": env.cpu_count,
        "cpu_model_name": env.cpu_model,
        "hostname": env.host,
        "platform": env.kernel_version,
        "python_implementation": env.python.partition(" ")[0].lower(),
        "python_version": env.python.rpartition(" ")[2],
        "unit": "second",
    }


def _benchmark(name: str, run: Run, row: Row) -> dict[str, Any]:
    date = run.environment.date.replace("T", " ").partition("+")[0]
    return {
        "metadata": {
            "name": name,
            "cpu_affinity": str(run.environment.user_cpu),
            "description": f"{row.workload} of TwinOS, {row.kernel}",
            "loops": 1,
        },
        "runs": [
            {"metadata": {"date": date, "duration": us / 1e6}, "values": [us / 1e6]}
            for us in row.boots_us
        ],
    }
