"""Submissions for tests."""

import os
import subprocess
import sys
from pathlib import Path

from lab.grading.assignment import assignments
from lab.grading.submission import begin

ROOT = Path(__file__).parents[3]
LABS = assignments()


def lab(
    *arguments: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `twinos lab` in a process of one thread."""
    return subprocess.run(
        [sys.executable, "-m", "lab", "lab", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def solved(folder: Path, name: str = "messages", student: str = "ada") -> Path:
    """A folder in which the lab is solved."""
    begin(LABS[name], folder, student)
    for file, text in LABS[name].reference.items():
        (folder / file).write_text(text)
    return folder
