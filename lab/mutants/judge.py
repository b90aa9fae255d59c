"""What the answers of a trial say, beside those that are right, and by the model of files."""

from collections.abc import Sequence
from enum import StrEnum

from lab.faults.history import ABSENT, Done, Step
from lab.faults.judge import Model
from lab.faults.script import INITIAL
from lab.mutants.script import Answer
from lab.mutants.trial import KILLED, SKIPPED, Ended


class Outcome(StrEnum):
    """What a mutant came to, the mildest first."""

    SURVIVED = "survived"
    ERROR = "error"
    WRONG = "wrong answer"
    RESTARTED = "restarted"
    KILLED = "hung and killed"
    GIVEN_UP = "service given up"
    WAITS = "clients wait for ever"
    HANG = "system hangs"
    DOWN = "system down"


class Judged:
    """What the clients of one trial saw.

    Args:
        plan: what they were to do.
        right: what comes of it when nothing is wrong.
        answers: what came of it.

    Attributes:
        errors: what they got instead of answers.
        wrong: answers that are not right.
        lost: files that were acknowledged, not yet synced, and gone.
    """

    def __init__(
        self, plan: Sequence[Step], right: Sequence[Answer], answers: Sequence[Answer]
    ) -> None:
        model = Model.of(INITIAL)
        tried = [answer for answer in answers if answer.error != SKIPPED]
        done = [Done(answer.found, answer.error, 0) for answer in answers]
        model.follow(plan, done)
        self.errors = [answer.error for answer in tried if answer.error]
        self.lost = model.lost
        tours = sum(
            answer.told != expected.told
            for answer, expected in zip(answers, right, strict=False)
            if not answer.error
        )
        self.wrong = tours + model.corrupt + (model.lost if not self.errors else ABSENT)


def outcome(seen: Judged, ended: Ended | None, kernel: str) -> Outcome:
    """The worst that happened; without an end the trial's process was killed, or died."""
    if ended is None or not ended.stands:
        panicked = any(error.startswith("KernelPanic") for error in seen.errors)
        return Outcome.DOWN if panicked else Outcome.HANG
    if kernel == "monolithic" and ended.closing == KILLED:
        return Outcome.HANG
    if kernel == "monolithic" and ended.closing.startswith(("ServerDied", "KernelPanic")):
        return Outcome.DOWN
    return _of_one_server(seen, ended)


def _of_one_server(seen: Judged, ended: Ended) -> Outcome:
    if ended.given_up:
        return Outcome.GIVEN_UP
    if ended.waits:
        return Outcome.WAITS
    if ended.hung or ended.closing == KILLED:
        return Outcome.KILLED
    if ended.restarts or ended.closing.startswith("ServerDied"):
        return Outcome.RESTARTED
    if seen.wrong:
        return Outcome.WRONG
    return Outcome.ERROR if seen.errors or ended.closing else Outcome.SURVIVED
