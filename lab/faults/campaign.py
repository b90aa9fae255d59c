"""The campaign: trials one after the other, each watched from outside."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kernels import boot
from kernels.host import adopting
from lab.dispatch import ROOT
from lab.faults.cell import Cell
from lab.faults.history import Done, Ended, content
from lab.faults.judge import Model, Outcome
from lab.faults.kinds import suits
from lab.faults.script import INITIAL, look, script
from lab.faults.trial import BLOCKS, Config, Trial
from lab.refusal import Failure
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.filesystem.check import MemoryImage, Severity, check

LIMIT_S: Final = 10.0
"""A trial that is not at its end by then hangs."""


class Result(msgspec.Struct, frozen=True):
    """What came of one trial.

    Attributes:
        outcome: the worst that happened.
        struck: whether the fault found a request to strike.
        clients: how many of the two saw an error.
        errors: what they saw.
        lost: files that were acknowledged, not yet synced, and gone.
        corrupt: files that hold what they never should.
        restarts: of servers.
        recovery_ms: from the fault to the next reply; None: nothing had to recover, or it hung.
        clean: whether the checker finds the image in order at the end.
        goodput: steps a second that went well from the fault on, to the end or, of a system that
            was down or hung, until its files had been looked at after it was booted again.
        before: the same until the fault, for comparison.
    """

    trial: Trial
    outcome: Outcome
    struck: bool
    clients: int
    errors: tuple[str, ...]
    lost: int
    corrupt: int
    restarts: int
    recovery_ms: float | None
    clean: bool
    goodput: float | None = None
    before: float | None = None


class _Watched(msgspec.Struct):
    """What a trial's process wrote, and how it ended."""

    history: list[Done]
    ended: Ended | None
    in_time: bool
    said: str


def plan(
    kernels: Sequence[str],
    services: Sequence[str],
    kinds: Sequence[str],
    count: int,
    seed: int,
) -> Iterator[Trial]:
    """`count` faults, each under every kernel; the services and kinds come round in turn."""
    pairs = [(kind, service) for kind in kinds for service in services if suits(kind, service)]
    for number in range(count):
        kind, service = pairs[number % len(pairs)]
        for kernel in kernels:
            yield Trial(kernel, service, kind, f"{seed}/{number}", "")


def attempt(trial: Trial, image: bytes, limit: float = LIMIT_S) -> Result:
    """Do one trial on a fresh copy of an image; if the system is down after it, boot it again."""
    with tempfile.TemporaryDirectory(prefix="twinos-faults-") as name:
        folder = Path(name)
        (folder / "image").write_bytes(image)
        cell = Cell(folder / "cell")
        trial = msgspec.structs.replace(trial, folder=name)
        watched = _watch(trial, limit)
        if watched.in_time and not watched.history:
            raise Failure(f"a trial of {trial.kind} in {trial.service} ended: {watched.said}.")
        steps = script(trial.seed).steps
        model = Model.of(INITIAL)
        model.follow(steps, watched.history[: len(steps)])
        model.errors += [done.error for done in watched.history[len(steps) :] if done.error]
        if watched.in_time and not watched.ended and not watched.history[-1].down:
            model.errors.append(f"the clients' process ended: {watched.said}")
        outcome = _outcome(watched, model)
        first = _next_reply(watched.history, cell.struck)
        history = watched.history
        if outcome in {Outcome.DOWN, Outcome.HANG}:
            again = _watch(msgspec.structs.replace(trial, kind=""), limit)
            if again.ended is None and not again.history:
                model.errors.append(f"it does not boot again: {again.said}")
            model.follow(look(), again.history)
            first = _next_reply(again.history, cell.struck)
            history = history + again.history
        had_to = (watched.ended is not None and watched.ended.restarts) or outcome is Outcome.DOWN
        return Result(
            trial=msgspec.structs.replace(trial, folder=""),
            outcome=outcome,
            struck=bool(cell.struck),
            clients=len(model.clients),
            errors=tuple(model.errors),
            lost=model.lost,
            corrupt=model.corrupt,
            restarts=watched.ended.restarts if watched.ended else 0,
            recovery_ms=(first - cell.struck) / 1e6 if first and cell.struck and had_to else None,
            clean=is_clean((folder / "image").read_bytes()),
            goodput=goodput([done for done in history if done.ended > cell.struck], cell.struck),
            before=goodput([done for done in history if done.ended <= cell.struck]),
        )


def goodput(history: Sequence[Done], begun: int = 0) -> float | None:
    """Steps that went well, a second; None: there are too few to say.

    Args:
        history: of them.
        begun: when they did, in ns of the monotonic clock; 0: the first of them says.
    """
    timed = history if begun else history[1:]
    begun = begun or (history[0].ended if history else 0)
    if not timed or timed[-1].ended <= begun:
        return None
    return sum(not done.error for done in timed) / (timed[-1].ended - begun) * 1e9


def _outcome(watched: _Watched, model: Model) -> Outcome:
    if not watched.in_time:
        return Outcome.HANG
    if watched.ended is None:
        return Outcome.DOWN
    if model.lost or model.corrupt:
        return Outcome.WRONG
    if model.errors:
        return Outcome.ERROR
    return Outcome.RECOVERED if watched.ended.restarts else Outcome.UNNOTICED


def _next_reply(history: Sequence[Done], struck: int) -> int:
    """When the first step that went well after the fault, and what it broke, ended; 0: none."""
    after = [done for done in history if done.ended > struck]
    broken = next((number for number, done in enumerate(after) if done.error), 0)
    return next((done.ended for done in after[broken:] if not done.error), 0)


def _watch(trial: Trial, limit: float) -> _Watched:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with (
        adopting(),
        subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.faults.trial", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            env={**os.environ, "PYTHONPATH": path},
        ) as process,
    ):
        try:
            try:
                written, said = process.communicate(msgspec.json.encode(trial), limit)
                in_time = True
            except subprocess.TimeoutExpired:
                in_time = False
                _kill_all(process)
                written, said = process.communicate()
        finally:
            _kill_all(process)
            process.wait()
            _bury(process.pid)
    return _read(written, in_time=in_time, said=_last_line(said))


def _last_line(said: bytes) -> str:
    return (said.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def _kill_all(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: a trial's system may outlive its first process by a moment."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _bury(group: int) -> None:
    """Wait for the end of all that were killed: until then they have the image."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def _read(written: bytes, *, in_time: bool, said: str) -> _Watched:
    lines: list[Done | Ended] = []
    for line in written.splitlines():
        with suppress(msgspec.DecodeError):  # the last one may be cut off
            lines.append(msgspec.json.decode(line, type=Done | Ended))
    history = [line for line in lines if isinstance(line, Done)]
    ended = next((line for line in lines if isinstance(line, Ended)), None)
    return _Watched(history, ended, in_time, said)


def fresh_image() -> bytes:
    """An image with a log and the files that every script begins with."""
    with tempfile.TemporaryDirectory(prefix="twinos-faults-") as folder:
        path = Path(folder) / "image"
        config: Config = {Disk: {"image": str(path), "blocks": BLOCKS}}
        with boot("monolithic", FileSystem, config=config) as system:
            files = system[FileSystem]
            for name, version in INITIAL.items():
                descriptor = files.open(name, os.O_WRONLY | os.O_CREAT, 0o644)
                files.write(descriptor, content(version))
                files.close(descriptor)
        return path.read_bytes()


def is_clean(image: bytes) -> bool:
    """Whether the checker finds an image in order."""
    return not any(
        found.severity is Severity.ERROR for found in check(MemoryImage(bytearray(image)))
    )
