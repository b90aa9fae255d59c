"""ln: give a file another name, or make a symbolic link."""

from contextlib import suppress

from servers.process import Process
from workloads.programs._common import into, is_directory, name_in, options, usage


def main(process: Process, *arguments: str) -> int:
    """`ln [-fns] TARGET... [NAME]`."""
    given, paths = options(process, arguments, "fns")
    if not paths:
        usage(process, "missing file operand")
    *targets, name = paths if len(paths) > 1 else [*paths, name_in(paths[0])]
    if len(targets) > 1 and not is_directory(process, name):
        return process.complain(f"target '{name}': Not a directory")
    status = 0
    for target in targets:
        link = name if "n" in given else into(process, target, name)
        try:
            if "f" in given:
                with suppress(FileNotFoundError):
                    process.files.unlink(link)
            (process.files.symlink if "s" in given else process.files.link)(target, link)
        except OSError as error:
            kind = "symbolic" if "s" in given else "hard"
            status = process.complain(f"failed to create {kind} link '{link}'", error)
    return status
