"""Round robin: everybody gets a turn, and no turn is longer than the quantum."""

from kernels.scheduling.first_come import FirstCome


class RoundRobin(FirstCome):
    """First come, first served, but a turn ends after the quantum, at the end of the queue."""

    name = "rr"
    slices = True
