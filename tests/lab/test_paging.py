"""`twinos paging`: experiments and exercises."""

from pathlib import Path

import pytest

from lab import cli
from lab.references import PATTERNS, read_trace
from lab.refusal import Refusal


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["paging", *arguments]) == 0
    return capsys.readouterr().out


def test_beladys_anomaly_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, "--string", "belady", "--policy", "fifo", "--frames", "3-4").split("\n")
    assert [row.split() for row in rows[-3:-1]] == [["3", "9"], ["4", "10"]]


def test_all_policies_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "--length", "300")
    for name in ("ageing", "clock", "fifo", "optimal", "random", "second-chance", "working-set"):
        assert name in shown
    assert len(shown.splitlines()) == 4 + 9
    assert shown == printed(capsys, "--length", "300", "-s", "0")
    assert shown != printed(capsys, "--length", "300", "-s", "1")


def test_an_exercise_hides_what_its_solution_shows(capsys: pytest.CaptureFixture[str]) -> None:
    asked = printed(capsys, "--policy", "clock", "--ask", "-s", "7")
    answered = printed(capsys, "--policy", "clock", "--reveal", "-s", "7")
    assert asked.splitlines()[0] == answered.splitlines()[0]
    assert "Which references fault?" in asked
    assert "faults of" not in asked
    assert "faults of 12 references" in answered


def test_a_trace_of_accesses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    trace.write_text("==1== lackey\n# ours\n\nI  0x1000,4\n L 1fff,1\n S 0x2000,8\n3\nM 3abc,4\n")
    assert read_trace(trace.read_text().splitlines(), "t") == [1, 1, 2, 3, 3]
    shown = printed(capsys, "--trace", str(trace), "--policy", "fifo", "--frames", "1")
    assert shown.split()[-2:] == ["1", "3"]


@pytest.mark.parametrize("line", ["x", "R", "R zz", "Q 0x10", "-4", "R -1", "1 2 3"])
def test_what_is_no_reference_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(Refusal, match=r"^t:2: .* is no reference\.$"):
        read_trace(["1", line], "t")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "fif"], "did you mean 'fifo'?"),
        (["--string", "zip"], "did you mean 'zipf'?"),
        (["--trace", "/no/where"], "/no/where can't be read: No such file or directory."),
        (["--trace", "/dev/null"], "/dev/null has no references."),
    ],
)
def test_refusals(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["paging", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("frames", ["0", "x", "4-3", "-1", "1-99999999999"])
def test_no_number_of_frames(frames: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["paging", f"--frames={frames}"])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", PATTERNS)
def test_a_string_has_the_length_and_the_pages_asked_for(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(capsys, "--string", name, "--pages", "1", "--length", "12", "--frames", "9")
    pages = 5 if name == "belady" else 1
    assert shown.startswith(f"faults of 12 references to {pages} pages;")
