"""`twinos update`: code is replaced under load, and nobody notices."""

import json

import pytest

from lab.cli import main
from lab.commands.update import told
from lab.kills.updating import GOOD, Row, Updates


def test_a_short_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    """A longer one: `twinos update --count 100`."""
    assert main(["update", "--count", "12", "--probation", "0.05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["wrong"] == found["errors"] == found["surprises"] == []
    kept = {row["kind"]: (row["updates"], row["kept"]) for row in found["rows"]}
    assert kept.pop(GOOD) == (8, 0)
    assert set(kept.values()) == {(1, 1)}
    assert len(kept) == 4
    assert found["requests"] > 100
    assert found["reboot_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Clok"], "did you mean 'Clock'"),
        (["Clock", "nowhere"], "no module 'nowhere'"),
        (["Clock"], "its state does not survive it"),
        (["FileSystem", "kernels.boot"], "is the kernels'"),
    ],
)
def test_refusals(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["update", *arguments, "--count", "1"]) == 2
    assert said in capsys.readouterr().err


def test_what_went_wrong_is_told() -> None:
    updates = Updates("Disk", (Row(GOOD, 2, 1, (1.0, 2.0)),), 9, (), (f"{GOOD}: no",), (), 1.0, 2.0)
    assert not updates.passed
    lines = [*told(updates)]
    assert f"WRONG: {GOOD}: no" in lines
    assert lines[-1] == "NOT as it must be"
