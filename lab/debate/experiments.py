"""What can be measured, by name: the function of that name in one of these modules."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from lab.debate import campaigns, costs, houses, multitasking, structure
from lab.debate.evidence import Experiment, Finding, Setting
from lab.refusal import Refusal, unknown

EXPERIMENTS: Final[Mapping[str, Experiment]] = {
    "cost": costs.cost,
    "free-messages": costs.free_messages,
    "layers": costs.layers,
    "beside": costs.beside,
    "priced": costs.priced,
    "stalls": multitasking.stalls,
    "inventory": structure.inventory,
    "between": structure.between,
    "agreement": structure.agreement,
    "reach": structure.reach,
    "lines": structure.lines,
    "trusted-core": structure.trusted_core,
    "bug": houses.bug,
    "wild-write": houses.wild_write,
    "kills": houses.kills,
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
