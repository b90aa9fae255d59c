"""`twinos paging`: page replacement policies against reference strings."""

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from tabulate import tabulate

from lab.arguments import some_or_all, whole
from lab.paging import faults, steps
from lab.plotting import in_letters, into_file
from lab.recording import live_faults, record, references_of
from lab.references import PATTERNS, lines_of, read_trace
from lab.refusal import Failure, Refusal, broken, unknown
from servers.memory.policies import Policy, policies
from workloads.paged import PROGRAMS

EPILOG: Final = """\
examples:
  twinos paging                                  all policies, 2 to 10 frames
  twinos paging --string belady --policy fifo --frames 3-4
  twinos paging --policy clock --ask -s 7        an exercise
  twinos paging --policy clock --reveal -s 7     its solution
  twinos paging --trace FILE --frames 64         a trace: page numbers or accesses, a line each
  twinos paging --string belady --plot           faults against frames; FILE.svg or .png: drawn
  twinos paging --program rows --record FILE     what a program touches in a real memory manager
  twinos paging --live --frames 4                the real memory manager beside the simulator
"""

EXPERIMENT: Final = ("locality", 20, 5000)
"""Reference string, pages and length when nothing else is asked for."""
EXERCISE: Final = ("random", 6, 12)
"""The same, for what is done by hand."""
MOST_FRAMES: Final = 1 << 16
_DIGITS: Final = 10
LIVE_KERNELS: Final = ("monolithic", "microkernel")


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("--policy", action="append", metavar="P", help="this one only; or all")
    parser.add_argument("--frames", type=_frames, metavar="N[-M]", help="how many frames")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--string", metavar="NAME", help=", ".join(PATTERNS))
    source.add_argument("--trace", metavar="FILE", help="references from a file; - is the input")
    source.add_argument("--program", metavar="NAME", help=f"a real run of: {', '.join(PROGRAMS)}")
    parser.add_argument("--pages", type=_positive, metavar="N", help="how many pages there are")
    parser.add_argument("--length", type=_positive, metavar="N", help="how many references")
    parser.add_argument("-s", "--seed", type=whole, default=0, help="repeats a run (default: 0)")
    parser.add_argument("--record", metavar="FILE", help="write the references to FILE, a trace")
    exercise = parser.add_mutually_exclusive_group()
    exercise.add_argument("--plot", nargs="?", const="-", metavar="FILE", help="plot the faults")
    exercise.add_argument(
        "--live", nargs="?", const="microkernel", metavar="KERNEL", help="run them for real, too"
    )
    exercise.add_argument("--ask", action="store_true", help="print references and questions only")
    exercise.add_argument("--reveal", action="store_true", help="print each step, and the answers")


def execute(arguments: argparse.Namespace) -> int:
    """Run the experiment, or print the exercise."""
    chosen = _policies(arguments.policy)
    exercise = arguments.ask or arguments.reveal
    references = _references(arguments, EXERCISE if exercise else EXPERIMENT)
    if exercise:
        _exercise(arguments, chosen, references)
        return 0
    frames = arguments.frames or range(2, 11)
    if arguments.live:
        return _live(arguments, chosen, references, frames)
    counts = {
        policy.name: [faults(policy(count, arguments.seed), references) for count in frames]
        for policy in chosen
    }
    if arguments.plot not in {None, "-"}:
        into_file(arguments.plot, frames, counts, ("frames", "faults"))
        return 0
    print(f"{_title(references, arguments.seed)}\n")
    if arguments.plot:
        print("\n".join([in_letters(frames, counts), *_anomalies(frames, counts)]))
    else:
        print(_table(frames, counts))
    return 0


def _exercise(
    arguments: argparse.Namespace, chosen: Sequence[type[Policy]], references: Sequence[int]
) -> None:
    frames = (arguments.frames or range(3, 4))[-1]
    print(f"references: {' '.join(map(str, references))}")
    for policy in chosen:
        print(f"\npolicy {policy.name}, {frames} frames, empty at first")
        if arguments.ask:
            print("\n".join(_questions()))
        else:
            print("\n".join(_answers(policy(frames, arguments.seed), references)))


def _live(
    arguments: argparse.Namespace,
    chosen: Sequence[type[Policy]],
    references: Sequence[int],
    frames: range,
) -> int:
    """The simulator and the real memory manager side by side; 1 unless they fault alike."""
    kernel, seed = arguments.live, arguments.seed
    if kernel not in LIVE_KERNELS:
        raise unknown("kernel to run live", kernel, LIVE_KERNELS, "twinos paging --help")
    real = [policy for policy in chosen if not policy.clairvoyant]
    if not real:
        raise Refusal("no real system can have a policy that must foresee all references.")
    rows = [
        [
            policy.name,
            count,
            faults(policy(count, seed), references),
            live_faults(kernel, policy.name, count, references, seed),
        ]
        for policy in real
        for count in frames
    ]
    print(f"{_title(references, seed)}\n")
    print(tabulate(rows, ["policy", "frames", "simulated", f"live, {kernel}"]))
    apart = sum(simulated != live for _, _, simulated, live in rows)
    print("the two agree" if not apart else f"they differ in {apart} of {len(rows)} runs")
    return 1 if apart else 0


def _title(references: Sequence[int], seed: int) -> str:
    pages = len(set(references))
    return f"faults of {len(references):,} references to {pages:,} pages; seed {seed}"


def _table(frames: range, counts: Mapping[str, Sequence[int]]) -> str:
    return tabulate(list(zip(frames, *counts.values(), strict=True)), ["frames", *counts])


def _anomalies(frames: range, counts: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """Where more memory made more faults."""
    for name, values in counts.items():
        for (few, less), (many, more) in pairwise(zip(frames, values, strict=True)):
            if more > less:
                yield f"{name}: {more:,} faults in {many} frames, {less:,} in {few}"


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
        found = policies()
    except Exception as error:  # a policy's module may fail in any way
        raise broken("servers.memory.policies", error) from error
    return some_or_all("policy", names, found, "twinos paging")


def _references(arguments: argparse.Namespace, default: tuple[str, int, int]) -> list[int]:
    if arguments.trace is not None:
        found, lines = _trace(arguments.trace), None
    elif arguments.program is not None:
        found, lines = _program(arguments.program)
    else:
        found, lines = _string(arguments, default), None
    if arguments.record is not None:
        _record(arguments.record, lines or map(str, found))
    return found


def _program(name: str) -> tuple[list[int], Iterable[str]]:
    if name not in PROGRAMS:
        raise unknown("program", name, PROGRAMS, "twinos paging --help")
    accesses = record(name)
    return references_of(accesses), map(str, accesses)


def _record(path: str, lines: Iterable[str]) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}.") from None


def _string(arguments: argparse.Namespace, default: tuple[str, int, int]) -> list[int]:
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
        return read_trace(lines_of(sys.stdin), "the input")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return read_trace(lines_of(file), path)
    except OSError as error:
        raise Refusal(f"{path} can't be read: {error.strerror}.") from None


def _frames(text: str) -> range:
    first, dash, last = text.partition("-")
    numbers = [first, last if dash else first]
    if all(number.isdecimal() and len(number) < _DIGITS for number in numbers):
        low, high = map(int, numbers)
        if 1 <= low <= high <= MOST_FRAMES:
            return range(low, high + 1)
    raise argparse.ArgumentTypeError(
        f"{text!r} is no number of frames from 1 to {MOST_FRAMES:,}, and no two with a dash between"
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:10]) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 10,000,000")
    return int(text)
