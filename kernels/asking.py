"""What all control messages are; see `kernels.control`."""

import msgspec


class Ask(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Something a process says to the kernel."""


class Answer(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the kernel answers."""
