"""The suite for pytest-benchmark still runs."""

import subprocess
import sys
from pathlib import Path

import lab

ROOT = Path(lab.__file__).parent.parent


def test_the_suite_runs() -> None:
    options = ["--benchmark-disable", "-p", "no:cacheprovider", "-q", "-k", "null or fault-zero"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", ROOT / "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
