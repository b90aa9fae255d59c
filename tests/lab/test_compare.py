"""Comparing runs: what changed is found, what did not is not, and the host is told apart."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from lab import compare, schema
from tests.lab.conftest import Cli
from tests.lab.runs import made_up

NAMES = ["null", "stat"]


def test_the_same_again_is_no_change() -> None:
    wrong = 0
    for seed in range(10):
        found = compare.changes(made_up(NAMES, seed=seed), made_up(NAMES, seed=seed + 100))
        assert len(found) == 4
        wrong += sum(each.verdict != "no change shown" for each in found)
        assert not any(each.counts_changed for each in found)
    assert wrong <= 4, "of 40"


def test_what_got_slower_is_found_with_its_effect() -> None:
    found = compare.changes(made_up(NAMES), made_up(NAMES, us=1.3, seed=2))
    for each in found:
        assert each.verdict == "slower"
        assert each.effect == 1
        assert each.ratio == pytest.approx(1.3, rel=0.05)
        assert each.interval is not None
        assert each.interval[0] < 1.3 < each.interval[1] * 1.05
    under = [each for each in found if each.over is not None]
    assert [each.over_verdict for each in under] == ["no change shown"] * 2, "the host got slower"


def test_what_only_one_kernel_gained_is_told_from_the_host() -> None:
    found = compare.changes(made_up(NAMES, factor=5), made_up(NAMES, factor=4, seed=2))
    by_kernel = {each.row.kernel: each for each in found if each.row.workload == "null"}
    assert by_kernel["monolithic"].verdict == "no change shown"
    assert by_kernel["microkernel"].verdict == "faster"
    assert by_kernel["microkernel"].over_verdict == "faster"


def test_too_few_boots_are_said() -> None:
    found = compare.changes(made_up(NAMES, boots=3), made_up(NAMES, us=2, boots=3))
    assert {each.verdict for each in found} == {"too few boots"}


def test_a_sure_change_that_is_tiny_is_none() -> None:
    found = compare.changes(made_up(NAMES, noise=0.001), made_up(NAMES, us=1.01, noise=0.001))
    assert {each.verdict for each in found} == {"no change shown"}


def test_changed_counts_are_told() -> None:
    old = made_up(["null"])
    rows = tuple(replace(row, messages_per_op=row.messages_per_op + 2) for row in old.rows)
    assert all(each.counts_changed for each in compare.changes(old, replace(old, rows=rows)))


def test_the_command(inside: Cli, tmp_path: Path) -> None:
    schema.save(made_up(NAMES), tmp_path / "a.json")
    schema.save(made_up([*NAMES, "fork-64"], us=1.5, seed=2), tmp_path / "b.json")
    shown = inside("compare", "a.json", "b.json", "--changed")
    assert shown.returncode == 0, shown.stderr
    assert "µs: 4 slower." in shown.stdout
    assert "Ratios: 2 no change shown." in shown.stdout
    assert "fork-64" in shown.stdout.splitlines()[-2]
    assert "+1.00" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.json", "a.json"], "A and B are one and the same run."),
        (["a.json", "other.json"], "they are of different hosts"),
        (["a.json", "none.json"], "the runs have no workload in common"),
        (["a.json"], "the following arguments are required: B"),
    ],
)
def test_bad_input(arguments: list[str], sentence: str, inside: Cli, tmp_path: Path) -> None:
    run = made_up(["null"])
    schema.save(run, tmp_path / "a.json")
    schema.save(made_up(["stat"]), tmp_path / "none.json")
    elsewhere = replace(run.environment, cpu_model="another")
    schema.save(replace(run, environment=elsewhere), tmp_path / "other.json")
    shown = inside("compare", *arguments)
    assert shown.returncode == 2
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1
