"""`twinos report`: make runs, or take saved ones, and say what they have to say."""

import argparse
import secrets
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lab import archive, campaign, making
from lab.archive import runs_folder, unused
from lab.arguments import positive, writable
from lab.availability import course as availability
from lab.journal import Journal
from lab.refusal import Refusal
from lab.schema import Run

EPILOG: Final = """\
Without saved runs it makes them: everything on one processor, what tells most on two, and with
users as processes. The page is one file that needs no network.

examples:
  twinos report --quick -o report.html       from nothing to a page in under 5 minutes
  twinos report RUN [RUN...] -o report.html  of runs that `twinos bench` has saved
  twinos report RUN --markdown report.md --csv rows.csv --pyperf suite.json
  twinos report --reference                  the published run, into results/reference
  twinos report --readme README.md           README's table, from the published run
"""

REFERENCE: Final = "reference"
"""The folder of the published run, beside that of the others."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add(
        "runs",
        nargs="*",
        metavar="RUN",
        help="saved runs of one host and commit; else it makes some",
    )
    add("-o", "--output", metavar="FILE", help="the page, as HTML")
    add("--markdown", metavar="FILE", help="the same as Markdown")
    add("--ladder", metavar="FILE", help="what `twinos ladder --json` printed on the same host")
    add("--availability", metavar="FILE", help="what `twinos availability --json` printed there")
    add("--csv", metavar="FILE", help="every row, for a spreadsheet")
    add("--pyperf", metavar="FILE", help="the values, as pyperf reads them")
    add("--readme", metavar="FILE", help="put the published run's table between its marks there")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small runs, in under 5 minutes")
    size.add_argument("--reference", action="store_true", help="the run that is published")
    add("--workload", action="append", default=[], metavar="W", help="only these; all by default")
    add("--boots", type=positive, metavar="N", help="of each kernel, in every run")
    add("--seed", type=int, help="of the first run; random by default")
    add("--anyway", action="store_true", help="also on a host too unsteady to be measured")
    add("--resume", metavar="FILE", help="go on with interrupted runs")


def execute(arguments: argparse.Namespace) -> int:
    """Make or load runs, and write what is asked for."""
    if arguments.readme:
        return _readme(arguments)
    if arguments.resume:
        journal = making.taken_up(Path(arguments.resume))
        arguments = _parsed(journal.header.arguments)
        arguments.seed = journal.header.seed
        return _report(arguments, journal)
    if arguments.runs:
        if arguments.quick or arguments.reference or arguments.workload:
            raise Refusal(
                "saved runs are as they are: --quick, --reference and --workload make runs."
            )
        return _report(arguments, None)
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    arguments.seed = seed
    given = sys.argv[sys.argv.index("report") + 1 :] if "report" in sys.argv else []
    path = archive.unfinished(runs_folder(), seed)
    return _report(arguments, Journal(path, archive.header(given, seed)))


def _report(arguments: argparse.Namespace, journal: Journal | None) -> int:
    targets = _targets(arguments)
    from lab.report import reliability, steps  # noqa: PLC0415 (they take an extra)

    write = _writers()  # before anything is measured: they may lack a package
    ladder = steps.load(Path(arguments.ladder)) if arguments.ladder else None
    course = availability.load(Path(arguments.availability)) if arguments.availability else None
    if journal is None:
        paths = [Path(run) for run in arguments.runs]
        runs = archive.load_together(paths)
    else:
        runs, paths = _made(arguments, journal)
        if ladder is None and not arguments.workload:
            ladder = steps.climb(quick=arguments.quick)
            archive.keep_beside(paths[0], "ladder", msgspec.json.encode(ladder))
        if course is None and not arguments.workload:
            course = reliability.measure(quick=arguments.quick)
            archive.keep_beside(paths[0], "availability", msgspec.json.encode(course))
        if arguments.reference:
            archive.clear_but(paths)
    for kind, target in targets.items():
        _put(target, write[kind](runs, paths, ladder, course))
    return 0


def _made(arguments: argparse.Namespace, journal: Journal) -> tuple[list[Run], list[Path]]:
    size = campaign.NORMAL
    if arguments.quick or arguments.reference:
        size = campaign.QUICK if arguments.quick else campaign.REFERENCE
    size = size._replace(names=tuple(arguments.workload))
    if arguments.boots is not None:
        size = size._replace(boots=arguments.boots, precision=None)
    command = shlex.join(["twinos", "report", *journal.header.arguments])
    plans = list(campaign.plans(size, arguments.seed, command, unsteady=arguments.anyway))
    runs = making.make(plans, journal, "report")
    folder = runs_folder().with_name(REFERENCE) if arguments.reference else runs_folder()
    paths = []
    for run in runs:
        paths.append(unused(folder, run))
        archive.keep(run, paths[-1])
    return runs, paths


def _targets(arguments: argparse.Namespace) -> dict[str, Path]:
    """What is to be written, and where; refused before anything is measured for it."""
    asked = {
        "html": arguments.output,
        "markdown": arguments.markdown,
        "csv": arguments.csv,
        "pyperf": arguments.pyperf,
    }
    if arguments.reference:
        folder = runs_folder().with_name(REFERENCE)
        folder.mkdir(parents=True, exist_ok=True)
        published = {"html": "report.html", "markdown": "report.md", "csv": "rows.csv"}
        asked = {**asked, **{kind: folder / name for kind, name in published.items()}}
    targets = {kind: Path(target) for kind, target in asked.items() if target}
    if not targets:
        targets = {"html": Path("report.html")}
    for path in targets.values():
        writable(str(path))
    return targets


def _writers() -> dict[str, Callable[..., str]]:
    """Each form of a report.

    Raises:
        Refusal: a package of the extra is missing.
    """
    from lab.pyperf_export import to_pyperf  # noqa: PLC0415 (these take a while, or an extra)
    from lab.report import html, plain  # noqa: PLC0415
    from lab.report.chapters import compose  # noqa: PLC0415

    return {
        "html": lambda *evidence: html.page(compose(*evidence)),
        "markdown": lambda *evidence: plain.markdown(compose(*evidence)),
        "csv": lambda runs, *_: plain.as_csv(runs),
        "pyperf": lambda runs, *_: to_pyperf(runs),
    }


def _readme(arguments: argparse.Namespace) -> int:
    from lab.report import readme  # noqa: PLC0415 (only here)

    target = Path(arguments.readme)
    runs = [Path(run) for run in arguments.runs] or readme.published(runs_folder().parent)
    text = readme.updated(target, archive.load_together(runs))
    _put(target, text)
    return 0


def _put(path: Path, text: str) -> None:
    archive.write(path, text)
    print(f"Wrote {archive.relative(path)} ({len(text.encode()) / 1024:,.0f} KiB)", file=sys.stderr)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    configure(parser)
    return parser.parse_args(arguments)
