"""The campaign: many mutants on all processors."""

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from queue import SimpleQueue
from typing import Final, Self

import msgspec

from lab.dispatch import ROOT
from lab.mutants.mutant import Mutant
from lab.mutants.worker import Result, Survey, Task
from lab.refusal import Failure

_GRACE_S: Final = 5.0
"""How long a worker may take to end its trial."""
GONE: Final = "a worker ended with a task undone."
_COMMAND: Final = (sys.executable, "-P", "-m", "lab.mutants.worker")


class Workers:
    """Processes that carry out tasks, one on each processor that this one may use.

    Args:
        most: of them.

    Attributes:
        done: the results of tasks that were begun, as they come; None: a worker is gone.
    """

    def __init__(self, most: int | None = None) -> None:
        self._cpus = sorted(os.sched_getaffinity(0))[:most]
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._undo = ExitStack()
        self.count = len(self._cpus)
        self.done: SimpleQueue[list[Result] | None] = SimpleQueue()

    def __enter__(self) -> Self:
        for cpu in self._cpus:
            folder = self._undo.enter_context(tempfile.TemporaryDirectory(prefix="twinos-mutants-"))
            process = _Process(cpu, folder)
            self._undo.callback(process.end)
            self._idle.put(process)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def survey(self, service: str, seed: int) -> list[Mutant]:
        """The mutants of a service that the clients reach."""
        return msgspec.json.decode(self._ask(Survey(service, seed)), type=list[Mutant])

    def results(self, task: Task) -> list[Result]:
        """What came of a mutant, under each kernel."""
        return msgspec.json.decode(self._ask(task), type=list[Result])

    def begin(self, task: Task) -> None:
        """The same, later: see `done`."""

        def carry_out() -> None:
            try:
                self.done.put(self.results(task))
            except Failure:
                self.done.put(None)

        threading.Thread(target=carry_out, daemon=True).start()

    def _ask(self, task: Survey | Task) -> bytes:
        process = self._idle.get()
        try:
            return process.ask(task)
        finally:
            self._idle.put(process)


class _Process:
    def __init__(self, cpu: int, folder: str) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [*_COMMAND, str(os.getpid()), str(cpu), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
            env={**os.environ, "PYTHONPATH": path},
        )

    def ask(self, task: Survey | Task) -> bytes:
        assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        try:
            self._process.stdin.write(msgspec.json.encode(task) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._process.stdout.readline()
        if not answer:
            raise Failure(GONE)
        return answer

    def end(self) -> None:
        """End it, and the trial that it is at."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # of a task that it was sent when it had ended
                    stream.close()


def order(found: Sequence[Mutant], seed: int) -> Iterator[Mutant]:
    """All mutants, by chance, the kinds in turn."""
    by_kind = defaultdict(list)
    for mutant in found:
        by_kind[mutant.kind].append(mutant)
    rng = random.Random(seed)
    for mutants in by_kind.values():
        rng.shuffle(mutants)
    while any(by_kind.values()):
        yield from [mutants.pop() for mutants in by_kind.values() if mutants]


def campaign(
    workers: Workers,
    services: Sequence[str],
    kinds: Collection[str],
    kernels: Sequence[str],
    count: int,
    seed: int,
) -> Iterator[list[Result]]:
    """`count` mutants that were carried out, under each kernel; fewer if there are no more."""
    queues = []
    for service in services:
        reached = [m for m in workers.survey(service, seed) if m.kind in kinds]
        queues.append((order(reached, seed), service))
    tasks = _in_turn(queues, kernels, seed)
    pending = done = 0
    while done < count:
        for task in islice(tasks, min(2 * workers.count, count - done) - pending):
            workers.begin(task)
            pending += 1
        if not pending:
            return
        results = workers.done.get()
        pending -= 1
        if results is None:
            raise Failure(GONE)
        if all(result.reached for result in results):
            done += 1
            yield results


def _in_turn(
    queues: Sequence[tuple[Iterator[Mutant], str]], kernels: Sequence[str], seed: int
) -> Iterator[Task]:
    left = list(queues)
    while left:
        for queue in list(left):
            mutants, service = queue
            mutant = next(mutants, None)
            if mutant is None:
                left.remove(queue)
            else:
                yield Task(mutant, service, seed, tuple(kernels))
