"""`twinos cache`: a file goes through caches that are smaller, and memory stays within them."""

import os
import re
import subprocess
import sys

import pytest

from lab import cli
from tests.tree import ROOT


def shown(text: str, row: str) -> list[float]:
    (line,) = [line for line in text.splitlines() if line.startswith(row)]
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,.]*", line)]


@pytest.mark.parametrize(("kernel", "beside"), [("monolithic", 4), ("microkernel", 20)])
def test_a_large_file_goes_through_small_caches(kernel: str, beside: int) -> None:
    """In a process of its own: of what others share, more is counted when they end."""
    asked = ["cache", "--size", "96M", "--memory", "8M", "--kernel", kernel]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lab", *asked],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = done.stdout
    assert shown(out, "limit") == [8.0, 8.0]
    assert all(0 < used <= 10 for used in shown(out, "used"))
    assert all(0 < pages < 2600 for pages in shown(out, "pages"))
    assert all(taken <= 8 + beside for taken in shown(out, "taken of the host"))
    assert f"The bound is {8 + beside}.0 MiB: kept." in out


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--size", "3G"], "less than 2G"),
        (["--size", "100K"], "a number of 256K"),
        (["--size", "x"], "--size is"),
        (["--memory", "100K"], "1M or more"),
        (["--kernel", "macro"], "macro"),
    ],
)
def test_what_there_is_not_is_refused(
    asked: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cache", *asked]) == cli.REFUSED
    said = capfd.readouterr().err
    assert words in said
    assert said.count("\n") == 1
