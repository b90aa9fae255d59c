"""The plan of a system: what `kernels.boot` tells the nucleus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kernels.stub import Layer
from twinos import Service
from twinos.wiring import Services


@dataclass(frozen=True, slots=True)
class Plan:
    """What the nucleus is to run; see `kernels.boot.boot`."""

    order: Services
    spaces: tuple[Services, ...]
    settings: Mapping[type[Service], Mapping[str, Any]]
    cpus: Sequence[int]
    counting: bool
    layers: Sequence[Layer]
    owner: int
    grace: float
    panics: bool
    transport: str
    sandbox: bool
    requests: int
    stable: bool
    scheduler: str | None
