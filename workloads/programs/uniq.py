"""uniq: one of lines that are the same and follow each other."""

from itertools import groupby

from servers.process import Process
from workloads.programs._common import lines, options, put


def main(process: Process, *arguments: str) -> int:
    """`uniq [-cdu] [FILE]`."""
    given, paths = options(process, arguments, "cdu")
    try:
        found = [line.removesuffix(b"\n") for line in lines(process, paths[0] if paths else "-")]
    except OSError as error:
        return process.complain(paths[0], error)
    for line, same in groupby(found):
        count = len(list(same))
        if ("d" in given and count == 1) or ("u" in given and count > 1):
            continue
        put(process, (f"{count:7} ".encode() if "c" in given else b"") + line + b"\n")
    return 0
