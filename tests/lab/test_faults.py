"""Faults: what each comes to under both kernels, by a judge that is tried itself."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import cli
from lab.faults.campaign import Result, attempt, fresh_image, goodput, plan
from lab.faults.cell import Cell
from lab.faults.history import ABSENT, EMPTY, GARBAGE, Done, Step, content, version_of
from lab.faults.judge import Model, Outcome
from lab.faults.kinds import KINDS, suits
from lab.faults.script import script
from tests.conftest import eventually

SHORT_S = 2.5
PATIENT_S = 30.0
"""For what is no hang, however busy the host is."""
DOWN, HANG, ERROR = Outcome.DOWN, Outcome.HANG, Outcome.ERROR
RECOVERED, UNNOTICED, WRONG = Outcome.RECOVERED, Outcome.UNNOTICED, Outcome.WRONG

# What does not depend on the request that is hit: under the monolithic kernel, the microkernel.
CERTAIN = {
    ("exception", "Disk"): (DOWN, RECOVERED),
    ("kill", "Disk"): (DOWN, RECOVERED),
    ("exit", "Disk"): (DOWN, RECOVERED),
    ("hang", "Disk"): (HANG, RECOVERED),
    ("loop", "Disk"): (HANG, RECOVERED),
    ("slow", "Disk"): (UNNOTICED, UNNOTICED),
    ("slow", "FileSystem"): (UNNOTICED, UNNOTICED),
    ("block", "Disk"): (ERROR, ERROR),
    ("full", "Disk"): (ERROR, ERROR),
}
# FileSystem's memory does not survive it: what was not synced is lost, or there was none.
FILES = ["exception", "kill", "exit", "malformed"]


@pytest.fixture(scope="module")
def image() -> bytes:
    return fresh_image()


@pytest.fixture(autouse=True)
def no_folder_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.iterdir())


def tried(kernel: str, service: str, kind: str, image: bytes, seed: int = 1) -> Result:
    (trial,) = plan([kernel], [service], [kind], 1, seed)
    hangs = kernel == "monolithic" and kind in {"hang", "loop", "wild", "leak", "descriptors"}
    result = attempt(trial, image, SHORT_S if hangs else PATIENT_S)
    assert result.struck
    return result


@pytest.mark.parametrize(("kind", "service"), CERTAIN)
@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_what_a_fault_comes_to(kernel: str, service: str, kind: str, image: bytes) -> None:
    result = tried(kernel, service, kind, image)
    assert result.outcome is CERTAIN[kind, service][kernel == "microkernel"], result
    assert (result.corrupt, result.clean) == (0, True)
    assert result.restarts == (result.outcome is RECOVERED)
    assert (result.recovery_ms is not None) == (result.outcome in {RECOVERED, DOWN})
    assert bool(result.errors) == (result.outcome in {ERROR, DOWN})


@pytest.mark.parametrize("kind", FILES)
def test_a_file_system_that_dies_takes_the_monolithic_kernel_along(kind: str, image: bytes) -> None:
    assert tried("monolithic", "FileSystem", kind, image).outcome is DOWN
    spared = tried("microkernel", "FileSystem", kind, image)
    assert spared.outcome is RECOVERED  # its state survives: no client notices
    assert (spared.restarts, spared.lost, spared.corrupt, spared.clean) == (1, 0, 0, True)
    assert spared.errors == ()


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_a_wrong_block_is_seen_by_the_model_alone(kernel: str, image: bytes) -> None:
    result = tried(kernel, "Disk", "wrong", image, seed=4)
    assert (result.outcome, result.errors, result.restarts) == (WRONG, (), 0)
    assert result.corrupt == 1


def test_only_a_message_is_checked_for_its_type(image: bytes) -> None:
    """Between services of one space a reply is what it is: nobody looks at that of a write."""
    assert tried("microkernel", "Disk", "malformed", image).outcome is RECOVERED
    assert tried("monolithic", "Disk", "malformed", image).outcome in {DOWN, UNNOTICED}


@pytest.mark.parametrize(
    ("kind", "service"), [("leak", "Disk"), ("wild", "FileSystem"), ("descriptors", "FileSystem")]
)
def test_what_may_come_to_anything_strikes_and_ends(kind: str, service: str, image: bytes) -> None:
    for kernel in ("monolithic", "microkernel"):
        assert tried(kernel, service, kind, image).outcome in set(Outcome)


def test_a_seed_repeats(image: bytes) -> None:
    def told() -> tuple[object, ...]:
        result = tried("microkernel", "FileSystem", "exit", image, seed=7)
        return (result.outcome, result.errors, result.lost, result.corrupt)

    assert told() == told()
    assert script("1/2") == script("1/2") != script("1/3")


def test_both_kernels_get_the_same_faults() -> None:
    trials = list(plan(["monolithic", "microkernel"], ["FileSystem", "Disk"], list(KINDS), 60, 3))
    assert len(trials) == 120
    for one, other in zip(trials[::2], trials[1::2], strict=True):
        assert (one.kernel, other.kernel) == ("monolithic", "microkernel")
        assert msgspec.structs.replace(one, kernel=other.kernel) == other
        assert suits(one.kind, one.service)


@given(st.integers(1, 10_000), st.data())
def test_a_version_is_known_whole_only(version: int, data: st.DataObject) -> None:
    whole = content(version)
    assert version_of(whole) == version
    place = data.draw(st.integers(0, len(whole) - 1))
    assert version_of(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]) == GARBAGE
    assert version_of(whole[:place]) == (GARBAGE if place else EMPTY)


OK = Done(ABSENT, "", 0)
FAILED = Done(ABSENT, "OSError", 0)


def judged(*history: tuple[Step, Done]) -> tuple[int, int]:
    """Files lost and corrupt, of /f that is there in version 1."""
    model = Model.of({"/f": 1})
    model.follow([step for step, _ in history], [done for _, done in history])
    return model.lost, model.corrupt


def put(version: int) -> Step:
    return Step("put", 0, "/f", version)


def got(version: int) -> tuple[Step, Done]:
    return Step("get", 0, "/f"), Done(version, "", 0)


SYNC = Step("sync")
UNLINK = Step("unlink", 0, "/f")


@pytest.mark.parametrize(
    ("history", "lost", "corrupt"),
    [
        ([got(1)], 0, 0),
        ([got(ABSENT)], 0, 1),
        ([got(2)], 0, 1),
        ([(put(2), OK), got(2)], 0, 0),
        ([(put(2), OK), got(1)], 1, 0),
        ([(put(2), OK), (SYNC, OK), got(1)], 0, 1),
        ([(put(2), FAILED), got(1)], 0, 0),
        ([(put(2), FAILED), got(EMPTY)], 0, 0),
        ([(put(2), FAILED), got(2), got(1)], 1, 0),
        ([(put(2), FAILED), got(GARBAGE)], 0, 1),
        ([(put(2), OK), (put(3), FAILED), (SYNC, OK), got(1)], 1, 0),
        ([(put(2), OK), (SYNC, FAILED), got(1)], 1, 0),
        ([(UNLINK, OK), got(ABSENT)], 0, 0),
        ([(UNLINK, OK), got(1)], 1, 0),
        ([(UNLINK, OK), (SYNC, OK), got(1)], 0, 1),
        ([(UNLINK, FAILED), got(1)], 0, 0),
    ],
)
def test_the_judge(history: list[tuple[Step, Done]], lost: int, corrupt: int) -> None:
    assert judged(*history) == (lost, corrupt)


def test_what_is_in_flight_at_the_end_may_have_happened() -> None:
    model = Model.of({"/f": 1})
    model.follow([put(2)], [])
    model.follow([got(2)[0]], [got(2)[1]])
    assert (model.lost, model.corrupt) == (0, 0)


def test_goodput_counts_what_went_well() -> None:
    ends = [Done(ABSENT, error, at * 500_000_000) for at, error in enumerate(["", "", "E", ""], 1)]
    assert goodput(ends) == pytest.approx(2 / 1.5)
    assert goodput(ends, 250_000_000) == pytest.approx(3 / 1.75)
    assert goodput(ends[:1]) is None
    assert goodput([]) is None
    assert goodput([], 5) is None


def test_the_table_and_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["faults", "--service", "Disk", "--kind", "exit", "-s", "1"]
    assert cli.main(asked) == 0
    first, _, row, *rest = capsys.readouterr().out.splitlines()
    assert first.split() == ["service", "fault", "monolithic", "microkernel"]
    assert row.split() == ["Disk", "exit", "system", "down", "recovered"]
    assert any(line.startswith("recovery, median, ms") for line in rest)
    assert cli.main([*asked, "--json", "--kernel", "microkernel"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = msgspec.json.decode(line, type=Result)
    assert (result.outcome, result.trial.kernel) == (RECOVERED, "microkernel")
    assert result.goodput is not None
    assert result.goodput > 0


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab", "faults", "--kind", "hang", "--kernel", "monolithic"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as campaign:
        eventually(lambda: any(map(hung, tmp_path.iterdir())), "a trial hangs")
        campaign.send_signal(signal.SIGINT)
        _, said = campaign.communicate(timeout=20)
    assert campaign.returncode == cli.INTERRUPTED
    assert said.endswith("twinos: interrupted.\n")


def hung(folder: Path) -> bool:
    """Whether the fault has struck in this folder of a trial, which may not be complete yet."""
    try:
        return Cell(folder / "cell").struck > 0
    except OSError:
        return False


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--service", "disk"], "did you mean 'Disk'?"),
        (["--kind", "flood"], "there is no kind of fault 'flood'"),
        (["--kernel", "hybrid"], "there is no kernel to try 'hybrid'"),
        (["--count", "0"], "no whole number above 0"),
        (["--seed", "x"], "invalid int value"),
        (["--service", "FileSystem", "--kind", "block"], "only a disk can have such a fault"),
    ],
)
def test_what_there_is_not_is_refused(
    asked: list[str], words: str, refused: Callable[..., str]
) -> None:
    said = refused("faults", *asked)
    assert words in said
