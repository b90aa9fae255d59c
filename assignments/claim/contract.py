"""A claim to be settled: what is asked of its file, and of the verdict."""

from typing import Literal

import msgspec

EXPERIMENT = "between"
"""What can be measured here: messages between services, counted, the same each time."""
GROUPED = "hybrid:filesystem+disk"
"""The kernel of the claim: file system and disk in one address space."""
MOST = 5
"""Workloads at most, each of them small: all of the grading takes less than a minute."""
FEWEST = 3
LEAST_SAID = 40
"""Characters, of what is to be said in words."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `verdict.toml` says.

    Attributes:
        word: what follows from the rule.
        reason: why, and what of the claim is left, in a sentence or two.
        measured: what you have measured: the value of each measure by its name.
    """

    word: Literal["supported", "contradicted", "not shown"]
    reason: str
    measured: dict[str, float]
