"""`twinos mutants`: a mistake in a service's own code, under every kernel, and what came of it."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from tabulate import tabulate

from lab.arguments import known, positive
from lab.commands.faults import FAULTED
from lab.faults.kinds import SERVICES
from lab.image_listing import say
from lab.mutants.campaign import Workers, campaign
from lab.mutants.judge import Outcome
from lab.mutants.kinds import KINDS
from lab.mutants.mutant import Mutant, mutants, sources
from lab.mutants.worker import Result, Task
from lab.progress import Progress
from lab.refusal import Refusal

COUNT: Final = 100
_KINDS: Final = "\n".join(f"  {name:10}{kind.told}" for name, kind in KINDS.items())
EPILOG: Final = f"""\
Each mutant is the code of a service with one small mistake in it, put into the running service, and
into nothing else, when the system has booted. Two clients and many newcomers ask of the system what
they know the answers to; a service that has nothing to do with it stands by, and must answer at the
end. Only mutants are counted whose mistake was carried out. The monolithic kernel is a process
beside its clients.

kinds of mistakes:
{_KINDS}

examples:
  twinos mutants                              {COUNT} of them, in a minute or two
  twinos mutants --count 1000 --json          a line of JSON for each and each kernel, with its diff
  twinos mutants --service Disk --kind loop   endless loops in Disk
  twinos mutants --show servers/disk/service.py:151:12:drop

exit status: 0 all mutants were tried, whatever came of them
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--service", action="append", metavar="S", help=f"one of {', '.join(SERVICES)}; both"
    )
    parser.add_argument("--kind", action="append", metavar="K", help="of the mistakes; all of them")
    parser.add_argument(
        "--count", type=positive, default=COUNT, metavar="N", help=f"of mutants (default: {COUNT})"
    )
    parser.add_argument(
        "-s", "--seed", type=int, default=0, help="repeats the mutants (default: 0)"
    )
    parser.add_argument(
        "--kernel", action="append", metavar="K", help=f"one of {', '.join(FAULTED)}; both"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a line of JSON for each result")
    form.add_argument("--show", metavar="ID", help="one mutant: its diff, and what comes of it")


def execute(arguments: argparse.Namespace) -> int:
    """Run the campaign, or try one mutant."""
    kernels = known("kernel to try", arguments.kernel, FAULTED, "twinos mutants --help")
    services = known("service", arguments.service, SERVICES, "twinos mutants --help")
    kinds = known("kind of mistake", arguments.kind, KINDS, "twinos mutants --help")
    if arguments.show:
        _show(arguments.show, services, kernels, arguments.seed)
        return 0
    results: list[Result] = []
    with Workers() as workers, Progress(arguments.count, "mutant") as progress:
        for tried in campaign(workers, services, kinds, kernels, arguments.count, arguments.seed):
            progress.begin(tried[0].mutant.id)
            progress.step()
            results += tried
            if arguments.json:
                for result in tried:
                    say(msgspec.json.encode(result).decode())
    if not arguments.json:
        for line in told(results, kernels):
            say(line)
    elif len(results) < arguments.count * len(kernels):
        print(_short(results, kernels), file=sys.stderr)
    return 0


def told(results: Sequence[Result], kernels: Sequence[str]) -> Iterator[str]:
    """The tables."""
    yield _by_kind(results, kernels)
    yield ""
    yield _in_all(results, kernels)
    yield ""
    yield (
        "survived: no client noticed. error: clients got errors where none was due. restarted: a\n"
        "server died and was started again; hung and killed: after its supervisor had killed it.\n"
        "given up: it died too often. A system is down when nothing answers any more, and hangs\n"
        "when who stands by gets no answer. files lost: acknowledged, not yet synced, and gone."
    )
    yield _short(results, kernels)


def _short(results: Sequence[Result], kernels: Sequence[str]) -> str:
    count = len(results) // len(kernels)
    return f"{count} mutants, each carried out under every kernel that was tried."


def _by_kind(results: Sequence[Result], kernels: Sequence[str]) -> str:
    rows = [
        [
            kind.told,
            sum(r.kernel == kernels[0] for r in found),
            *(_unharmed(found, kernel) for kernel in kernels),
        ]
        for name, kind in KINDS.items()
        if (found := [r for r in results if r.mutant.kind == name])
    ]
    headers = ["mistake", "mutants", *(f"stands, {kernel}" for kernel in kernels)]
    return tabulate(rows, headers)


def _unharmed(results: Sequence[Result], kernel: str) -> int:
    """After how many of them the system answers still."""
    gone = {Outcome.DOWN, Outcome.HANG}
    return sum(r.kernel == kernel and r.outcome not in gone for r in results)


def _in_all(results: Sequence[Result], kernels: Sequence[str]) -> str:
    columns = [[r for r in results if r.kernel == kernel] for kernel in kernels]
    counts = [Counter(r.outcome for r in column) for column in columns]
    rows: list[list[object]] = [
        [str(outcome), *(count[outcome] for count in counts)] for outcome in Outcome
    ]
    rows.append(["with wrong answers", *(sum(bool(r.wrong) for r in c) for c in columns)])
    rows.append(["files lost", *(sum(r.lost for r in column) for column in columns)])
    rows.append(["images not clean", *(sum(not r.clean for r in column) for column in columns)])
    return tabulate(rows, ["in all", *kernels])


def _show(key: str, services: Sequence[str], kernels: Sequence[str], seed: int) -> None:
    service, mutant = _find(key, services)
    say(mutant.diff)
    with Workers(most=1) as workers:
        results = workers.results(Task(mutant, service, seed, tuple(kernels)))
    for result in results:
        say("")
        say(f"{result.kernel}: {result.outcome if result.reached else 'never carried out'}")
        for line in _details(result):
            say(f"  {line}")


def _details(result: Result) -> Iterator[str]:
    if result.wrong:
        yield f"{result.wrong} wrong answers"
    if result.restarts:
        yield f"{result.restarts} restarts"
    if result.lost:
        yield f"{result.lost} files lost"
    if not result.clean:
        yield "the image is not clean"
    for error, count in Counter(result.errors).items():
        yield f"{error}" if count == 1 else f"{error} ({count} times)"


def _find(key: str, services: Sequence[str]) -> tuple[str, Mutant]:
    for service in services:
        for path in sources(SERVICES[service]):
            for mutant in mutants(path):
                if mutant.id == key:
                    return service, mutant
    raise Refusal(f"there is no mutant {key!r}: `twinos mutants --json` names those that it tries.")
