"""sh: the shell, as a program."""

from servers.process import Process
from workloads.shell.builtins import BUILTINS, SPECIAL
from workloads.shell.controls import CONTROLS
from workloads.shell.interpreter import Shell
from workloads.shell.launching import ERRAND, read_errand
from workloads.shell.leaving import Leave
from workloads.shell.state import State, Variable


def main(process: Process, *arguments: str) -> int:
    """Carry out a list for another shell, a text (`-c`), a file, or standard input."""
    if arguments[:1] == (ERRAND,):
        return _errand(process, arguments[1])
    state = State(
        {name: Variable(value, exported=True) for name, value in process.environ.items()},
        pid=process.pid,
        name=process.name,
    )
    rest = list(arguments)
    while rest and rest[0][:1] == "-" and rest[0] not in {"-", "--", "-c"} and "c" not in rest[0]:
        state.options += rest.pop(0)[1:]
    if rest and rest[0][:1] == "-" and "c" in rest[0]:
        state.options += rest.pop(0)[1:].replace("c", "")
        if not rest:
            process.complain("0: -c requires an argument")
            return 2
        text = rest.pop(0)
        if rest:
            process.name = state.name = rest.pop(0)
    else:
        text = _text(process, rest, state)
    state.arguments = rest
    return new_shell(process, state).run(text)


def new_shell(process: Process, state: State) -> Shell:
    """A shell with all builtins."""
    return Shell(process, state, BUILTINS | CONTROLS, SPECIAL)


def _text(process: Process, rest: list[str], state: State) -> str:
    """The script: a file, whose name is taken from the arguments, or standard input."""
    fd = 0
    if rest and rest[0] not in {"-", "--"}:
        process.name = state.name = path = rest.pop(0)
        try:
            fd = process.open(path)
        except OSError as error:
            process.complain(f"0: cannot open {path}", error)
            process.exit(2 if not isinstance(error, FileNotFoundError) else 127)
    text = b"".join(iter(lambda: process.read(fd, 1 << 16), b""))
    if fd:
        process.close(fd)
    return text.decode(errors="surrogateescape")


def _errand(process: Process, text: str) -> int:
    errand = read_errand(text)
    process.name = errand.state.name
    shell = new_shell(process, errand.state)
    try:
        shell.sequence(errand.body)
    except Leave as leave:
        shell.state.status = leave.status
    return shell.finish()
