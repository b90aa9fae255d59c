"""rm: remove files and trees."""

import stat

from servers.process import Process
from workloads.programs._common import join, name_in, options, ordered, usage


def main(process: Process, *arguments: str) -> int:
    """`rm [-Rfr] FILE...`."""
    given, paths = options(process, arguments, "Rfr")
    deep, force = bool({"R", "r"} & given.keys()), "f" in given
    if not paths and not force:
        usage(process, "missing operand")
    status = 0
    for path in paths:
        if name_in(path) in {".", ".."}:
            what = f"refusing to remove '.' or '..' directory: skipping '{path}'"
            status = process.complain(what)
        elif name_in(path) == "/" and deep:
            status = process.complain("it is dangerous to operate recursively on '/'")
        else:
            status |= _remove(process, path, deep=deep, force=force)
    return status


def _remove(process: Process, path: str, *, deep: bool, force: bool) -> int:
    files = process.files
    try:
        if not stat.S_ISDIR(files.lstat(path).st_mode):
            files.unlink(path)
            return 0
        if not deep:
            return process.complain(f"cannot remove '{path}': Is a directory")
        status = 0
        for name in ordered(process, path):
            status |= _remove(process, join(path, name), deep=True, force=force)
        if not status:
            files.rmdir(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        return 0 if force else process.complain(f"cannot remove '{path}'", error)
    except OSError as error:
        return process.complain(f"cannot remove '{path}'", error)
    return status
