"""mv: move or rename files."""

from servers.process import Process
from workloads.programs._common import into, is_directory, options, usage


def main(process: Process, *arguments: str) -> int:
    """`mv [-fn] SOURCE... TARGET`."""
    given, paths = options(process, arguments, "fn")
    if len(paths) < 2:
        usage(process, "missing file operand")
    *sources, target = paths
    if len(sources) > 1 and not is_directory(process, target):
        return process.complain(f"target '{target}': Not a directory")
    status = 0
    for source in sources:
        status |= _move(process, source, into(process, source, target), keep="n" in given)
    return status


def _move(process: Process, source: str, target: str, *, keep: bool) -> int:
    files = process.files
    try:
        before = files.lstat(source)
    except OSError as error:
        return process.complain(f"cannot stat '{source}'", error)
    try:
        there = files.lstat(target)
    except OSError:
        there = None
    if there is not None:
        if keep:
            return 0
        if there.st_ino == before.st_ino:
            return process.complain(f"'{source}' and '{target}' are the same file")
    try:
        files.rename(source, target)
    except OSError as error:
        return process.complain(f"cannot move '{source}' to '{target}'", error)
    return 0
