"""The transports that there are, by name."""

from collections.abc import Mapping
from typing import Final

from kernels.pipes import PIPE, ROUTED
from kernels.ring import RING
from kernels.transport import Transport

TRANSPORTS: Final[Mapping[str, Transport]] = {each.name: each for each in (PIPE, RING, ROUTED)}
"""What `boot(transport=...)` chooses from; a new one is named here and nowhere else."""
