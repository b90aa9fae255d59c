"""`twinos bench`: time workloads under several kernels and compare."""

import argparse
import secrets
import shlex
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final

from kernels.transports import TRANSPORTS
from lab import (
    archive,
    bench,
    host_counts,
    making,
    placement,
    selection,
)
from lab.aims import memory, processes, stability
from lab.archive import runs_folder, unused
from lab.arguments import between
from lab.choice import carried_by, grouped, parse, survivors
from lab.commands import bench_peers as peers
from lab.journal import Journal
from lab.refusal import Refusal
from lab.schema import Placement, Run, to_json
from lab.table import counters, decomposition, page_width, render, validation

__all__ = ["configure", "execute", "runs_folder", "unused"]

EPILOG: Final = """\
Each kernel is booted several times, in random alternation; one boot gives one value. The table
shows the median over boots with its 95 % interval, the ratio over the first kernel with its
own, and messages and bytes per operation, counted in a boot of their own.

kernels: monolithic, microkernel, or a hybrid that says which services share an address space:
hybrid:filesystem+disk,clock+memorymanager
each also with @ring behind it: messages in shared memory instead of pipes (docs/ring.md)

examples:
  twinos bench --quick                everything, roughly, in under 30 s
  twinos bench null files             two groups (`twinos workloads` lists them)
  twinos bench memory --full          virtual memory with its aims, faults a second, and growth
  twinos bench processes              programs, beside a bare fork; throughput of 1 to 8 clients
  twinos bench null --placement two   user and servers on different processors
  twinos bench null --placement two --kernel microkernel --kernel microkernel@ring
  twinos bench macro --precision 5    as many boots as intervals of ±5 % take, by a pilot
  twinos bench read-4k --json - --boots 20
  twinos bench --stable both          what it costs that services survive: files and memory
  twinos bench files --peers          the file system beside others, in one run
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help="names of workloads or groups; without any: all",
    )
    add("--kernel", action="append", metavar="K", help="may be given again; ratios: over the first")
    add("--groups", metavar="A+B,...", help="of a hybrid: what shares an address space")
    add("--placement", choices=("one", "two", "both"), default="one", help=_PLACEMENT)
    add("--transport", choices=tuple(TRANSPORTS), help=_TRANSPORT)
    add("--stable", choices=("on", "off", "both"), help=_STABLE)
    add("--users", choices=("inline", "process"), default="inline", help=_USERS)
    number = parser.add_mutually_exclusive_group()
    number.add_argument(
        "--boots", type=_boots, metavar="N", help=f"of each kernel; {bench.BOOTS} by default"
    )
    number.add_argument("--precision", type=_percent, metavar="PERCENT", help=_PRECISION)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="smaller and shorter, under 30 s")
    size.add_argument("--full", action="store_true", help="also what takes long")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="size a workload")
    add("--seed", type=int, help="of the order of boots; random by default")
    add("--decompose", action="store_true", help="also trace: where the time goes")
    add("--validate", action="store_true", help="also have strace count the host's system calls")
    add("--counters", action="store_true", help="also requests, processor time, switches, memory")
    add("--anyway", action="store_true", help="also on a host too unsteady to be measured")
    add("--json", metavar="FILE", help="also write the run there; - for standard output")
    add("--resume", metavar="FILE", help="go on with an interrupted run")
    add("--peers", action="store_true", help=_PEERS)


TRACES: Final = 3
"""Boots of each kernel that are traced."""

_PLACEMENT: Final = "processors; one by default; both: two runs"
_TRANSPORT: Final = "what carries messages; pipe by default. The same as @T behind kernels"
_STABLE: Final = "whether services' state survives them; both: what that costs, in one run"
_USERS: Final = "users in the kernel's process (inline, the default), or in one of their own"
_PRECISION: Final = "have a pilot choose the boots for intervals this narrow"


_PEERS: Final = "files only: beside tmpfs, fsspec, PyFilesystem, mfusepy and bindfs"


def execute(arguments: argparse.Namespace) -> int:
    """Measure, print, save."""
    if arguments.peers:
        return peers.execute(arguments)
    if arguments.resume:
        journal = making.taken_up(Path(arguments.resume))
        arguments = _parsed(journal.header.arguments)
        arguments.seed = journal.header.seed
    else:
        seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
        arguments.seed = seed
        given = sys.argv[sys.argv.index("bench") + 1 :] if "bench" in sys.argv else []
        path = archive.unfinished(runs_folder(), seed)
        journal = Journal(path, archive.header(given, seed))
    arguments.given = journal.header.arguments
    wanted = _wanted(arguments)
    if arguments.validate and host_counts.missing():
        raise Refusal(f"--validate: {host_counts.missing()}.")
    plans = list(_plans(arguments))
    if arguments.json is not None and len(plans) > 1:
        raise Refusal(f"--json takes one run, and this makes {len(plans)}: add --users process.")
    runs = making.make(plans, journal, "bench")
    texts = [to_json(run) for run in runs] if arguments.json == "-" else _texts(arguments, runs)
    try:  # first of all: whoever reads standard output may have gone
        for run in runs:
            for target in (unused(runs_folder(), run), *wanted):
                archive.keep(run, target)
    finally:
        sys.stdout.write("\n".join(texts))
    return 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    configure(parser)
    return parser.parse_args(arguments)


def _aims(run: Run) -> str:
    """What a run of such workloads or kernels aims at."""
    tables = (stability, memory, processes)
    return next(filter(None, (table.standing(run) for table in tables)), "")


def _texts(arguments: argparse.Namespace, runs: Sequence[Run]) -> list[str]:
    shown = [render(run, page_width()) + "\n" for run in runs]
    aims = [_aims(run) for run in runs]
    shown = [text + (f"\n{aim}\n" if aim else "") for text, aim in zip(shown, aims, strict=True)]
    if arguments.counters:
        shown = [f"{text}\n{counters(run)}\n" for text, run in zip(shown, runs, strict=True)]
    if arguments.validate:
        shown = [f"{text}\n{validation(run)}\n" for text, run in zip(shown, runs, strict=True)]
    if arguments.decompose:
        shown = [f"{text}\n{decomposition(run)}\n" for text, run in zip(shown, runs, strict=True)]
    return shown


def _plans(arguments: argparse.Namespace) -> Iterator[bench.Plan]:
    both = arguments.stable == "both"
    given = arguments.workloads or (list(stability.GROUPS) if both else [])
    asked = selection.chosen(given, quick=arguments.quick, full=arguments.full)
    workloads = selection.runnable(asked, named=bool(given))
    usual = ["microkernel"] if both else ["monolithic", "microkernel"]
    asked_for = grouped(arguments.kernel or usual, arguments.groups)
    carried = [carried_by(name, arguments.transport, arguments.users) for name in asked_for]
    names = survivors(carried, arguments.stable)
    if len(set(names)) != len(names):
        raise Refusal("--kernel names one kernel twice.")
    sized = selection.with_settings(workloads, arguments.set)
    kernels = [parse(name) for name in names]
    places: tuple[Placement, ...] = ("one", "two")
    chosen = places if arguments.placement == "both" else (arguments.placement,)
    for place, (together, users) in product(chosen, selection.runs(sized, arguments.users)):
        yield bench.Plan(
            workloads=together,
            kernels=kernels,
            boots=arguments.boots or (bench.QUICK_BOOTS if arguments.quick else bench.BOOTS),
            seed=arguments.seed,
            placement=place,
            cpus=placement.choose(place),
            users=users,
            quick=arguments.quick,
            command=shlex.join(["twinos", "bench", *arguments.given]),
            precision=arguments.precision,
            traces=TRACES if arguments.decompose else 0,
            validate=arguments.validate,
            unsteady=arguments.anyway or arguments.quick,
        )


def _boots(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of boots")
    return int(text)


def _percent(text: str) -> float:
    return between(0.1, 100, "percentage from 0.1 to 100")(text) / 100


def _wanted(arguments: argparse.Namespace) -> list[Path]:
    """Where else to save; refused before anything is measured for it."""
    json = arguments.json
    if json is not None and arguments.placement == "both":
        raise Refusal("--json takes one run, and --placement both makes two.")
    if json is None or json == "-":
        return []
    target = Path(json)
    if target.is_dir() or not target.parent.is_dir():
        raise Refusal(f"--json {json}: it is a folder, or there is no folder for it.")
    return [target]
