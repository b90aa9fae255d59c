"""Experiments that break many things, one after the other: the campaigns of other commands."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from lab.debate.evidence import Finding, Measure, Setting
from lab.faults.campaign import attempt, fresh_image, plan
from lab.faults.judge import Outcome
from lab.faults.kinds import KINDS, SERVICES, suits

KERNELS: Final = ("monolithic", "microkernel")
ROUNDS: Final = 4
QUICK_ROUNDS: Final = 1


def faults(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """The campaign of `twinos faults`: the same seeded faults under both kernels.

    No parameters. Measures: `OUTCOME KERNEL`, how many of the faults came to that (not noticed,
    recovered, error to one client, wrong data, hang, system down); `faults`, how many there were.
    """
    del parameters
    pairs = sum(suits(kind, service) for kind in KINDS for service in SERVICES)
    count = pairs * (QUICK_ROUNDS if setting.quick else ROUNDS)
    image = fresh_image()
    outcomes = Counter(
        (result.trial.kernel, result.outcome)
        for trial in plan(KERNELS, list(SERVICES), list(KINDS), count, setting.seed)
        if (result := attempt(trial, image)).struck
    )
    return Finding(
        [
            *(
                Measure(f"{outcome} {kernel}", outcomes[kernel, outcome], exact=True)
                for kernel in KERNELS
                for outcome in Outcome
            ),
            Measure("faults", count, exact=True),
        ],
        notes=[f"{len(KINDS)} kinds, in {' and '.join(SERVICES)}"],
    )
