"""`twinos shell`: programs, processes and services, to use and to break."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Final, NoReturn

from kernels.scheduling import policies
from lab.refusal import Refusal, unknown
from lab.shell.machine import Machine
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
  twinos shell -c 'crash FileSystem; ls /'
  twinos shell --image disk.img script.sh argument
"""

MISSING: Final = 127
UNREADABLE: Final = 126


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--kernel", default="microkernel", metavar="K", help="microkernel by default")
    add("--image", metavar="I", help="an image on the host; without it, a disk in memory")
    add("--scheduler", metavar="P", help=f"which request is next: {', '.join(policies())}")
    add("--limit", action="append", default=[], metavar="NAME=VALUE", help="see `twinos limits`")
    add("-c", dest="script", metavar="SCRIPT", help="carry out a script and leave")
    add("file", nargs="?", metavar="FILE", help="carry out a file of the host and leave")
    add("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="for it: $1, $2, ...")


def execute(arguments: argparse.Namespace) -> int:
    """Carry out a script, or what is typed."""
    rest = [argument for argument in (arguments.file, *arguments.arguments) if argument is not None]
    if arguments.image is not None and not os.path.exists(arguments.image):
        raise Refusal(f"there is no image {arguments.image!r}; `twinos image create` makes one.")
    if arguments.scheduler not in {None, *policies()}:
        raise unknown("scheduler", arguments.scheduler, policies(), "twinos shell --help")
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
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _leave)  # in good order: nothing stays behind
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


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _script(path: str) -> tuple[int, str]:
    """What a file of the host has, or the status of its absence."""
    try:
        return 0, Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        print(f"sh: 0: cannot open {path}: {error.strerror}", file=sys.stderr)
        return MISSING if isinstance(error, FileNotFoundError) else UNREADABLE, ""
