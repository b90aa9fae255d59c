"""kill: send a signal to processes."""

from servers.process import Process
from workloads.programs._common import usage
from workloads.shell.controls import signal_of
from workloads.shell.state import ShellFault


def main(process: Process, *arguments: str) -> int:
    """`kill [-s SIGNAL | -SIGNAL] PID...`; SIGTERM by default."""
    rest = list(arguments)
    name = "TERM"
    if rest[:1] == ["-s"] and len(rest) > 1:
        name, rest = rest[1], rest[2:]
    elif rest and rest[0].startswith("-") and rest[0] != "--":
        name, rest = rest[0][1:], rest[1:]
    if not rest:
        usage(process, "which process?")
    try:
        number = signal_of(name)
    except ShellFault:
        usage(process, f"invalid signal '{name}'")
    status = 0
    for pid in rest:
        try:
            process.kill(int(pid), number)
        except ValueError:
            status = process.complain(f"'{pid}' is no process")
        except OSError as error:
            status = process.complain(f"({pid})", error)
    return status
