"""A random page."""

import random

from servers.memory.policies.policy import Look, Policy


class Random(Policy):
    """Any page, all alike: what a policy has to beat to be worth its trouble."""

    name = "random"

    def __init__(self, frames: int, seed: int = 0) -> None:
        super().__init__(frames, seed)
        self._lots = random.Random(seed)
        self._pages: list[int] = []

    def admit(self, page: int) -> None:
        """One ticket more."""
        self._pages.append(page)

    def forget(self, page: int) -> None:
        """One less."""
        self._pages.remove(page)

    def victim(self, look: Look) -> int:  # noqa: ARG002 (chance is blind)
        """The one that is drawn."""
        return self._lots.choice(self._pages)
