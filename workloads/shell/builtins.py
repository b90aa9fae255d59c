"""What the shell does itself, because it changes the shell, or is not worth a process."""

from __future__ import annotations

import signal
from typing import Final, NoReturn

from workloads.shell.commands import Builtin
from workloads.shell.conditions import Conditions
from workloads.shell.interpreter import Shell
from workloads.shell.leaving import Leave, Loop, Return
from workloads.shell.printing import echo, printf
from workloads.shell.settings import SETTINGS, quoted
from workloads.shell.state import ShellFault, count_of


def cd(shell: Shell, arguments: list[str]) -> int:
    """Change the working directory: HOME without one, the last one for `-`."""
    target = arguments[0] if arguments else shell.state.get("HOME") or "/"
    shown = target == "-"
    if shown:
        target = shell.state.get("OLDPWD") or "/"
    files = shell.process.files
    old = files.getcwd()
    try:
        files.chdir(target)
    except OSError:
        raise ShellFault(f"cd: can't cd to {target}") from None
    shell.state.put("OLDPWD", old)
    shell.state.put("PWD", files.getcwd())
    if shown:
        shell.process.stdout.write(f"{files.getcwd()}\n")
    return 0


def pwd(shell: Shell, _arguments: list[str]) -> int:
    """Say which the working directory is."""
    shell.process.stdout.write(f"{shell.process.files.getcwd()}\n")
    return 0


def echo_(shell: Shell, arguments: list[str]) -> int:
    """Write the arguments."""
    shell.process.stdout.write(echo(arguments))
    return 0


def printf_(shell: Shell, arguments: list[str]) -> int:
    """Write the arguments as a format says."""
    text, complaint = printf(arguments)
    shell.process.stdout.write(text)
    return shell.process.complain(complaint) if complaint else 0


def test(shell: Shell, arguments: list[str]) -> int:
    """Whether something holds."""
    return int(not Conditions(shell.process, list(arguments)).hold())


def bracket(shell: Shell, arguments: list[str]) -> int:
    """The same, up to a closing bracket."""
    if arguments[-1:] != ["]"]:
        raise ShellFault("[: missing ]")
    return test(shell, arguments[:-1])


def true(_shell: Shell, _arguments: list[str]) -> int:
    """Nothing."""
    return 0


def false(_shell: Shell, _arguments: list[str]) -> int:
    """Nothing, in vain."""
    return 1


def exit_(shell: Shell, arguments: list[str]) -> NoReturn:
    """Leave the shell."""
    raise Leave(_status(shell, arguments, "exit") & 0xFF)


def return_(shell: Shell, arguments: list[str]) -> NoReturn:
    """Leave a function or a sourced file."""
    status = _status(shell, arguments, "return")
    raise Return(status) if shell.in_function else Leave(status)


def break_(shell: Shell, arguments: list[str]) -> int:
    """Leave a loop."""
    return _leave_loop(shell, arguments, again=False)


def continue_(shell: Shell, arguments: list[str]) -> int:
    """Go on with the next turn of a loop."""
    return _leave_loop(shell, arguments, again=True)


def _leave_loop(shell: Shell, arguments: list[str], *, again: bool) -> int:
    levels = count_of(arguments[0], "break") if arguments else 1
    if levels < 1:
        raise ShellFault(f"Illegal number: {arguments[0]}")
    if shell.loops:
        raise Loop(min(levels, shell.loops), again=again)
    return 0


def eval_(shell: Shell, arguments: list[str]) -> int:
    """Carry out the arguments as a script."""
    if not " ".join(arguments).strip():
        return 0
    return shell.source(" ".join(arguments))


def dot(shell: Shell, arguments: list[str]) -> int:
    """Carry out a file in this shell."""
    if not arguments:
        raise ShellFault(".: filename argument required")
    path = arguments[0]
    try:
        fd = shell.process.open(path if "/" in path else shell.launcher.find(path))
    except (OSError, ShellFault):
        raise ShellFault(f".: cannot open {path}: No such file") from None
    text = b"".join(iter(lambda: shell.process.read(fd, 1 << 16), b""))
    shell.process.close(fd)
    shell.state.status = 0
    return shell.source(text.decode(errors="surrogateescape"))


def exec_(shell: Shell, arguments: list[str]) -> int:
    """Be a program from now on; without one, only the redirections last."""
    if not arguments:
        return 0
    shell.process.stdout.flush()
    if shell.process.is_program:
        shell.launcher.replace(arguments, shell.mapping())
    pid = shell.launcher.program(arguments, shell.mapping(), {}, -1)
    job = shell.jobs.new("")
    job.last, job.statuses[pid] = pid, None
    raise Leave(shell.wait(job))


def trap(shell: Shell, arguments: list[str]) -> int:
    """Say what is to be done when the shell ends, or a signal comes."""
    if not arguments:
        for name, action in shell.traps.items():
            shell.process.stdout.write(f"trap -- {quoted(action)} {name}\n")
        return 0
    action, names = arguments[0], arguments[1:]
    if not names:
        action, names = "-", arguments
    for given in names:
        name = _signal_name(given)
        number = 0 if name == "EXIT" else int(signal.Signals[f"SIG{name}"])
        if action == "-":
            shell.traps.pop(name, None)
            if number:
                shell.process.signal(number, signal.SIG_DFL)
        else:
            shell.traps[name] = action
            if number:
                shell.process.signal(number, shell.trap if action else signal.SIG_IGN)
    return 0


def _signal_name(given: str) -> str:
    name = given.upper().removeprefix("SIG")
    if name in {"0", "EXIT"}:
        return "EXIT"
    try:
        number = signal.Signals(int(name)) if name.isdecimal() else signal.Signals[f"SIG{name}"]
    except (KeyError, ValueError):
        raise ShellFault(f"trap: {given}: bad trap", 1) from None
    return number.name.removeprefix("SIG")


def type_(shell: Shell, arguments: list[str]) -> int:
    """Say what a name means."""
    status = 0
    for name in arguments:
        meaning = _meaning(shell, name)
        if meaning:
            shell.process.stdout.write(f"{name} is {meaning}\n")
        else:
            shell.process.stdout.write(f"{name}: not found\n")
            status = 127
    return status


def _meaning(shell: Shell, name: str) -> str:
    if name in shell.state.functions:
        return "a shell function"
    if name in shell.builtins:
        return f"a {'special ' * (name in SPECIAL)}shell builtin"
    try:
        return shell.launcher.find(name)
    except ShellFault:
        return ""


def command(shell: Shell, arguments: list[str]) -> int:
    """Carry out a command that no function hides; with `-v`, say where it is."""
    if arguments[:1] == ["-v"]:
        for name in arguments[1:]:
            if name in shell.builtins or name in shell.state.functions:
                shell.process.stdout.write(f"{name}\n")
                return 0
            try:
                shell.process.stdout.write(f"{shell.launcher.find(name)}\n")
            except ShellFault:
                return 127
        return 0
    if not arguments:
        return 0
    name = arguments[0]
    if name in shell.builtins:
        return shell.builtins[name](shell, arguments[1:])
    pid = shell.launcher.program(arguments, shell.mapping(), {}, -1)
    job = shell.jobs.new(" ".join(arguments))
    job.last, job.statuses[pid] = pid, None
    return shell.wait(job)


def _status(shell: Shell, arguments: list[str], name: str) -> int:
    return count_of(arguments[0], name) if arguments else shell.state.status


SPECIAL: Final = frozenset(
    (
        *(":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return"),
        *("set", "shift", "trap", "unset"),
    )
)

BUILTINS: Final[dict[str, Builtin]] = {
    **SETTINGS,
    ":": true,
    ".": dot,
    "[": bracket,
    "break": break_,
    "cd": cd,
    "command": command,
    "continue": continue_,
    "echo": echo_,
    "eval": eval_,
    "exec": exec_,
    "exit": exit_,
    "false": false,
    "printf": printf_,
    "pwd": pwd,
    "return": return_,
    "test": test,
    "trap": trap,
    "true": true,
    "type": type_,
}
