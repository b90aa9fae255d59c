"""Carries out trials, each in a process that it forks: nothing is imported anew.

Reads tasks from standard input, a line of JSON each, and answers each with a line.
"""

import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from kernels.host import adopting, die_with_parent
from lab.dispatch import ROOT
from lab.faults.campaign import fresh_image, is_clean
from lab.faults.cell import Cell
from lab.faults.kinds import SERVICES
from lab.mutants.judge import Judged, Outcome, outcome
from lab.mutants.mutant import Mutant, mutants, sources
from lab.mutants.script import Answer, steps
from lab.mutants.trial import Ended, Line, Trial, run, survey

LIMIT_S: Final = 30.0
"""How long a trial may take, whatever happens in it."""
PATIENT: Final = 4.0
"""By what the deadlines of a trial are multiplied that ended at one of them, to try it again."""
_ONCE_MORE: Final = frozenset([Outcome.HANG, Outcome.WAITS])


class Survey(msgspec.Struct, frozen=True, tag=True):
    """Asks which mutants of a service the clients reach."""

    service: str
    seed: int


class Task(msgspec.Struct, frozen=True, tag=True):
    """Asks for a mutant to be tried under some kernels."""

    mutant: Mutant
    service: str
    seed: int
    kernels: tuple[str, ...]


class Result(msgspec.Struct, frozen=True):
    """What came of one mutant under one kernel.

    Attributes:
        mutant: which.
        kernel: under which.
        outcome: the worst that happened.
        reached: whether the mistake was carried out.
        errors: what clients got instead of answers.
        wrong: answers that are not right.
        lost: files that were acknowledged, not yet synced, and gone.
        restarts: lives of servers after the first.
        clean: whether the checker finds the image in order at the end.
        said: the last line that the system printed.
    """

    mutant: Mutant
    kernel: str
    outcome: Outcome
    reached: bool
    errors: tuple[str, ...]
    wrong: int
    lost: int
    restarts: int
    clean: bool
    said: str


class Worker:
    """One worker.

    Args:
        folder: where trials have their files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._image = fresh_image()
        self._right: dict[Trial, list[Answer]] = {}

    def survey(self, asked: Survey) -> list[Mutant]:
        """The mutants in lines that the clients reach."""
        trial = Trial(None, "", asked.service, asked.seed)
        limit = LIMIT_S * PATIENT
        written, _ = self._in_a_child(lambda: _print(survey(trial, self._folder)), limit)
        reached = {tuple(line) for line in msgspec.json.decode(written)}
        files = sources(SERVICES[asked.service])
        return [m for p in files for m in mutants(p) if (str(ROOT / m.path), m.line) in reached]

    def results(self, task: Task) -> list[Result]:
        """What comes of a mutant under each kernel."""
        found = []
        for kernel in task.kernels:
            trial = Trial(task.mutant, kernel, task.service, task.seed)
            result = self._attempt(trial)
            if kernel != "monolithic" and result.outcome in _ONCE_MORE:
                result = self._attempt(msgspec.structs.replace(trial, patience=PATIENT))
            found.append(result)
        return found

    def _attempt(self, trial: Trial) -> Result:
        assert trial.mutant is not None, "who tries nothing has no result"  # noqa: S101 (an invariant)
        right = self._answers(msgspec.structs.replace(trial, mutant=None, patience=PATIENT))
        answers, ended, said = self._do(trial)
        seen = Judged(steps(trial.seed), right, answers)
        return Result(
            mutant=trial.mutant,
            kernel=trial.kernel,
            outcome=outcome(seen, ended, trial.kernel),
            reached=bool(Cell(self._folder / "cell").struck),
            errors=tuple(seen.errors),
            wrong=seen.wrong,
            lost=seen.lost,
            restarts=ended.restarts if ended else 0,
            clean=is_clean((self._folder / "image").read_bytes()),
            said=said,
        )

    def _answers(self, trial: Trial) -> list[Answer]:
        """Those that are right: of the service as it is."""
        if trial not in self._right:
            answers, ended, said = self._do(trial)
            if ended is None or any(answer.error for answer in answers):
                raise RuntimeError(f"without a mutant the clients do not get on: {said}")
            self._right[trial] = answers
        return self._right[trial]

    def _do(self, trial: Trial) -> tuple[list[Answer], Ended | None, str]:
        limit = LIMIT_S * trial.patience
        written, said = self._in_a_child(lambda: run(trial, self._folder), limit)
        lines: list[Line] = []
        for line in written.splitlines():
            with suppress(msgspec.DecodeError):  # the last one may be cut off
                lines.append(msgspec.json.decode(line, type=Line))
        answers = [line for line in lines if isinstance(line, Answer)]
        ended = next((line for line in lines if isinstance(line, Ended)), None)
        return answers, ended, said

    def _in_a_child(self, act: Callable[[], object], limit: float) -> tuple[bytes, str]:
        """Do something in a process of its own; what it wrote, and the last line it said."""
        for name in ("cell", "written", "said"):
            (self._folder / name).write_bytes(b"")
        (self._folder / "image").write_bytes(self._image)
        with adopting():
            worker, child = os.getpid(), os.fork()
            if not child:
                _be_a_child(act, self._folder, worker)
            _end_within(child, limit)
        said = (self._folder / "said").read_text(errors="replace").strip().splitlines()
        return (self._folder / "written").read_bytes(), (said or [""])[-1]


def _be_a_child(act: Callable[[], object], folder: Path, worker: int) -> NoReturn:
    status = os.EX_SOFTWARE
    try:
        die_with_parent(worker)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        for descriptor, name in ((1, "written"), (2, "said")):
            file = os.open(folder / name, os.O_WRONLY | os.O_APPEND)
            os.dup2(file, descriptor)
            os.close(file)
        act()
        sys.stdout.flush()
        status = os.EX_OK
    except BaseException as error:  # noqa: BLE001 (nothing may return into the worker's frames)
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _end_within(child: int, limit: float) -> None:
    """Wait for the end of a group of processes, and bring it about."""
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        poll.poll(limit * 1000)
    finally:
        os.close(handle)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)


def _print(found: Iterator[tuple[str, int]]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(list(found)))


def main(parent: int, cpu: int, folder: str) -> None:
    """Carry out tasks until there are no more."""
    die_with_parent(parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the trial ends first
    os.sched_setaffinity(0, {cpu})
    tempfile.tempdir = folder  # whatever it makes is there, and goes with it
    worker = Worker(Path(folder))
    for line in sys.stdin.buffer:
        task = msgspec.json.decode(line, type=Survey | Task)
        found = worker.survey(task) if isinstance(task, Survey) else worker.results(task)
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
