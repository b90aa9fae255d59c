"""`twinos faults`: the same fault at the same operation under every kernel, and what came of it."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from tabulate import tabulate

from lab.arguments import known, positive
from lab.faults.campaign import LIMIT_S, Result, attempt, fresh_image, plan
from lab.faults.judge import Outcome
from lab.faults.kinds import KINDS, SERVICES, suits
from lab.image_listing import say
from lab.progress import Progress
from lab.refusal import Refusal
from lab.stats import quantile

FAULTED: Final = ("monolithic", "microkernel")
_KINDS: Final = "\n".join(f"  {name:13}{kind.told}" for name, kind in KINDS.items())
EPILOG: Final = f"""\
Each trial boots a system on an image of its own, in a process of its own. Two clients take turns
with files; at a request that the seed chooses one service goes wrong; what the clients recorded is
then compared with a model of files. A system that is down is booted again from its image, and what
is gone since the last sync is counted. One that is not done in {LIMIT_S:g} s hangs. The monolithic
kernel is a process beside its clients.

kinds of faults:
{_KINDS}

examples:
  twinos faults                              every kind in every service that can have it, once
  twinos faults --kind kill --count 100      a hundred kills, half of them of each service
  twinos faults --service Disk --json        one object for each trial

exit status: 0 all trials were done, whatever came of them
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--service", action="append", metavar="S", help=f"one of {', '.join(SERVICES)}; both"
    )
    parser.add_argument("--kind", action="append", metavar="K", help="of the faults; all of them")
    parser.add_argument(
        "--count", type=positive, metavar="N", help="faults under each kernel; each kind once"
    )
    parser.add_argument("-s", "--seed", type=int, default=0, help="repeats the faults (default: 0)")
    parser.add_argument(
        "--kernel", action="append", metavar="K", help=f"one of {', '.join(FAULTED)}; both"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each trial")


def execute(arguments: argparse.Namespace) -> int:
    """Run the campaign."""
    services = known("service", arguments.service, SERVICES, "twinos faults --help")
    kinds = known("kind of fault", arguments.kind, KINDS, "twinos faults --help")
    kernels = known("kernel to try", arguments.kernel, FAULTED, "twinos faults --help")
    pairs = sum(suits(kind, service) for kind in kinds for service in services)
    if not pairs:
        raise Refusal(f"only a disk can have such a fault: {', '.join(kinds)}.")
    count = arguments.count or pairs
    image, results = fresh_image(), []
    with Progress(count * len(kernels), "trial") as progress:
        for trial in plan(kernels, services, kinds, count, arguments.seed):
            progress.begin(f"{trial.kind} in {trial.service}, {trial.kernel}")
            results.append(attempt(trial, image))
            progress.step()
            if arguments.json:
                say(msgspec.json.encode(results[-1]).decode())
    if not arguments.json:
        for line in told(results, kernels):
            say(line)
    return 0


def told(results: Sequence[Result], kernels: Sequence[str]) -> Iterator[str]:
    """The tables."""
    yield _by_kind(results, kernels)
    yield ""
    yield _in_all(results, kernels)
    yield ""
    yield (
        "lost: acknowledged, not yet synced, and gone. corrupt: holds what it never should.\n"
        "recovery: from the fault to the next reply that a client got, of trials in which a\n"
        "server or the system was started again. goodput: steps that went well, a second;\n"
        "of a system that was down or hung, until its files had been looked at after a new boot."
    )
    idle = sum(not result.struck for result in results)
    if idle:
        yield f"{idle} faults found no request to strike."


def _by_kind(results: Sequence[Result], kernels: Sequence[str]) -> str:
    pairs = dict.fromkeys((result.trial.service, result.trial.kind) for result in results)
    rows = [
        [
            *pair,
            *(
                _outcomes([r for r in results if _is(r, kernel) and _pair(r) == pair])
                for kernel in kernels
            ),
        ]
        for pair in sorted(pairs, key=lambda pair: list(SERVICES).index(pair[0]))
    ]
    return tabulate(rows, ["service", "fault", *kernels])


def _outcomes(results: Sequence[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    return ", ".join(
        str(outcome) if len(results) == 1 else f"{outcome} {counts[outcome]}"
        for outcome in Outcome
        if counts[outcome]
    )


def _in_all(results: Sequence[Result], kernels: Sequence[str]) -> str:
    columns = [[r for r in results if _is(r, kernel)] for kernel in kernels]
    rows: list[list[object]] = [
        [str(outcome), *(sum(r.outcome == outcome for r in column) for column in columns)]
        for outcome in Outcome
    ]
    rows.append(["files lost", *(sum(r.lost for r in column) for column in columns)])
    rows.append(["files corrupt", *(sum(r.corrupt for r in column) for column in columns)])
    rows.append(["images not clean", *(sum(not r.clean for r in column) for column in columns)])
    for name, share in (("median", 0.5), ("99th percentile", 0.99)):
        rows.append([f"recovery, {name}, ms", *(_recovery(column, share) for column in columns)])
    for told, field in (("before the fault", "before"), ("from the fault on", "goodput")):
        rows.append([f"goodput {told}, median", *(_goodput(column, field) for column in columns)])
    return tabulate(rows, ["in all", *kernels], colalign=("left", *("right" for _ in kernels)))


def _recovery(results: Sequence[Result], share: float) -> str:
    times = sorted(r.recovery_ms for r in results if r.recovery_ms is not None)
    return f"{quantile(times, share):.0f}" if times else "-"


def _goodput(results: Sequence[Result], field: str) -> str:
    rates = sorted(getattr(r, field) for r in results if getattr(r, field) is not None)
    return f"{quantile(rates, 0.5):,.0f}" if rates else "-"


def _is(result: Result, kernel: str) -> bool:
    return result.trial.kernel == kernel


def _pair(result: Result) -> tuple[str, str]:
    return result.trial.service, result.trial.kind
