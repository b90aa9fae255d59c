"""`twinos shell`: programs, processes and services, to use and to break."""

import argparse
import sys
from pathlib import Path
from typing import Final

from lab.shell.machine import Machine
from lab.shell.options import add_machine, check_machine, leave_in_order
from lab.shell.terminal import Terminal, run_script
from lab.trace.recorder import recording

EPILOG: Final = """\
In the shell: pipes, redirections, jobs, quotes, patterns, variables, if, for, while, case,
functions, as in sh; the programs in /bin; and, for the lesson,

  crash SERVICE    a wild pointer in its process: who survives it?
  hang SERVICE     its process does nothing any more
  count COMMAND    the command, and its messages, bytes and time
  trace on|off     each command is followed by its messages

The exit status is the script's, as sh gives it.

examples:
  twinos shell
  twinos shell --kernel monolithic -c 'ls -R / | grep py | wc -l'
  twinos shell -c 'crash FileSystem; ls /; status'
  twinos shell --image disk.img script.sh argument
"""

MISSING: Final = 127
UNREADABLE: Final = 126


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add_machine(parser)
    add = parser.add_argument
    add("-c", dest="script", metavar="SCRIPT", help="carry out a script and leave")
    add("file", nargs="?", metavar="FILE", help="carry out a file of the host and leave")
    add("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="for it: $1, $2, ...")


def execute(arguments: argparse.Namespace) -> int:
    """Carry out a script, or what is typed."""
    rest = [argument for argument in (arguments.file, *arguments.arguments) if argument is not None]
    check_machine(arguments, "shell")
    name, text = "sh", arguments.script
    if text is not None:
        name, rest = (rest[0], rest[1:]) if rest else (name, rest)
    elif rest:
        name, *rest = rest
        status, text = _script(name)
        if status:
            return status
    terminal = text is None and sys.stdin.isatty() and sys.stdout.isatty()
    if text is None and not terminal:
        text = sys.stdin.read()
    leave_in_order()
    with (
        recording() as record,
        Machine(
            arguments.kernel,
            arguments.image,
            terminal=terminal,
            record=record,
            scheduler=arguments.scheduler,
            limits=arguments.limit,
        ) as machine,
    ):
        if text is None:
            return Terminal(machine).run()
        return run_script(machine, text, name, rest)


def _script(path: str) -> tuple[int, str]:
    """What a file of the host has, or the status of its absence."""
    try:
        return 0, Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        print(f"sh: 0: cannot open {path}: {error.strerror}", file=sys.stderr)
        return MISSING if isinstance(error, FileNotFoundError) else UNREADABLE, ""
