"""The experiment that runs one conformance suite on every kernel."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lab.debate.evidence import Finding, Measure, Setting
from lab.refusal import Failure

ROOT: Final = Path(__file__).parents[2]
HOST: Final = "host"
TIMEOUT_S: Final = 1800.0
_WHERE: Final = re.compile(r"(?P<test>.+)\[(?P<where>host|[a-z]+(?:-process)?)(?P<case>(?:-.*)?)\]")
_PASSED: Final = frozenset({"system-out", "system-err", "properties"})
"""What may be inside the report of a test that passed."""

Outcomes = dict[str, dict[str, bool]]
"""By test, by where it ran: whether it passed."""


def conformance(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """One suite of tests, run unchanged on every kernel: which share of it passes on all of them?

    The suite runs on the host's own system first, which is its oracle. Parameters: `suite`, a
    folder of a checkout; `quick`, the files of it that a quick run takes. Measures: `tests`, how
    many ran on several kernels; `passed KERNEL`; `share`, of those that passed on every kernel.
    """
    suite = ROOT / parameters["suite"]
    if not suite.is_dir():
        return Finding(lacks=f"a checkout, with {parameters['suite']}")
    if importlib.util.find_spec("pytest") is None or importlib.util.find_spec("hypothesis") is None:
        return Finding(lacks="the tests' packages: pip install 'twinos[dev]'")
    files = [suite / name for name in parameters["quick"]] if setting.quick else [suite]
    outcomes = _run(files)
    ours = {
        test: {where: passed for where, passed in found.items() if where != HOST}
        for test, found in outcomes.items()
    }
    ours = {test: found for test, found in ours.items() if len(found) > 1}
    if not ours:
        raise Failure(f"{parameters['suite']} has no test that ran on several kernels.")
    kernels = sorted({where for found in ours.values() for where in found})
    unchanged = sum(all(found.values()) for found in ours.values())
    on_host = [found[HOST] for found in outcomes.values() if HOST in found]
    return Finding(
        [
            Measure("tests", len(ours), exact=True),
            *(
                Measure(
                    f"passed {kernel}",
                    sum(each.get(kernel, False) for each in ours.values()),
                    exact=True,
                )
                for kernel in kernels
            ),
            Measure("share", unchanged / len(ours), exact=True),
        ],
        notes=[f"on the host itself {sum(on_host):,} of {len(on_host):,} that ran there pass"],
    )


def _run(files: Sequence[Path]) -> Outcomes:
    """Run tests in a process of their own.

    Raises:
        Failure: they could not be run.
    """
    with tempfile.TemporaryDirectory(prefix="twinos-conformance-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--junitxml={report}", f"--basetemp={folder}/files", *map(str, files)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, check=False, timeout=TIMEOUT_S, text=True
        )
        if not report.exists():
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise Failure(f"the tests did not run: {' '.join(last) or done.returncode}.")
        outcomes: Outcomes = {}
        for test, where, passed in _outcomes(report):
            outcomes.setdefault(test, {})[where] = passed
        return outcomes


def _outcomes(report: Path) -> Iterator[tuple[str, str, bool]]:
    """Each test that was not skipped: which it was, where it ran, whether it passed."""
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 (our own pytest wrote it)
        found = _WHERE.fullmatch(case.get("name", ""))
        problems = {child.tag for child in case} - _PASSED
        if found is None or "skipped" in problems:
            continue
        test = f"{case.get('classname')}.{found['test']}{found['case']}"
        yield test, found["where"], not problems
