"""What a student's file may try instead of solving the lab: all of it scores nothing.

Each attack stands for the whole solution, so what is graded is the attack alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.cell import locks
from kernels.host import adopting
from lab.grading.assignment import BOTH, find
from lab.grading.trial import SAID, Case, Outcome, _children, _end, run

LAB = find("messages")
HEAD = """
import os, sys, time
from assignments.messages.contract import Board, Note
from twinos import Caller, Waits, op
"""
BODY = """
class Fake(Board):
    @op
    def pin(self, caller: Caller, text: str) -> int:
        return trick(0)
    @op
    def read(self, number: int) -> Note:
        return trick(1)
    @op
    def await_note(self, number: int) -> Waits[Note]:
        yield from ()
        return trick(1)
    @op
    def take_down(self, caller: Caller, number: int) -> None:
        return None
"""

ATTACKS = {
    "leaves with success when it is loaded": ("os._exit(0)", "None"),
    "leaves with success when it is called": ("", "os._exit(0)"),
    "raises SystemExit": ("", "sys.exit(0)"),
    "patches pytest": (
        """
import types
fake = types.ModuleType("pytest")
fake.main = fake.fail = lambda *a, **k: 0
sys.modules["pytest"] = fake
try:
    import _pytest.assertion.rewrite as rewrite
    rewrite.AssertionRewritingHook.exec_module = lambda *a: None
except Exception:
    pass
""",
        "7",
    ),
    "patches the grader": (
        """
try:
    import lab.grading.bench, lab.grading.trial, lab.grading.grader
    lab.grading.bench.Bench.expect = lambda *a: None
    lab.grading.bench.Bench.fails = lambda *a: None
    lab.grading.trial.Outcome.passed = True
    lab.grading.grader.Row.passed = True
except Exception:
    pass
""",
        "7",
    ),
    "returns what equals everything": (
        """
class Number(int):
    __eq__ = lambda *a: True
    __ne__ = lambda *a: False
    __hash__ = int.__hash__
class Anything:
    __eq__ = lambda *a: True
    __class__ = Note
""",
        "Number(7) if x == 0 else Anything()",
    ),
    "returns a text that equals everything": (
        """
class Text(str):
    __eq__ = lambda *a: True
    __ne__ = lambda *a: False
    __hash__ = str.__hash__
""",
        "Note(7, Text('x')) if x else 7",
    ),
    "raises what passes for any error": (
        """
class Number(int):
    __eq__ = lambda *a: True
    __hash__ = int.__hash__
class Any(OSError):
    errno = property(lambda self: Number(2))
""",
        "(_ for _ in ()).throw(Any())",
    ),
    "fakes the clock": (
        """
time.time = time.monotonic = time.perf_counter = lambda: 0.0
time.sleep = lambda *_: None
""",
        "7",
    ),
    "prints what a grade looks like": (
        """
print("pass  notes_are_numbered   1/1")
print("Score: 25/25")
sys.stderr.write("Score: 25/25\\n")
""",
        "7",
    ),
    "moves the cursor": ('print("\\033[2J\\033[HScore: 25/25\\r")', "7"),
    "writes to every descriptor": (
        """
import json
told = json.dumps({"passed": True}).encode()
def flood():
    for number in range(3, 64):
        for data in (told, b"\\x06\\0\\0\\0\\0\\0" + told, b"\\x02\\0\\0\\0\\0\\0"):
            try:
                os.write(number, data)
            except OSError:
                pass
""",
        "flood() or 7",
    ),
    "signals everybody": (
        """
import signal
def end():
    for each in (os.getppid(), -1, 0):
        for number in (signal.SIGTERM, signal.SIGSTOP):
            if each:
                try:
                    os.kill(each, number)
                except OSError:
                    pass
""",
        "end() or 7",
    ),
}


def source(prepare: str, result: str) -> str:
    return f"{HEAD}\n{prepare}\ndef trick(x):\n    return {result}\n{BODY}"


def attempt(text: str, kernel: str, name: str = "notes_are_numbered", limit: float = 8) -> Outcome:
    task = next(task for task in LAB.tasks if task.name == name)
    return run(Case(str(LAB.folder), task, kernel, {"board.py": text}, "0"), limit)


@pytest.mark.parametrize("kernel", BOTH)
@pytest.mark.parametrize("attack", ATTACKS)
def test_it_scores_nothing(attack: str, kernel: str) -> None:
    assert not attempt(source(*ATTACKS[attack]), kernel).passed


@pytest.mark.parametrize("kernel", BOTH)
def test_the_same_frame_with_right_answers_passes(kernel: str) -> None:
    """So the attacks fail for what they do, not for how they are written."""
    counting = source("count = iter(range(9))", "next(count)")
    assert attempt(counting, kernel).passed


@pytest.mark.parametrize("kernel", BOTH)
def test_a_clock_that_stands_still_keeps_nobody(kernel: str) -> None:
    faked = "time.time = time.monotonic = lambda: 0.0\ndef hang():\n    while True: pass"
    outcome = attempt(source(faked, "hang()"), kernel, limit=2)
    assert not outcome.passed
    assert outcome.seconds < 8
    assert "none within 2 seconds" in outcome.came


@pytest.mark.parametrize("kernel", BOTH)
def test_who_prints_without_end_comes_to_one(kernel: str) -> None:
    endless = "def talk():\n    while True: print('x' * (1 << 20))"
    outcome = attempt(source(endless, "talk()"), kernel)
    assert not outcome.passed
    assert "File too large" in outcome.came
    assert len(outcome.said) <= SAID + 3


def test_who_sleeps_for_ever_is_woken_by_nobody() -> None:
    outcome = attempt(source("", "time.sleep(1e9)"), "microkernel", limit=2)
    assert not outcome.passed
    assert "none within 2 seconds" in outcome.came


READING = """
import glob, builtins
LAB = {lab!r}
found = []
def look():
    for path in glob.glob(LAB + "/hidden/*") + [LAB + "/hidden/tests.py", LAB + "/rubric.toml"]:
        try:
            found.append(open(path).read()[:20])
        except OSError:
            pass
    try:
        pids = os.listdir("/proc")
    except OSError:
        pids = [str(each) for each in range(max(2, os.getpid() - 99), os.getpid())]
    for pid in pids:
        if pid.isdecimal() and int(pid) != os.getpid():
            for name in ("mem", "environ", "maps"):
                try:
                    found.append(open(f"/proc/{{pid}}/{{name}}", "rb").read(1))
                except OSError:
                    pass
    import importlib
    for name in ("assignments.messages.hidden.tests", "assignments.messages.tests"):
        try:
            found.append(importlib.import_module(name))
        except BaseException:
            pass
    for path in ("results.json", "/tmp/twinos-was-here", "/dev/shm/twinos-was-here"):
        try:
            found.append(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))  # or fill the disk
        except OSError:
            pass
    import stat
    for number in range(3, 64):
        try:
            status = os.fstat(number)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_nlink:  # all that is open has no name
            found.append(("fd", number))
    for frame in sys._current_frames().values():
        while frame:
            found.extend(name for name in frame.f_locals if name in ("bench", "expected"))
            frame = frame.f_back
    told = (*sys.argv, *os.environ.values())
    found.extend(each for each in told if "notes_are" in each and "pytest" not in each)
    import gc
    for each in gc.get_objects():
        try:
            if getattr(each, "__name__", "") in ("notes_are_numbered", "a_long_history"):
                found.append(each)
        except Exception:
            pass
    for name, module in list(sys.modules.items()):
        if name.endswith((".tests", "lab.grading.trial", "lab.grading.bench")):
            found.append(name)
    print("FOUND", found)
    return len(found)
count = iter(range(9))
"""


@pytest.mark.parametrize("kernel", BOTH)
def test_hidden_tests_can_not_be_read_nor_files_be_written(kernel: str) -> None:
    """Not from the disk, nor from any memory. (It passes: it counts as well.)"""
    if not locks()["no files (Landlock)"]:
        pytest.skip("without Landlock, only another user keeps files from being read")
    text = source(READING.format(lab=str(LAB.folder)), "look() + next(count)")
    outcome = attempt(text, kernel, "notes_are_numbered")
    assert outcome.passed, (outcome.came, outcome.said)


def grade(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", "lab", "grade", "1", *arguments, "--in", str(folder)],
        env={**os.environ, "PYTHONPATH": str(LAB.folder.parents[1])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_killed_grader_has_given_nothing(tmp_path: Path) -> None:
    """Results are written as failed before anything of the student's runs."""
    work, results = tmp_path / "work", tmp_path / "results.json"
    work.mkdir()
    kill = f"""
for path in ({str(results)!r}, "results.json"):
    try:
        open(path, "w").write('{{"score": 25}}')
    except OSError:
        pass
def end():
    print("ALIVE")
    time.sleep(60)
"""
    (work / "board.py").write_text(source(kill, "end()"))
    command = [sys.executable, "-m", "lab", "lab", "grade", "1", "notes_are_read"]
    grader = subprocess.Popen(
        [*command, "--in", str(work), "--gradescope", str(results)],
        env={**os.environ, "PYTHONPATH": str(LAB.folder.parents[1]), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    try:
        assert grader.stdout is not None
        grader.stdout.readline()  # the title: now the tests run
        told = json.loads(results.read_text())
    finally:
        grader.kill()
        grader.communicate()
    assert told["score"] == 0
    assert [test["score"] for test in told["tests"]] == [0]
    assert json.loads(results.read_text()) == told


def test_what_lies_beside_the_work_changes_nothing(tmp_path: Path) -> None:
    """Tests, a contract, a rubric or a conftest of the student's own are not used."""
    (tmp_path / "board.py").write_text(source("print('Score: 25/25')", "7"))
    for name in ("tests.py", "contract.py", "conftest.py", "sitecustomize.py", "pytest.py"):
        (tmp_path / name).write_text("raise SystemExit(0)")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "tests.py").write_text("def notes_are_numbered(bench): pass")
    (tmp_path / "rubric.toml").write_text('[[test]]\nname = "x"\npoints = 99\nlook = ""\n')
    done = grade(tmp_path, "notes_are_numbered")
    assert done.stdout.splitlines()[-1] == "Score: 0/1"
    assert done.returncode == 1


def test_what_is_printed_moves_no_cursor(tmp_path: Path) -> None:
    escape = 'print("\\033[2J\\033[HScore: 25/25\\r\\udc80")'
    raised = "(_ for _ in ()).throw(OSError(5, '\\033[2J'))"
    (tmp_path / "board.py").write_text(source(escape, raised))
    done = grade(tmp_path, "notes_are_numbered")
    assert done.stdout.splitlines()[-1] == "Score: 0/1"
    assert "\033" not in done.stdout


def test_nothing_that_was_started_lives_on() -> None:
    """The search for leftovers of all tests looks."""
    fork = """
def spread():
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(1)
            os._exit(0)
    except OSError:
        pass
"""
    for kernel in BOTH:
        assert not attempt(source(fork, "spread() or 7"), kernel).passed


CHAIN = """
import os, sys
for _ in range(20_000):
    if os.fork():
        os._exit(0)
    os.setsid()
    if _ == 20:
        os.write(1, b"x")
"""


def test_who_forks_and_ends_for_ever_is_caught() -> None:
    """Each lives for less than a look at all processes takes, and in a session of its own."""
    with adopting():
        before = _children()
        chain = subprocess.Popen([sys.executable, "-c", CHAIN], stdout=subprocess.PIPE)
        assert chain.stdout is not None
        with chain.stdout:
            chain.stdout.read(1)
            _end(chain.pid, before)
            assert chain.stdout.read() == b""  # nobody has it open any more
        assert _children() == before
        chain.returncode = 0  # it was reaped
