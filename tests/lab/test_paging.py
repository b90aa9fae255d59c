"""`twinos paging`: experiments and exercises."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab import cli
from lab.references import PATTERNS, lines_of, read_trace
from lab.refusal import Refusal
from servers.memory.policies import policies
from workloads.paged import PROGRAMS


def test_a_record_that_can_not_be_written_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["paging", "--string", "belady", "--record", "/no/where"]) == 1
    assert "/no/where can't be written: No such file" in capsys.readouterr().err


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["paging", *arguments]) == 0
    return capsys.readouterr().out


def test_beladys_anomaly_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, "--string", "belady", "--policy", "fifo", "--frames", "3-4").split("\n")
    assert [row.split() for row in rows[-3:-1]] == [["3", "9"], ["4", "10"]]


def test_all_policies_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "--length", "300")
    for name in policies():
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


def test_a_line_without_an_end_is_refused_before_memory_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["paging", "--trace", "/dev/zero"]) == 2
    assert "/dev/zero:1: " in capsys.readouterr().err
    with open("/dev/zero", encoding="utf-8") as endless:
        assert len(next(lines_of(endless))) == 4096


def test_the_classic_curve_is_plotted_in_letters(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(
        capsys, "--string", "belady", "--policy", "fifo", "--policy", "optimal", "--plot",
        "--frames", "1-5",
    )  # fmt: skip
    lines = shown.splitlines()
    assert lines[-2] == "f fifo, o optimal, * several"
    assert lines[-1] == "fifo: 10 faults in 4 frames, 9 in 3"
    rows = [line.partition("|")[2] for line in lines if "|" in line]
    assert rows[0][0] == "*"  # with one frame all fault always
    columns = {column: [row[column : column + 1].strip() for row in rows] for column in (12, 18)}
    fifo = {column: letters.index("f") for column, letters in columns.items()}
    assert fifo[18] < fifo[12]  # higher with four frames than with three


def test_it_is_drawn_into_a_file(tmp_path: Path) -> None:
    for name, start in (("plot.svg", b"<?xml"), ("plot.png", b"\x89PNG")):
        command = [sys.executable, "-m", "lab", "paging", "--string", "belady", "--plot"]
        done = subprocess.run([*command, tmp_path / name], check=True, capture_output=True)
        assert done.stdout == b""
        assert (tmp_path / name).read_bytes().startswith(start)
    assert b"second-chance" in (tmp_path / "plot.svg").read_bytes()


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_the_real_memory_manager_faults_as_often(
    kernel: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = printed(
        capsys, "--live", kernel, "--string", "belady", "--frames", "3-4", "--policy", "fifo",
        "--policy", "optimal", "--policy", "ageing",
    )  # fmt: skip
    assert [row.split()[1:] for row in shown.splitlines() if "fifo" in row] == [
        ["3", "9", "9"],
        ["4", "10", "10"],
    ]
    assert "optimal" not in shown
    assert shown.endswith("the two agree\n")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_recorded_and_its_trace_gives_the_same(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = str(tmp_path / "trace")
    frames = ("--frames", "3", "--policy", "clock")
    real = printed(capsys, "--program", name, "--record", trace, *frames)
    assert real == printed(capsys, "--trace", trace, *frames)
    again = str(tmp_path / "again")
    printed(capsys, "--trace", trace, "--record", again, *frames)
    assert real == printed(capsys, "--trace", again, *frames)


def test_going_across_the_rows_costs_more_when_memory_is_short(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = [
        int(printed(capsys, "--program", name, "--policy", "clock", "--frames", "4").split()[-1])
        for name in ("rows", "columns")
    ]
    assert counts[1] > 20 * counts[0]


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
        (["--program", "row"], "did you mean 'rows'?"),
        (["--live", "micro"], "there is no kernel to run live 'micro'"),
        (["--live", "--policy", "optimal"], "no real system can have"),
        (["--plot", "x.gif"], "ends in .svg or .png, not 'x.gif'."),
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
