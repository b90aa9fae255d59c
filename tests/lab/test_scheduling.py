"""`twinos scheduling`, as a class uses it."""

import pytest

from lab.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["scheduling", *arguments]) == 0
    return capsys.readouterr().out


def test_all_policies_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    table = lines[lines.index("") :]
    for policy in ("fair", "fcfs", "lottery", "priority", "rr"):
        assert any(line.lstrip().startswith(f"{policy}  0 | ") for line in lines)
        assert any(line.startswith(policy) for line in table)


def test_an_exercise_and_its_solution(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--scheduler", "rr", "-s", "7", "--workload", "convoy")
    asked = said(capsys, *arguments, "--ask")
    told = said(capsys, *arguments, "--reveal")
    assert "who has the processor" in asked
    assert "| A " not in asked
    assert "turnaround" in told
    assert told.splitlines()[:6] == asked.splitlines()[:6], "of the same tasks"


def test_inheritance_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--workload", "inversion", "--scheduler", "priority")
    assert said(capsys, *arguments) != said(capsys, *arguments, "--no-inheritance")


@pytest.mark.parametrize(
    "wrong",
    [("--scheduler", "rrr"), ("--workload", "w"), ("--quantum", "0"), ("--ask", "--reveal")],
)
def test_what_there_is_not_is_refused(
    wrong: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        raise SystemExit(main(["scheduling", *wrong]))
    assert refused.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
