"""sleep: wait."""

from servers.process import Process
from workloads.programs._common import usage

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def main(process: Process, *arguments: str) -> int:
    """`sleep NUMBER[smhd]...`: the sum of them."""
    if not arguments:
        usage(process, "missing operand")
    total = 0.0
    for text in arguments:
        try:
            total += float(text.rstrip("smhd")) * _UNITS.get(text[-1:], 1)
        except ValueError:
            usage(process, f"invalid time interval '{text}'")
    if total < 0:
        usage(process, "invalid time interval")
    process.sleep(total)
    return 0
