"""seq: numbers in a row."""

from servers.process import Process
from workloads.programs._common import number, usage


def main(process: Process, *arguments: str) -> int:
    """`seq [FIRST [STEP]] LAST`."""
    if not 1 <= len(arguments) <= 3:
        usage(process, "missing operand" if not arguments else "extra operand")
    numbers = [number(process, text) for text in arguments]
    first, step, last = {1: [1, 1, *numbers], 2: [numbers[0], 1, numbers[-1]]}.get(
        len(numbers), numbers
    )
    if not step:
        usage(process, "the step must not be 0")
    for each in range(first, last + (1 if step > 0 else -1), step):
        process.stdout.write(f"{each}\n")
    return 0
