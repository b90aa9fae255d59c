"""A reincarnation server."""

import errno
from dataclasses import dataclass, field
from typing import Annotated

from assignments.reincarnation.contract import Policy, Reincarnation, State, Wards
from twinos import fail, only, op


@dataclass
class Ward:
    """A service in our care."""

    policy: Policy
    # >>> what must be known of it to decide?
    state: State = "running"
    born: int = 0
    heard: int = 0
    row: int = 0
    deaths: list[int] = field(default_factory=list)
    due: int = 0
    killed: bool = False
    # <<<


class Reincarnator(Reincarnation):
    """Keeps services alive."""

    def __init__(self, wards: Annotated[Wards, only("start", "kill")]) -> None:
        super().__init__(wards)
        self._all: dict[str, Ward] = {}

    @op
    def watch(self, now: int, name: str, policy: Policy) -> None:
        """Start a service, and keep it alive. EEXIST: it is in our care, unless it was stopped."""
        # >>> remember it, and self._wards.start(name)
        known = self._all.get(name)
        if known is not None and known.state != "stopped":
            raise fail(errno.EEXIST)
        self._all[name] = Ward(policy)
        self._bear(now, name)
        # <<< raise NotImplementedError

    @op
    def died(self, now: int, name: str) -> None:
        """A service has died: start it again now, or later, or never.

        ENOENT: it was never in our care. That one dies which is not running is late news of no
        interest.
        """
        # >>> the row, the deaths within the window, the pause
        ward = self._ward(name)
        if ward.state != "running":
            return
        policy = ward.policy
        ward.row = 1 if now - ward.born >= policy.long_life else ward.row + 1
        ward.deaths = [each for each in ward.deaths if now - each < policy.within] + [now]
        if len(ward.deaths) >= policy.most:
            ward.state = "given up"
        elif ward.row <= policy.at_once:
            self._bear(now, name)
        else:
            ward.state = "resting"
            ward.due = now + min(policy.rest << ward.row - policy.at_once - 1, policy.longest)
        # <<< raise NotImplementedError

    @op
    def beat(self, now: int, name: str) -> None:
        """A service gives a sign of life. ENOENT as above; of one that is not running, no news."""
        # >>> when was it heard last?
        self._ward(name).heard = now
        # <<< raise NotImplementedError

    @op
    def tick(self, now: int) -> None:
        """Time has passed: start those whose pause is over, kill those that hang (each once)."""
        # >>> look at all
        for name, ward in self._all.items():
            if ward.state == "resting" and now >= ward.due:
                self._bear(now, name)
            elif ward.state == "running" and now - ward.heard > 2 * ward.policy.period:
                if ward.killed:
                    continue
                ward.killed = True
                self._wards.kill(name)
        # <<< raise NotImplementedError

    @op
    def stop(self, now: int, name: str) -> None:
        """Kill a service if it runs, and keep it alive no more. ENOENT as above."""
        # >>> its death, which will be told, is no reason to start it again
        ward = self._ward(name)
        if ward.state == "running" and not ward.killed:
            self._wards.kill(name)
        ward.state = "stopped"
        # <<< raise NotImplementedError

    @op
    def state(self, name: str) -> str:
        """How a service is: one of `State`. ENOENT as above."""
        # >>>
        return self._ward(name).state
        # <<< raise NotImplementedError

    # >>>
    def _ward(self, name: str) -> Ward:
        if name not in self._all:
            raise fail(errno.ENOENT)
        return self._all[name]

    def _bear(self, now: int, name: str) -> None:
        ward = self._all[name]
        ward.state, ward.born, ward.heard, ward.killed = "running", now, now, False
        self._wards.start(name)

    # <<<
