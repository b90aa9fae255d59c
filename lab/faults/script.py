"""What the clients do: some of everything, by chance, and at the end they look at all files."""

import random
from typing import Final, NamedTuple

from lab.faults.history import Action, Step

NAMES: Final = [f"/file-{number}" for number in range(24)]
INITIAL: Final = {name: number for number, name in enumerate(NAMES[:20], 1)}
"""What is on the image before, by version."""
STEPS: Final = 40
_EARLIEST: Final = 4
_LATEST: Final = 28
_SPARED: Final = 4
_WEIGHTS: Final[dict[Action, int]] = {"put": 40, "get": 35, "unlink": 10, "sync": 10, "newcomer": 5}


class Script(NamedTuple):
    """What the clients of one trial do.

    Attributes:
        steps: in turn.
        armed: before which of them the fault is.
        spared: requests to the service that pass then before one is hit.
    """

    steps: list[Step]
    armed: int
    spared: int


def script(seed: str) -> Script:
    """A script by chance."""
    rng = random.Random(seed)
    actions = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=STEPS)
    steps = [
        Step(action, number % 2, rng.choice(NAMES), 100 + number)
        for number, action in enumerate(actions)
    ]
    ending = [Step("sync"), Step("newcomer"), *look()]
    return Script([*steps, *ending], rng.randrange(_EARLIEST, _LATEST), rng.randrange(_SPARED))


def look() -> list[Step]:
    """Look at every file."""
    return [Step("get", 0, name) for name in NAMES]
