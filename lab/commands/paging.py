"""`twinos paging`: page replacement policies against reference strings."""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from tabulate import tabulate

from lab.paging import faults, steps
from lab.references import PATTERNS, read_trace
from lab.refusal import Refusal, broken, unknown
from servers.memory.policies import Policy, policies

EPILOG: Final = """\
examples:
  twinos paging                                  all policies, 2 to 10 frames
  twinos paging --string belady --policy fifo --frames 3-4
  twinos paging --policy clock --ask -s 7        an exercise
  twinos paging --policy clock --reveal -s 7     its solution
  twinos paging --trace FILE --frames 64         a trace: page numbers or accesses, a line each
"""

EXPERIMENT: Final = ("locality", 20, 5000)
"""Reference string, pages and length when nothing else is asked for."""
EXERCISE: Final = ("random", 6, 12)
"""The same, for what is done by hand."""
MOST_FRAMES: Final = 1 << 16


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("--policy", action="append", metavar="P", help="this one only; or all")
    parser.add_argument("--frames", type=_frames, metavar="N[-M]", help="how many frames")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--string", metavar="NAME", help=", ".join(PATTERNS))
    source.add_argument("--trace", metavar="FILE", help="references from a file; - is the input")
    parser.add_argument("--pages", type=_positive, metavar="N", help="how many pages there are")
    parser.add_argument("--length", type=_positive, metavar="N", help="how many references")
    parser.add_argument("-s", "--seed", type=int, default=0, help="repeats a run (default: 0)")
    exercise = parser.add_mutually_exclusive_group()
    exercise.add_argument("--ask", action="store_true", help="print references and questions only")
    exercise.add_argument("--reveal", action="store_true", help="print each step, and the answers")


def execute(arguments: argparse.Namespace) -> int:
    """Run the experiment, or print the exercise."""
    chosen = _policies(arguments.policy)
    exercise = arguments.ask or arguments.reveal
    references = _references(arguments, EXERCISE if exercise else EXPERIMENT)
    if not exercise:
        print(_table(chosen, references, arguments.frames or range(2, 11), arguments.seed))
        return 0
    frames = (arguments.frames or range(3, 4))[-1]
    print(f"references: {' '.join(map(str, references))}")
    for policy in chosen:
        print(f"\npolicy {policy.name}, {frames} frames, empty at first")
        if arguments.ask:
            print("\n".join(_questions()))
        else:
            print("\n".join(_answers(policy(frames, arguments.seed), references)))
    return 0


def _table(
    chosen: Sequence[type[Policy]], references: Sequence[int], frames: range, seed: int
) -> str:
    rows = [
        [count, *(faults(policy(count, seed), references) for policy in chosen)] for count in frames
    ]
    table = tabulate(rows, ["frames", *(policy.name for policy in chosen)])
    pages = len(set(references))
    return f"faults of {len(references):,} references to {pages:,} pages; seed {seed}\n\n{table}"


def _questions() -> Iterator[str]:
    yield "  1. Which references fault?"
    yield "  2. Which page gives up its frame at each?"
    yield "  3. Which pages are in memory at the end?"


def _answers(policy: Policy, references: Sequence[int]) -> Iterator[str]:
    done = steps(policy, references)
    rows = [
        [
            step.page,
            "fault" if step.fault else "hit",
            "" if step.victim is None else step.victim,
            " ".join(map(str, step.frames)),
        ]
        for step in done
    ]
    yield tabulate(rows, ["page", "", "victim", "frames"], disable_numparse=[1, 2, 3])
    missed = sum(step.fault for step in done)
    yield f"{missed} faults of {len(done)} references"


def _policies(names: Sequence[str] | None) -> list[type[Policy]]:
    try:
        known = policies()
    except Exception as error:  # a policy's module may fail in any way
        raise broken("servers.memory.policies", error) from error
    if names is None or "all" in names:
        return list(known.values())
    for name in names:
        if name not in known:
            raise unknown("policy", name, known, "twinos paging")
    return [known[name] for name in names]


def _references(arguments: argparse.Namespace, default: tuple[str, int, int]) -> list[int]:
    if arguments.trace is not None:
        return _trace(arguments.trace)
    name, pages, length = default
    if arguments.string is not None:
        name = arguments.string
    if name not in PATTERNS:
        raise unknown("reference string", name, PATTERNS, "twinos paging --help")
    pattern = PATTERNS[name]
    lots = random.Random(arguments.seed)
    return pattern(lots, arguments.pages or pages, arguments.length or length)


def _trace(path: str) -> list[int]:
    if path == "-":
        return read_trace(sys.stdin, "the input")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return read_trace(file, path)
    except OSError as error:
        raise Refusal(f"{path} can't be read: {error.strerror}.") from None


def _frames(text: str) -> range:
    first, dash, last = text.partition("-")
    found = range(_positive(first), _positive(last if dash else first) + 1)
    if not found or found[-1] > MOST_FRAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames up to {MOST_FRAMES}")
    return found


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:10]) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 10,000,000")
    return int(text)
