"""`twinos memory`: the view agrees with itself, and with the accounts."""

import re

import pytest

from lab import cli


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["memory", *arguments]) == 0
    return capsys.readouterr().out


def steps_of(shown: str) -> list[str]:
    return re.split(r"^\d+\. ", shown, flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_what_is_drawn_is_what_is_counted(kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    steps = steps_of(printed(capsys, "--kernel", kernel))
    assert len(steps) == 14
    for step in steps:
        (frames,) = re.findall(r"^frames \(16\)\n {4}(\S{16})$", step, re.MULTILINE)
        free, slots = map(
            int, re.findall(r"^free: (\d+) of 16 .* (\d+) of 64", step, re.MULTILINE)[0]
        )
        assert frames.count("-") == free
        spaces = re.split(r"^(?=[AB] \w+: )", step.split("frames (16)")[0], flags=re.MULTILINE)[1:]
        for space in spaces:
            drawn = "".join(re.findall(r"^ {4}([#+=~s.]+)$", space, re.MULTILINE))
            pages, resident, swapped = map(
                int, re.findall(r": (\d+) pages, (\d+) in frames .*, (\d+) swapped", space)[0]
            )
            assert len(drawn) == pages
            assert len(drawn) - drawn.count("s") - drawn.count(".") == resident
            assert drawn.count("s") == swapped
    assert "-" * 16 in steps[-1]
    assert (free, slots) == (16, 64)


def test_both_kernels_show_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (printed(capsys, "--kernel", k) for k in ("monolithic", "microkernel"))
    assert one == other
    assert one == printed(capsys)


def test_one_step_and_all_of_them_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    steps = steps_of(printed(capsys))
    assert steps_of(printed(capsys, "--step", "5")) == [steps[4]]
    live = printed(capsys, "--live", "0")
    assert live.count("frames: a letter") == 14
    assert "\x1b" not in live  # this is no terminal


@pytest.mark.parametrize("policy", ["fifo", "random", "working-set", "ageing", "second-chance"])
def test_whatever_the_policy_and_the_number_of_frames(
    policy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    last = steps_of(printed(capsys, "--policy", policy, "--frames", "9", "-s", "3"))[-1]
    assert "free: 9 of 9 frames, 64 of 64 slots; promised: 0 of" in last


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kernel", "monolitic"], "did you mean 'monolithic'?"),
        (["--policy", "optimal"], "no real system can have the policy 'optimal'."),
        (["--policy", "clok"], "did you mean 'clock'?"),
        (["--step", "15"], "there are steps 1 to 14, not 15."),
        (["--step", "0"], "there are steps 1 to 14, not 0."),
    ],
)
def test_refusals(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["memory", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--frames", "5"], ["--frames", "x"], ["--live", "-1"]])
def test_what_is_no_number(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["memory", *arguments])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
