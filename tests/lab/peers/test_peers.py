"""The comparison with other file systems: that it measures what it says, and leaves nothing."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from lab import cli, placement
from lab.peers import alone, measure, mixes, mounts, report
from lab.peers.measure import (
    BASE,
    BINDFS,
    MFUSEPY,
    MICROKERNEL,
    MONOLITHIC,
    OPERATIONS,
    Measured,
    Peer,
)
from lab.peers.mixes import by_descriptors

ALL = {BASE, MONOLITHIC, MICROKERNEL, "fsspec memory", "MemoryFS", MFUSEPY, BINDFS}


@pytest.fixture(autouse=True)
def _shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured alone takes seconds."""
    monkeypatch.setattr(alone, "FILES", 30)
    monkeypatch.setattr(alone, "MANY", 300)
    monkeypatch.setattr(alone, "ROUNDS", 1)


@pytest.fixture(autouse=True)
def _where_it_was() -> Any:
    """Measuring pins the process."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def traces() -> list[str]:
    mounted = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return [line for line in mounted if "twinos-peers" in line] + [
        name
        for name in os.listdir("/dev/shm")  # noqa: S108 (the host's tmpfs)
        if name.startswith("twinos-peers")
    ]


def test_every_peer_is_measured_or_said_to_be_missing() -> None:
    run = measure.measure(2, 1, placement.choose("one"))
    assert {*run.times, *run.missing} == ALL
    assert {BASE, MONOLITHIC, MICROKERNEL, "fsspec memory"} <= run.times.keys()
    for times in run.times.values():
        assert list(times) == list(OPERATIONS)
        assert all(len(values) == 2 and min(values) > 0 for values in times.values())
    assert run.alone.keys() == {MONOLITHIC, MICROKERNEL}
    assert all(min(*found.lookup, *found.imported) > 0 for found in run.alone.values())
    text = report.render(run)
    assert "monolithic: files imported a second" in text
    for name, why in run.missing.items():
        assert f"Left out: {name}, because {why}." in text
    assert json.loads(report.to_json(run))["times"].keys() == run.times.keys()
    assert traces() == []


def test_the_score_is_a_geometric_mean_round_by_round() -> None:
    times = {
        BASE: {name: [100.0, 300.0] for name in OPERATIONS},
        MONOLITHIC: {name: [50.0, 600.0] for name in OPERATIONS},
    }
    times[MONOLITHIC]["stat"] = [50.0 / 2**10, 600.0]
    run = Measured(times, {MFUSEPY: "it is away"}, 1)
    assert run.scores(MONOLITHIC) == pytest.approx([4.0, 0.5])
    assert run.scores(BASE) == pytest.approx([1.0, 1.0])
    text = report.render(run)
    assert "monolithic / tmpfs" in text
    assert "microkernel / mfusepy" not in text
    assert "Left out: mfusepy, because it is away." in text


def test_what_is_imported_is_the_standard_library() -> None:
    found = [entry.path for entry in alone._library()]
    assert len(found) == 30
    assert "abc.py" in found
    assert not any("site-packages" in path or "__pycache__" in path for path in found)


def test_missing_peers_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(mounts, "find_spec", lambda _: None)
    monkeypatch.setitem(__import__("sys").modules, "fs.memoryfs", None)
    run = measure.measure(1, 1, placement.choose("one"))
    assert run.missing.keys() == {"MemoryFS", MFUSEPY, BINDFS}
    assert "fusermount3" in run.missing[BINDFS] or "/dev/fuse" in run.missing[BINDFS]


def test_a_mix_that_does_not_do_its_work_is_found_out(tmp_path: Path) -> None:
    mix = by_descriptors(os)
    lazy = Peer(mix._replace(write_large=mix.create), str(tmp_path / "mix"))
    measure.prepare(lazy)
    with pytest.raises(AssertionError, match="is not what was put there"):
        measure.check(lazy)


def test_a_large_file_is_whole(tmp_path: Path) -> None:
    by_descriptors(os).write_large(str(tmp_path / "large"))
    assert (tmp_path / "large").read_bytes() == b"".join(mixes.PARTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peers"], "twinos bench files --peers"),
        (["null", "--peers"], "twinos bench files --peers"),
        (["files", "--peers", "--kernel", "microkernel"], "takes no --kernel"),
        (["files", "--peers", "--boots", "3"], "takes no --boots"),
        (["files", "--peers", "--placement", "two"], "on one processor"),
    ],
)
def test_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *arguments]) == 2
    assert said in capsys.readouterr().err
