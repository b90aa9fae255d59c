"""What can be measured, by name: the function of that name in one of these modules."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from lab.debate import (
    building,
    campaigns,
    conformance,
    costs,
    healing,
    houses,
    multitasking,
    reaching,
    waiting,
)
from lab.debate.evidence import Experiment, Finding, Setting
from lab.refusal import Refusal, unknown

EXPERIMENTS: Final[Mapping[str, Experiment]] = {
    "cost": costs.cost,
    "moved": healing.moved,
    "savings": costs.savings,
    "free-messages": costs.free_messages,
    "layers": costs.layers,
    "beside": costs.beside,
    "priced": costs.priced,
    "stalls": multitasking.stalls,
    "queues": waiting.queues,
    "overlap": waiting.overlap,
    "inventory": reaching.inventory,
    "between": reaching.between,
    "reach": reaching.reach,
    "conformance": conformance.conformance,
    "lines": building.lines,
    "extensions": building.extensions,
    "trusted-core": building.trusted_core,
    "bug": houses.bug,
    "wild-write": houses.wild_write,
    "crash": healing.crash,
    "heals": healing.heals,
    "faults": campaigns.faults,
    "availability": campaigns.availability,
}


def run(name: str, setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """Make an experiment.

    Raises:
        Refusal: there is none of that name, or a parameter makes no sense.
        Failure: something went wrong.
    """
    try:
        return find(name)(setting, parameters)
    except (KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            f"the experiment {name!r} can't take {dict(parameters)}: {error!r}."
        ) from error


def find(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        Refusal: there is none.
    """
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS, "twinos debate --experiments")
    return EXPERIMENTS[name]


def about(name: str) -> str:
    """What an experiment measures, and which parameters it takes."""
    return inspect.getdoc(find(name)) or ""
