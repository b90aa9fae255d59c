"""Mutants: how they are made, what becomes of them, and whether the judge can be trusted."""

import ast
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lab import cli
from lab.dispatch import ROOT
from lab.faults.history import Step
from lab.mutants.campaign import Workers, order
from lab.mutants.judge import KILLED, Ended, Judged, Outcome, outcome
from lab.mutants.kinds import KINDS
from lab.mutants.mutant import MARK, Mutant, compiled, mutants, sources
from lab.mutants.places import places
from lab.mutants.script import Answer, steps
from lab.mutants.worker import Result, Survey, Task
from lab.refusal import Failure
from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.conftest import eventually

KERNELS = ("monolithic", "microkernel")
SERVICE = ROOT / "servers/disk/service.py"
IMAGE = ROOT / "servers/disk/image.py"


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where trials have their files; nothing is left there."""
    made = tmp_path_factory.mktemp("trials")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(made))
        yield made
    assert not list(made.iterdir())


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[Workers]:
    assert folder
    with Workers(most=1) as one:
        yield one


def the(path: Path, kind: str, before: str, after: str) -> Mutant:
    """The one mutant that makes this of that."""
    found = [m for m in mutants(path) if (m.kind, m.before, m.after) == (kind, before, after)]
    assert len(found) == 1, found
    return found[0]


def test_a_services_code_is_its_package() -> None:
    names = {path.name for path in sources(Disk)}
    assert {"service.py", "image.py", "medium.py"} <= names
    assert all("/servers/filesystem/" in str(path) for path in sources(FileSystem))


def test_every_mutant_has_a_name_of_its_own_and_differs() -> None:
    found = [
        m for service in (Disk, FileSystem) for path in sources(service) for m in mutants(path)
    ]
    assert len(found) > 5000
    assert len({m.id for m in found}) == len(found)
    assert {m.kind for m in found} == set(KINDS)
    for mutant in found:
        assert mutant.before != mutant.after


def test_every_mutant_can_be_compiled_and_changes_one_place() -> None:
    for path in (SERVICE, ROOT / "servers/filesystem/rename.py"):
        plain = all_names(compile(path.read_text(), str(path), "exec"))
        for mutant in list(mutants(path))[::7]:
            assert MARK in all_names(compiled(mutant))
        assert MARK not in plain


def all_names(code: object) -> set[str]:
    names: set[str] = set(getattr(code, "co_names", ()))
    for constant in getattr(code, "co_consts", ()):
        names |= all_names(constant) if hasattr(constant, "co_names") else set()
    return names


def test_what_is_left_alone() -> None:
    source = '''
LIMIT = 3
@mark(7)
def f(a: int = 5, *b: "str") -> int:
    """Says 8."""
    c: int = 9
    def g(d=1): return d
    return f"{c + 2}"
'''
    told = {ast.unparse(place.node) for place in places(ast.parse(source))}
    assert {"9", "d", "return d", "f'{c + 2}'"} <= told
    assert not told & {"3", "7", "5", "'Says 8.'", "2", "1", "int", "'str'"}


def test_the_order_is_seeded_and_mixes_the_kinds() -> None:
    found = list(mutants(IMAGE))
    first = [m.kind for m in order(found, 1)][: len(KINDS)]
    assert sorted(first) == sorted(KINDS)
    assert list(order(found, 1)) == list(order(found, 1)) != list(order(found, 2))
    assert sorted(m.id for m in order(found, 3)) == sorted(m.id for m in found)


CASES = {
    "survives": (
        (SERVICE, "off", "if total * self._size > TRANSFER:", "if total * self._size >= TRANSFER:"),
        ("survived", "survived"),
    ),
    "answers wrongly": (
        (ROOT / "servers/filesystem/volume.py", "drop", "self.table.hide(inode)", "pass"),
        ("wrong answer", "wrong answer"),
    ),
    "fails": (
        (SERVICE, "flip", "if rest:", "if not rest:"),
        ("error", "error"),
    ),
    "dies": (
        (
            SERVICE,
            "swap",
            "self._medium.write(block * self._size, view[:length])",
            "self._medium.write(view[:length], block * self._size)",
        ),
        ("system down", "restarted"),
    ),
    "loops": (
        (SERVICE, "loop", "view = view[length:]", "while True:\n    pass"),
        ("system hangs", "hung and killed"),
    ),
    "returns garbage": (
        (SERVICE, "garbage", "return count", "return garbage(count)"),
        ("error", "error"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_mutant_comes_to(name: str, workers: Workers) -> None:
    asked, expected = CASES[name]
    service = "Disk" if asked[0] == SERVICE else "FileSystem"
    results = workers.results(Task(the(*asked), service, 0, KERNELS))
    assert [str(result.outcome) for result in results] == list(expected), results
    assert all(result.reached for result in results)


def test_what_the_clients_reach(workers: Workers) -> None:
    found = workers.survey("Disk", 0)
    assert 20 < len(found) < len([m for path in sources(Disk) for m in mutants(path)])
    assert all(m.inside != "Disk.__init__" for m in found)  # it had booted before
    assert len(workers.survey("FileSystem", 0)) > 1000


def test_the_microkernel_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["mutants", "--count", "8", "--seed", "5", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    results = [msgspec.json.decode(line, type=Result) for line in lines]
    assert len(results) == 16
    for one, other in zip(results[::2], results[1::2], strict=True):
        assert (one.mutant, one.kernel, other.kernel) == (other.mutant, *KERNELS)
        assert one.reached
        assert other.reached
        assert other.outcome not in {Outcome.DOWN, Outcome.HANG}, other


def test_the_table_and_one_mutant(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["mutants", "--service", "Disk", "--kind", "swap", "--count", "1"]
    assert cli.main(asked) == 0
    said = capsys.readouterr().out
    assert "arguments swapped" in said
    assert said.endswith("1 mutants, each carried out under every kernel that was tried.\n")
    mutant = the(*CASES["dies"][0])
    assert cli.main(["mutants", "--show", mutant.id]) == 0
    said = capsys.readouterr().out
    assert said.startswith(mutant.diff)
    assert "monolithic: system down\n" in said
    assert "microkernel: restarted\n" in said


FINE = Ended(waits=False, stands=True)
TOUR = [Step("newcomer", 0, "/t")]
RIGHT = [Answer(told=("yes",))]
PUT = [Step("put", 0, "/f", 7), Step("get", 0, "/f")]


@pytest.mark.parametrize(
    ("answer", "ended", "kernel", "expected"),
    [
        (Answer(told=("yes",)), FINE, "microkernel", Outcome.SURVIVED),
        (Answer(told=("no",)), FINE, "microkernel", Outcome.WRONG),
        (Answer(told=()), FINE, "microkernel", Outcome.WRONG),
        (Answer(error="OSError: x"), FINE, "microkernel", Outcome.ERROR),
        (Answer(told=("no",)), Ended(False, True, restarts=1), "microkernel", Outcome.RESTARTED),
        (Answer(told=("no",)), Ended(False, True, 1, hung=1), "microkernel", Outcome.KILLED),
        (Answer(), Ended(False, True, 5, given_up=True), "microkernel", Outcome.GIVEN_UP),
        (Answer(), Ended(True, True), "microkernel", Outcome.WAITS),
        (Answer(), Ended(True, False), "microkernel", Outcome.HANG),
        (Answer(), None, "microkernel", Outcome.HANG),
        (Answer(error="KernelPanic: x"), Ended(True, False), "monolithic", Outcome.DOWN),
        (RIGHT[0], Ended(False, True, closing=KILLED), "microkernel", Outcome.KILLED),
        (RIGHT[0], Ended(False, True, closing=KILLED), "monolithic", Outcome.HANG),
        (RIGHT[0], Ended(False, True, closing="ServerDied: x"), "monolithic", Outcome.DOWN),
        (RIGHT[0], Ended(False, True, closing="ServerDied: x"), "microkernel", Outcome.RESTARTED),
    ],
)
def test_the_judge(answer: Answer, ended: Ended | None, kernel: str, expected: Outcome) -> None:
    assert outcome(Judged(TOUR, RIGHT, [answer]), ended, kernel) is expected


def test_a_file_that_was_lost_without_any_error_is_a_wrong_answer() -> None:
    kept, gone = [Answer(), Answer(7)], [Answer(), Answer(0)]
    assert Judged(PUT, kept, kept).wrong == 0
    assert Judged(PUT, kept, gone).wrong == 1


def test_the_steps_are_seeded() -> None:
    assert steps(1) == steps(1) != steps(2)
    assert sum(step.action == "newcomer" for step in steps(1)) > 5


def test_a_worker_that_has_died_is_ended_in_good_order() -> None:
    with Workers(most=1) as one:
        process = one._idle.get()
        process._process.kill()
        process._process.wait()
        with pytest.raises(Failure, match="with a task undone"):
            process.ask(Survey("Disk", 0))


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab", "mutants", "--kind", "loop", "--count", "50"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as campaign:
        eventually(lambda: any(tmp_path.glob("*/image")), "a trial runs")
        campaign.send_signal(signal.SIGINT)
        _, said = campaign.communicate(timeout=40)
    assert campaign.returncode == cli.INTERRUPTED
    assert said.endswith("twinos: interrupted.\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--service", "disk"], "did you mean 'Disk'?"),
        (["--kind", "flop"], "there is no kind of mistake 'flop'"),
        (["--kernel", "hybrid"], "there is no kernel to try 'hybrid'"),
        (["--count", "0"], "no whole number above 0"),
        (["--show", "servers/disk/service.py:1:1:drop"], "there is no mutant"),
        (["--show", "x", "--json"], "not allowed with"),
    ],
)
def test_what_there_is_not_is_refused(
    asked: list[str], words: str, refused: Callable[..., str]
) -> None:
    said = refused("mutants", *asked)
    assert words in said
