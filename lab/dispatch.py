"""Sending jobs to stations, and never leaving one behind."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from lab.refusal import Failure, Refusal
from lab.station import Answer, Broken, Job, Measured

ROOT: Final = Path(__file__).resolve().parent.parent
"""The folder of our packages; a station imports them from here, wherever it is started."""

GRACE_S: Final = 5.0
"""How long an interrupted station may take to shut its system down."""


def dispatch(job: Job, under: Sequence[str] = ()) -> Measured:
    """Have a job done by a fresh interpreter.

    Args:
        job: what.
        under: a command that runs the interpreter, and tells it the number of its parent.

    Raises:
        Refusal: the system does not boot as asked.
        Failure: a workload failed, or the station died.
    """
    parent = () if under else (str(os.getpid()),)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [*under, sys.executable, "-P", "-m", "lab.station", *parent],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,  # Ctrl-C is ours to pass on, when the station can take it
        env={**os.environ, "PYTHONPATH": path},
    ) as station:
        try:
            answered, _ = station.communicate(msgspec.json.encode(job))
        except BaseException:
            _stop(station)
            raise
    return _read(job, answered, station.returncode)


def _read(job: Job, answered: bytes, status: int) -> Measured:
    try:
        answer: Answer = msgspec.json.decode(answered, type=Measured | Broken)
    except msgspec.DecodeError:
        raise Failure(
            f"the process that ran the {job.kernel} kernel ended with status {status} "
            "and no answer."
        ) from None
    if isinstance(answer, Broken):
        raise (Refusal if answer.refused else Failure)(answer.reason)
    return answer


def _stop(station: subprocess.Popen[bytes]) -> None:
    """End a station that nobody waits for any more, in good order if it is quick."""
    station.terminate()
    try:
        station.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        station.kill()
