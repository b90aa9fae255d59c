"""A class: tables, histograms, and who resembles whom."""

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lab.grading.assignment import Assignment
from lab.grading.likeness import RUN, WINDOW, alike, fingerprints
from lab.grading.report import histogram
from tests.lab.grading.dice import dice
from tests.lab.grading.work import LABS, lab

SOLUTION = LABS["reincarnation"].reference["reincarnation.py"]
START = LABS["reincarnation"].start["reincarnation.py"]
OTHER = LABS["files"].reference["volume.py"]


def disguised(text: str) -> str:
    """The same with other names, numbers, comments and blank lines."""
    for old, new in (("ward", "thing"), ("policy", "rules"), ("_bear", "_make"), ("now", "t")):
        text = re.sub(rf"\b{old}\b", new, text)
    return re.sub(r"^( +)(return|if|for)", r"\1# mine\n\n\1\2", text, flags=re.MULTILINE)


def test_a_copy_is_found_whatever_it_is_called() -> None:
    (pair,) = alike({"ada": SOLUTION, "bob": disguised(SOLUTION), "eve": OTHER}, START)
    assert {pair.one, pair.other} == {"ada", "bob"}
    assert pair.share > 0.8


def test_what_all_were_given_counts_for_nobody() -> None:
    assert fingerprints(START)
    assert alike({"ada": START, "bob": START}, START) == []
    assert alike({"ada": SOLUTION, "bob": START}, START) == []


@given(st.lists(st.sampled_from("abcd+-*/()=:,"), min_size=60, max_size=120), st.integers(0, 40))
def test_what_two_share_shares_a_fingerprint(symbols: list[str], before: int) -> None:
    """The guarantee of winnowing, for every run of `RUN + WINDOW - 1` tokens."""
    shared = [each for each in symbols if each.isalpha() is False][: RUN + WINDOW]
    if len(shared) < RUN + WINDOW - 1:
        return
    common = " ".join(shared).replace("(", "+").replace(")", "+")  # no bracket is left open
    one, other = f"{'x + ' * before}{common}", f"{common} {'- 3' * 20}"
    assert fingerprints(one) & fingerprints(other)


@given(st.lists(st.integers(0, 27), min_size=1, max_size=200))
def test_a_histogram_counts_everybody_once(scores: list[int]) -> None:
    counts = [int(line.split()[3]) for line in histogram(scores, 27).splitlines()]
    assert sum(counts) == len(scores)


def test_a_report(tmp_path: Path) -> None:
    labs = dice(tmp_path)
    right = Assignment(labs / "dice").reference["dice.py"]
    works = {"ada": right, "bob": right.replace("found", "largest").replace("found + ", "0 + ")}
    works["cem"] = right.replace("return sum_so_far", "return 3 if rolls else 0")
    for student, text in works.items():
        (tmp_path / "class" / student).mkdir(parents=True)
        (tmp_path / "class" / student / "dice.py").write_text(text)
    (tmp_path / "class" / "eve").mkdir()
    out = tmp_path / "report.json"
    words = ["--lab", "dice", "--labs", str(labs), "--json", str(out)]
    done = lab("report", str(tmp_path / "class"), *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text())
    scores = {each["student"]: each["score"] for each in told["submissions"]}
    assert scores == {"ada": 3, "bob": 3, "cem": 3, "eve": 0}
    assert "is not there" in done.stdout
    assert "4 submissions" in done.stdout
    assert "median 3, mean 2.2, of 3" in done.stdout
    assert {"one": "ada", "other": "bob", "share": 1.0}.items() <= told["alike"][0].items()


def test_a_report_of_nobody(tmp_path: Path) -> None:
    assert "has no folders" in lab("report", str(tmp_path)).stderr
    assert "is no folder of submissions" in lab("report", str(tmp_path / "x")).stderr
