"""`twinos debate`: try the claims of the debate, one by one."""

import argparse
import secrets
import sys
from pathlib import Path
from typing import Final

from tabulate import tabulate

from lab import archive, bench, environment, placement
from lab.arguments import positive, writable
from lab.debate.claim import Claim, claims, select
from lab.debate.evidence import Setting
from lab.debate.rule import check, judge
from lab.debate.show import MODEL, Case, as_text, tally
from lab.table import page_width

EPILOG: Final = """\
A claim is one file; those of TwinOS are in lab/claims. To add one, write a file like them and name
it here. Its experiment is one of those that --experiments lists.

examples:
  twinos debate --list
  twinos debate performance one-root
  twinos debate --quick --html debate.html
  twinos debate mine.toml
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("claims", nargs="*", metavar="CLAIM", help="ids of claims, or files; without any: all")
    add("--list", action="store_true", help="list the claims and try none")
    add("--experiments", action="store_true", help="list what can be measured")
    add("--html", metavar="FILE", help="also as a page")
    add("--quick", action="store_true", help="small workloads and few boots")
    add("--boots", type=positive, metavar="N", help=f"of each kernel; {bench.BOOTS} by default")
    add("--seed", type=int, help="random by default")
    add("--anyway", action="store_true", help="also on a host too unsteady to be measured")


def execute(arguments: argparse.Namespace) -> int:
    """List, or try."""
    if arguments.experiments:
        print(_experiments())
        return 0
    chosen = select(claims(), arguments.claims)
    for claim in chosen:
        check(claim)
        _check_experiment(claim)
    if arguments.list:
        print(_listed(chosen))
        return 0
    target = _target(arguments.html)
    setting = Setting(
        quick=arguments.quick,
        boots=arguments.boots or (bench.QUICK_BOOTS if arguments.quick else bench.BOOTS),
        seed=secrets.randbits(32) if arguments.seed is None else arguments.seed,
        cpus=placement.choose("one"),
        unsteady=arguments.anyway or arguments.quick,
    )
    cases = []
    for claim in chosen:
        cases.append(_tried(claim, setting))
        print(f"{as_text(cases[-1], page_width())}\n", flush=True)
    print(f"{tally(cases)}.\n{MODEL}")
    if target:
        _write(target, cases)
    return 0


def _tried(claim: Claim, setting: Setting) -> Case:
    from lab.debate.experiments import run  # noqa: PLC0415 (takes a while)

    finding = run(claim.experiment, setting, claim.parameters) if claim.experiment else None
    return Case(claim, finding, judge(claim, finding))


def _check_experiment(claim: Claim) -> None:
    from lab.debate.experiments import find  # noqa: PLC0415 (as above)

    if claim.experiment:
        find(claim.experiment)


def _target(path: str | None) -> Path | None:
    """Where the page goes; refused before anything is measured for it."""
    if path is None:
        return None
    import lab.debate.page  # noqa: PLC0415, F401 (it may lack a package)

    return writable(path, "--html")


def _write(html: Path, cases: list[Case]) -> None:
    from lab.debate.page import page  # noqa: PLC0415 (an extra)

    here = environment.identity()
    about = f"Tried on {here.host}, commit {(here.commit or 'none')[:7]}."
    archive.write(html, page(cases, about))
    print(f"Wrote {archive.relative(html)}", file=sys.stderr)


def _listed(chosen: list[Claim]) -> str:
    rows = [
        [claim.id, claim.who, claim.when, claim.trust, claim.experiment or "-", claim.title]
        for claim in chosen
    ]
    return tabulate(rows, ["claim", "who", "when", "trust", "experiment", "what was said"])


def _experiments() -> str:
    from lab.debate.experiments import EXPERIMENTS, about  # noqa: PLC0415 (as above)

    return "\n\n".join(f"{name}\n{_indented(about(name))}" for name in EXPERIMENTS)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
