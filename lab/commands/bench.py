"""`twinos bench`: time workloads under several kernels and compare."""

import argparse
import os
import secrets
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

from lab import bench, placement, selection
from lab.choice import parse
from lab.refusal import Failure, Refusal
from lab.schema import Run, save, to_json
from lab.table import page_width, render

EPILOG: Final = """\
Each kernel is booted several times, in random alternation; one boot gives one value. The table
shows the median over boots with its 95 % interval, the ratio over the first kernel with its
own, and messages and bytes per operation, counted in a boot of their own.

kernels: monolithic, microkernel, or a hybrid that says which services share an address space:
hybrid:filesystem+disk,clock+memorymanager

examples:
  twinos bench --quick                everything, roughly, in under 30 s
  twinos bench null files             two groups (`twinos workloads` lists them)
  twinos bench null --placement two   user and servers on different processors
  twinos bench read-4k --json - --boots 20
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
    add("--placement", choices=("one", "two"), default="one", help="processors; one by default")
    add("--users", choices=("inline", "process"), default="inline", help=_USERS)
    add("--boots", type=_boots, metavar="N", help=f"of each kernel; {bench.BOOTS} by default")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="smaller and shorter, under 30 s")
    size.add_argument("--full", action="store_true", help="also what takes long")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="size a workload")
    add("--seed", type=int, help="of the order of boots; random by default")
    add("--json", metavar="FILE", help="also write the run there; - for standard output")


_USERS: Final = "users in the kernel's process (inline, the default), or in one of their own"


def execute(arguments: argparse.Namespace) -> int:
    """Measure, print, save."""
    wanted = _wanted(arguments.json)
    run = bench.measure(_plan(arguments))
    try:  # first of all: whoever reads standard output may have gone
        for target in (unused(runs_folder(), run), *wanted):
            _save(run, target)
    finally:
        text = to_json(run) if arguments.json == "-" else render(run, page_width()) + "\n"
        sys.stdout.write(text)
    return 0


def _plan(arguments: argparse.Namespace) -> bench.Plan:
    asked = selection.chosen(arguments.workloads, quick=arguments.quick, full=arguments.full)
    workloads = selection.runnable(asked, named=bool(arguments.workloads))
    names = arguments.kernel or ["monolithic", "microkernel"]
    if len(set(names)) != len(names):
        raise Refusal("--kernel names one kernel twice.")
    return bench.Plan(
        workloads=selection.with_settings(workloads, arguments.set),
        kernels=[parse(name) for name in names],
        boots=arguments.boots or (bench.QUICK_BOOTS if arguments.quick else bench.BOOTS),
        seed=secrets.randbits(32) if arguments.seed is None else arguments.seed,
        placement=arguments.placement,
        cpus=placement.choose(arguments.placement),
        users=arguments.users,
        quick=arguments.quick,
        command=shlex.join(["twinos", *sys.argv[1:]]),
    )


def _boots(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of boots")
    return int(text)


def _wanted(json: str | None) -> list[Path]:
    """Where else to save; refused before anything is measured for it."""
    if json is None or json == "-":
        return []
    target = Path(json)
    if target.is_dir() or not target.parent.is_dir():
        raise Refusal(f"--json {json}: it is a folder, or there is no folder for it.")
    return [target]


def _save(run: Run, target: Path) -> None:
    try:
        save(run, target)
    except OSError as error:
        raise Failure(f"the run could not be saved as {target}: {error.strerror}.") from None
    print(f"Saved as {_relative(target)}", file=sys.stderr)


def runs_folder() -> Path:
    """`results/runs` of the checkout around the current folder, or else of that folder itself."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "twinos").is_dir() and (folder / "results").is_dir():
            return folder / "results" / "runs"
    return here / "results" / "runs"


def unused(folder: Path, run: Run) -> Path:
    """A file name for a run; no run is ever written over."""
    moment = datetime.fromisoformat(run.environment.date)
    name = f"{moment:%Y%m%dT%H%M%SZ}-{run.environment.seed:08x}"
    candidates = [folder / f"{name}.json", *(folder / f"{name}-{n}.json" for n in range(2, 100))]
    return next(path for path in candidates if not path.exists())


def _relative(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
