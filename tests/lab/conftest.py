"""The command line, as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cli import REFUSED, main

ROOT = Path(__file__).parents[2]
DEADLINE_S = 100

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `twinos ARGUMENTS` in an empty folder, `tmp_path`."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, "-P", "-W", "error", "-m", "lab", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    return run


@pytest.fixture
def refused(inside: Cli) -> Callable[..., str]:
    """Runs `twinos ARGUMENTS`, which make no sense; the one sentence that says why."""

    def run(*arguments: str) -> str:
        shown = inside(*arguments)
        assert shown.returncode == REFUSED
        assert shown.stderr.count("\n") == 1
        return shown.stderr

    return run


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """The same without a process of its own: for what ends before anything is measured."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, shown.out, shown.err)

    return run
