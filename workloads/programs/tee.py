"""tee: write the input to the output, and to files."""

import os

from servers.process import Process
from workloads.programs._common import PIECE, options


def main(process: Process, *arguments: str) -> int:
    """`tee [-a] [FILE...]`; -a appends."""
    given, paths = options(process, arguments, "a")
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if "a" in given else os.O_TRUNC)
    status, sinks = 0, [1]
    for path in paths:
        try:
            sinks.append(process.open(path, flags))
        except OSError as error:
            status = process.complain(path, error)
    while data := process.read(0, PIECE):
        for sink in sinks:
            process.write_all(sink, data)
    return status
