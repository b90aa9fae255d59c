"""`twinos trace`: the messages of one command, as a chart and as events for Perfetto."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.choice import parse
from lab.refusal import Failure
from lab.shell.machine import Machine
from lab.shell.spaces import crosses
from lab.shell.terminal import run_script
from lab.trace.chart import show
from lab.trace.perfetto import trace_events
from lab.trace.recorder import Request, recording

EPILOG: Final = """\
COMMAND is a line for the shell. Times are those of the run, the tracer's own cost included: read
the order and the number of messages from a trace, and the price from `twinos bench`.
Open FILE at https://ui.perfetto.dev or in chrome://tracing.

examples:
  twinos trace 'ls /bin'
  twinos trace 'ls -R / | wc -l' -o trace.json
  twinos trace 'cat /bin/cat' --kernel monolithic --kernel microkernel -o both.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("command", metavar="COMMAND", help="what to trace")
    add("--kernel", action="append", metavar="K", help="may be given again; microkernel")
    add("--image", metavar="I", help="an image on the host; without it, a disk in memory")
    add("-o", "--output", metavar="FILE", help="write Chrome trace events there")


def execute(arguments: argparse.Namespace) -> int:
    """Trace it under each kernel; the status of the last."""
    kernels = list(dict.fromkeys(arguments.kernel or ["microkernel"]))
    for kernel in kernels:
        parse(kernel)
    runs: dict[str, Sequence[Request]] = {}
    status = 0
    for kernel in kernels:
        status, runs[kernel] = _trace(kernel, arguments.image, arguments.command)
    if arguments.output:
        _write(arguments.output, trace_events(runs))
    return status


def _trace(kernel: str, image: str | None, command: str) -> tuple[int, Sequence[Request]]:
    with recording() as record, Machine(kernel, image, record=record) as machine:
        record.switch(on=True)
        status = run_script(machine, command, "sh", [])
        record.switch(on=False)
        requests = record.taken()
        sys.stdout.flush()
        show(requests, crosses(machine), kernel)
    return status, requests


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}.") from error
