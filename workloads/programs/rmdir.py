"""rmdir: remove empty directories."""

from servers.process import Process
from workloads.programs._common import options, usage


def main(process: Process, *arguments: str) -> int:
    """`rmdir [-p] DIRECTORY...`; with -p also those above it that become empty."""
    given, paths = options(process, arguments, "p")
    if not paths:
        usage(process, "missing operand")
    status = 0
    for path in paths:
        here = path.rstrip("/") or "/"
        try:
            process.files.rmdir(here)
            while "p" in given and (here := here.rpartition("/")[0]):
                process.files.rmdir(here)
        except OSError as error:
            status = process.complain(f"failed to remove '{here}'", error)
    return status
