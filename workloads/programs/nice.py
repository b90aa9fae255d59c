"""nice: a program that lets others go first."""

import os

from servers.process import Process, reason_of
from workloads.programs._common import number, usage

_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


def main(process: Process, *arguments: str) -> int:
    """`nice [-n INCREMENT] [COMMAND [ARGUMENT...]]`: 10 nicer by default; alone: how nice."""
    increment, rest = 10, list(arguments)
    if rest[:1] == ["-n"]:
        if len(rest) < 2:
            usage(process, "option requires an argument -- 'n'", 125)
        increment, rest = number(process, rest[1], "adjustment"), rest[2:]
    if not rest:
        process.stdout.write(f"{process.manager.nice(process.pid, 0)}\n")
        return 0
    try:
        process.manager.nice(process.pid, increment)
    except PermissionError as error:
        process.complain("cannot set niceness", error)
    return _become(process, rest)


def _become(process: Process, command: list[str]) -> int:
    name, status = command[0], _NOT_FOUND
    folders = [""] if "/" in name else process.environ.get("PATH", "/bin").split(":")
    reason: OSError = FileNotFoundError(2, os.strerror(2))
    for folder in folders:
        try:
            process.exec(f"{folder}/{name}" if folder else name, command)
        except FileNotFoundError:
            continue
        except OSError as error:
            status, reason = _NOT_EXECUTABLE, error
    process.complain(f"{name}: {reason_of(reason)}")
    return status
