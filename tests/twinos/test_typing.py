"""The type checker sees services as clients do: a file of right and wrong calls shows it."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("typing_cases.py")
ERROR = re.compile(r"^.*typing_cases\.py:(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)
EXPECTED = re.compile(r"# E: ([a-z-]+)")


def test_right_calls_pass_and_wrong_calls_do_not() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--config-file=", str(CASES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode in {0, 1}, checked.stdout + checked.stderr
    found = Counter((int(line), code) for line, code in ERROR.findall(checked.stdout))
    expected = Counter(
        (number, code)
        for number, line in enumerate(CASES.read_text().splitlines(), 1)
        for code in EXPECTED.findall(line)
        if not line.startswith("A line")
    )
    assert len(expected) > 20
    assert found == expected, checked.stdout
