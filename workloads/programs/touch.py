"""touch: set the times of files to now, and make those that are missing."""

import os

from servers.process import Process
from workloads.programs._common import lstat, options, usage


def main(process: Process, *arguments: str) -> int:
    """`touch [-c] FILE...`; with -c none is made."""
    given, paths = options(process, arguments, "acm")
    if not paths:
        usage(process, "missing file operand")
    status = 0
    for path in paths:
        try:
            if lstat(process, path) is not None:
                process.files.utime(path)
            elif "c" not in given:
                process.close(process.open(path, os.O_WRONLY | os.O_CREAT))
        except OSError as error:
            status = process.complain(f"cannot touch '{path}'", error)
    return status
