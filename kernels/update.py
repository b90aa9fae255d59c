"""Updates: other code takes the place of a server that runs, and the old comes back if it fails.

A *candidate*, a process of its own, imports the new code and checks it, while the old one serves.
Then the old one is quiet between two requests: it lets nobody in, and has published its state. It
is ended, the candidate builds the service on the same regions, and is on *probation* for a while.
Whatever fails costs the new code its place; the old code begins again as after any death. What is
on its way meanwhile waits, and is sent again by the client's stub, as always.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Protocol

from kernels.asking import Answer
from kernels.control import (
    Asks,
    Failed,
    Granted,
    Loaded,
    Pong,
    Quiesced,
    Ready,
    Refused,
    Unloadable,
)
from kernels.orders import Begin, Ping, Proven, Quiesce
from kernels.records import Server
from kernels.version import Code

ONE_PROGRAM: Final = "a monolithic kernel is one program; it has to be booted again"
GLANCE: Final = 0.02
"""Seconds between two looks at a server at the end of its probation."""


class Timers(Protocol):
    """Where to have something done later."""

    def after(self, seconds: float, action: Callable[[], None], /) -> object:
        """Do something a little later."""


class Stage(Enum):
    """What an update waits for."""

    LOADING = auto()
    QUIET = auto()
    BUILDING = auto()
    PROBATION = auto()
    OVER = auto()


class Update:
    """One update of one server.

    Args:
        server: whose services are to have other code.
        candidate: the process that is to take its place.
        code: what it runs.
        probation: seconds.
        timers: where to have something done later.
        seat: gives the server's place to the candidate.
        note: writes down what became of it.

    Attributes:
        stage: what it waits for.
        failure: why it failed; empty: it has not.
    """

    def __init__(
        self,
        server: Server,
        candidate: Server,
        code: Code,
        probation: float,
        timers: Timers,
        seat: Callable[[Server, Server], None],
        note: Callable[[str], None],
    ) -> None:
        self.stage = Stage.LOADING
        self.failure = ""
        self.code: Final = code
        self.candidate: Final = candidate
        self._server = server
        self._probation = probation
        self._timers = timers
        self._seat = seat
        self._note = note
        self._given_up = server.given_up
        self._looked = False  # at the server at the end of its probation, and it has not answered
        timers.after(server.policy.start, self._too_long)

    @property
    def over(self) -> bool:
        """Whether it has been decided."""
        return self.stage is Stage.OVER

    @property
    def on_trial(self) -> bool:
        """Whether the server's next life is one of the new code's, which has still to prove."""
        return self.stage in {Stage.BUILDING, Stage.PROBATION}

    def outcome(self) -> Answer:
        """What to tell who asked for it."""
        text = f"{self._server.name} was not updated: {self.failure}"
        return Refused(None, text) if self.failure else Granted(life=self._server.life)

    def heard(self, who: Server, news: Asks) -> None:
        """The server or the candidate has said something."""
        match news:
            case Unloadable(sentence):
                who.unloadable(sentence)
            case Loaded() if self.stage is Stage.LOADING:
                self._quiet()
            case Quiesced(failure) if self.stage is Stage.QUIET and who is self._server:
                if failure:
                    self.stage = Stage.LOADING  # the old one has gone on
                    self._fail(failure)
                else:
                    self._server.replaced = True
                    self._server.kill()
            case Ready() if self.stage is Stage.BUILDING:
                self.stage = Stage.PROBATION
                self._timers.after(self._probation, self._look)
            case Pong(busy) if self.stage is Stage.PROBATION and self._looked:
                self._looked = False
                if busy < min(max(self._probation, GLANCE), self._server.policy.hang):
                    self._succeed()
                else:  # since it began it is at one request: is it hung?
                    self._timers.after(GLANCE, self._look)

    def buried(self, who: Server) -> bool:
        """The server or the candidate has died; whether it is not to be started again."""
        if self.over:
            return who is self.candidate
        if who is self.candidate:
            self._fail(_why(who.failure, who.verdict))
            return True
        if self.stage is Stage.QUIET:
            self._take_over()
            return True
        new_failed = self.stage is Stage.BUILDING or (self.stage is Stage.PROBATION and who.fault)
        if new_failed:
            self._fail(_why(who.failure, who.verdict))
            who.failure, who.failed_starts = None, 0
        return False

    def _quiet(self) -> None:
        self.stage = Stage.QUIET
        if not self._server.pid:
            self._take_over()
            return
        self._server.order(Quiesce())  # if it can't be told, it is about to die
        self._timers.after(self._server.policy.hang, self._not_quiet)

    def _take_over(self) -> None:
        self.stage = Stage.BUILDING
        self._seat(self._server, self.candidate)
        self._server.order(Begin())

    def _look(self) -> None:
        if self.stage is Stage.PROBATION:
            self._looked = self._server.order(Ping())
            if not self._looked:  # it has just died, or does not listen: the end of that will tell
                self._timers.after(GLANCE, self._look)

    def _not_quiet(self) -> None:
        if self.stage is Stage.QUIET and self._server.pid:
            self._server.hung(f"was not quiet after {self._server.policy.hang:g} s")

    def _too_long(self) -> None:
        if self.stage is Stage.LOADING:
            self._fail(f"it was not imported after {self._server.policy.start:g} s")

    def _succeed(self) -> None:
        self.stage = Stage.OVER
        self._server.code = self.code
        self._server.order(Proven())
        self._note(f"updated: it goes on with the code of {self.code}")

    def _fail(self, why: str) -> None:
        if self.stage is Stage.QUIET:
            self._server.kill()  # it lets nobody in any more: its next life does
        self.stage, self.failure = Stage.OVER, why
        self._server.given_up = self._given_up
        self._note(f"not updated: {why}")
        self.candidate.kill()


def _why(failure: Failed | None, verdict: str) -> str:
    return failure.sentence if failure else f"it {verdict}"
