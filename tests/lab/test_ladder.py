"""`twinos ladder`: every rung stands, and what is shown adds up."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kernels.frames import LARGE
from lab.commands.ladder import BYTES
from lab.ladder import aims, loopback, peers, show
from lab.ladder.measure import Ladder, Step
from tests.lab.test_cli import TWINOS, environment

ROOT = Path(__file__).parents[2]


def ladder(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TWINOS, "ladder", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("sizes", "drawn"), [((0,), "x.png"), (BYTES, "x.svg")], ids=["nothing", "by default"]
)
def test_every_rung_stands(sizes: tuple[int, ...], drawn: str, tmp_path: Path) -> None:
    asked = [] if sizes == BYTES else [f"--bytes={size}" for size in sizes]
    done = ladder("--quick", "--json", "--plot", drawn, *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / drawn).read_bytes().startswith((b"<?xml", b"\x89PNG"))
    climbed = [msgspec.json.decode(line, type=Ladder) for line in done.stdout.splitlines()]
    assert [each.bytes for each in climbed] == list(sizes)
    for each in climbed:
        names = [step.name for step in each.steps]
        assert names[:2] == ["method call", "checked call"]
        assert ("encoded call" in names) == (each.bytes < LARGE)
        assert any("grant" in name for name in names) == (each.bytes >= LARGE)
        assert any("routed" in name for name in names)
        assert all(step.over in names for step in each.steps[1:])
        assert all(step.us > 0 for step in each.steps)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--bytes", "-1"], "'-1' is no number of bytes"),
        (["--bytes", "99999999"], "'99999999' is no number of bytes"),
        (["--plot", "x.gif"], "ends in .svg or .png"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    refused = ladder(*arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("size", [0, 9, 700, 5000])
def test_what_is_said_comes_back_without_a_second_process(size: int) -> None:
    data = bytes(range(256)) * 20
    assert loopback.encoded()(data[:size]) == data[:size]
    with loopback.thread() as say:
        assert say(data[:size]) == data[:size]


EXAMPLE = Ladder(
    host="here",
    bytes=64,
    slices=3,
    user_cpu=1,
    server_cpu=0,
    steps=(
        Step(name="method call", us=0.5, quartiles=(0.4, 0.6)),
        Step(
            name="pipe, one CPU",
            us=8.0,
            quartiles=(7.0, 9.0),
            over="method call",
            host=4.0,
            encoding=2.0,
            copying=1.0,
        ),
        Step(name="pigeons", us=800.0, quartiles=(700.0, 900.0), peer=True),
    ),
    missing={"owls": "pip install owls"},
    load=(0.1, 0.2),
)


def test_shares_and_differences() -> None:
    shown = show.render(EXAMPLE)
    assert "+7.5" in shown
    (pipe,) = (line for line in shown.splitlines() if line.startswith("pipe, one CPU"))
    assert pipe.split()[-4:] == ["50%", "25%", "12%", "12%"]
    assert "100.0" in shown
    assert "not here: owls (pip install owls)" in shown


def test_peers_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("zmq", "grpc"):
        monkeypatch.setitem(sys.modules, package, None)
        start = {"zmq": peers._zmq, "grpc": peers._grpc}[package]
        with pytest.raises(peers.Absent, match="twinos"), start():
            pytest.fail("it is not here")


@pytest.mark.parametrize("start", [peers._pipe, peers._manager, peers._pool])
def test_peers_give_back_what_they_get(start: object) -> None:
    program = (
        "from lab.ladder import peers\n"
        f"with peers.{start.__name__}() as say:\n"  # type: ignore[attr-defined]  # a function
        "    assert say(b'x' * 99) == b'x' * 99\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_aims_are_printed_beside_what_is(tmp_path: Path) -> None:
    done = ladder("--quick", "--aims", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    head, _, *rows = done.stdout.splitlines()
    assert head.split("  ")[0] == "what / over what"
    assert len(rows) >= 6
    assert all(row.split()[-1] in {"yes", "no"} for row in rows)


def test_an_aim_is_a_median_of_pairs() -> None:
    aim = aims.Aim("one / other", lambda: None, lambda: None, 0.5)
    standing = aims._standing(aim, [(1.0, 2.0), (3.0, 4.0), (9.0, 10.0)])
    assert standing[:4] == ("one / other", 3.0, 4.0, 0.75)
    assert aims.render([standing]).splitlines()[-1].endswith("no")


def test_the_report_has_it_climbed() -> None:
    pytest.importorskip("matplotlib")
    from lab.report.steps import climb

    assert climb(quick=True).steps
