"""One test under one kernel, in a process of its own that ends in time."""

import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from kernels.host import adopting, close_to_others, die_with_parent
from kernels.launch import launch
from lab.grading.assignment import Assignment, Task
from lab.grading.bench import Bench, MismatchError, failure
from lab.refusal import Failure, Refusal

LIMIT: Final = 10.0
"""Seconds that one test may take under one kernel."""
SAID: Final = 2000
"""Characters of what the student's code printed that are shown."""
SMALLEST: Final = 0.1
PATIENCE: Final = 20.0
"""Seconds in which what a test has started must have been ended."""


class Outcome(msgspec.Struct, frozen=True):
    """What a test came to under one kernel.

    Attributes:
        passed: whether it did.
        what: was looked at last.
        expected: there.
        came: instead.
        said: what the student's code printed.
        figures: numbers for a leaderboard.
        seconds: that it took.
    """

    passed: bool
    what: str = ""
    expected: str = ""
    came: str = ""
    said: str = ""
    figures: dict[str, float] = {}
    seconds: float = 0.0


NOT_RUN: Final = Outcome(passed=False, came="it was not run")
NO_TIME: Final = Outcome(
    passed=False, came="no time was left for it: all tests have a minute (see --slow)"
)
_DECODER: Final = msgspec.json.Decoder(Outcome)


class Case(NamedTuple):
    """A test to be run.

    Attributes:
        folder: the lab's.
        task: which test.
        kernel: under which.
        files: the student's.
        seed: of the student and lab.
        slow: how many times slower than usual the machine is: the limits are that much longer.
    """

    folder: str
    task: Task
    kernel: str
    files: Mapping[str, str]
    seed: str
    slow: float = 1.0


def run(case: Case, limit: float = LIMIT) -> Outcome:
    """Run a test, for `limit` seconds at most. Nothing that it started lives on."""
    start = time.monotonic()
    limit *= case.slow
    with adopting(), tempfile.TemporaryDirectory(prefix="twinos-grade-") as folder:
        before = _children()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                pid = launch(_try, theirs, *case, folder)
            try:
                told = _hear(ours, start + max(limit, SMALLEST))
            finally:
                _end(pid, before)
        said = _said(Path(folder, "said"))
    outcome = _decoded(told, limit)
    seconds = round(time.monotonic() - start, 3)
    return msgspec.structs.replace(outcome, said=said, seconds=seconds)


def _hear(connection: socket.socket, deadline: float) -> bytes | None:
    """All that comes until the other end is closed; None: it is not closed in time."""
    heard = bytearray()
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            piece = connection.recv(1 << 16)
            if not piece:
                return bytes(heard)
            heard += piece
    return None


def _decoded(told: bytes | None, limit: float) -> Outcome:
    expected = "an end of the test"
    if told is None:
        return Outcome(passed=False, expected=expected, came=f"none within {limit:.0f} seconds")
    try:
        return _DECODER.decode(told)
    except msgspec.DecodeError:
        return Outcome(passed=False, expected=expected, came="the test's own process ended early")


def _end(pid: int, before: set[int]) -> None:
    """Kill the test's process and all below, those too that have left it.

    Who loses its parent becomes ours, so each is killed as our child, at once when it is seen: a
    process that only forks and ends outruns who looks at all of them first.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    deadline = time.monotonic() + PATIENCE
    while left := _children() - before:
        for each in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
        for each in left:
            with suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)
        if time.monotonic() > deadline:
            raise Failure("processes of a student's go on starting others faster than they end.")
        time.sleep(SMALLEST / 100)


def _children() -> set[int]:
    """The children of this process, of whichever thread."""
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        with suppress(FileNotFoundError):  # the thread has ended meanwhile
            found.update(map(int, Path("/proc/self/task", task, "children").read_text().split()))
    return found


def _said(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(SAID + 1)
    except FileNotFoundError:
        return ""
    return text if len(text) <= SAID else f"{text[:SAID]}..."


def _try(
    connection: socket.socket,
    place: str,
    task: Task,
    kernel: str,
    files: Mapping[str, str],
    seed: str,
    slow: float,
    folder: str,
) -> int:
    """What the process of a test does."""
    die_with_parent(os.getppid())
    close_to_others()
    said = os.open(os.path.join(folder, "said"), os.O_WRONLY | os.O_CREAT, 0o600)
    for descriptor in (1, 2):
        os.dup2(said, descriptor)
    os.close(said)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
    with _roomy(folder) as room:
        bench = Bench(kernel, dict(files), f"{seed} {task.name}", room, slow)
        outcome = _outcome(Assignment(Path(place)), task, bench)
    connection.sendall(msgspec.json.encode(outcome))
    return os.EX_OK


@contextmanager
def _roomy(folder: str) -> Iterator[Path]:
    room = Path(folder, "room")
    room.mkdir()
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _outcome(assignment: Assignment, task: Task, bench: Bench) -> Outcome:
    tests = assignment.module(task.module)
    test = getattr(tests, task.name, None)
    if test is None:
        raise Refusal(f"the rubric of {assignment.name} names a test {task.name!r} that is none.")
    about = " ".join((test.__doc__ or task.name).split())
    try:
        test(bench)
    except MismatchError as miss:
        return Outcome(passed=False, what=miss.what, expected=miss.expected, came=miss.came)
    except Exception as error:  # noqa: BLE001 (whatever the student's code makes of it)
        return Outcome(passed=False, what=about, expected="no error", came=failure(error))
    return Outcome(passed=True, what=about, figures=bench.figures)
