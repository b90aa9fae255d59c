"""`twinos bench files --peers`: the file system beside others."""

import argparse
import secrets
import sys
from pathlib import Path
from typing import Final

from lab import placement
from lab.refusal import Failure, Refusal

ROUNDS: Final = 60
QUICK_ROUNDS: Final = 12

_ALONE: Final = (
    "kernel", "boots", "precision", "full", "set", "counters", "anyway", "resume",
)  # fmt: skip
"""Options that say nothing about peers."""


def execute(arguments: argparse.Namespace) -> int:
    """Measure, print, save."""
    from lab.peers import measure, report  # noqa: PLC0415 (what else is measured needs none of it)

    _require_alone(arguments)
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    run = measure.measure(rounds, seed, placement.choose(arguments.placement))
    if arguments.json == "-":
        sys.stdout.write(report.to_json(run))
        return 0
    if arguments.json:
        try:
            Path(arguments.json).write_text(report.to_json(run), encoding="utf-8")
        except OSError as error:
            raise Failure(f"{arguments.json} can't be written: {error.strerror}.") from None
    sys.stdout.write(report.render(run))
    return 0


def _require_alone(arguments: argparse.Namespace) -> None:
    if arguments.workloads != ["files"]:
        raise Refusal("--peers compares file systems: twinos bench files --peers.")
    if arguments.placement != "one" or arguments.users != "inline":
        raise Refusal("--peers measures on one processor, with users inline.")
    for name in _ALONE:
        if getattr(arguments, name):
            raise Refusal(f"--peers takes no --{name}: every peer is visited in every round.")
