"""What the shell does itself, because it changes the shell, or is not worth a process."""

from __future__ import annotations

import signal
from typing import Final, NoReturn

from workloads.shell.conditions import Conditions
from workloads.shell.interpreter import Builtin, Leave, Loop, Return, Shell
from workloads.shell.printing import echo, printf
from workloads.shell.state import NAME, ShellFault, Variable

OPTIONS: Final = {"a": "allexport", "e": "errexit", "f": "noglob", "u": "nounset", "x": "xtrace"}


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
    levels = _number(arguments[0], "break") if arguments else 1
    if levels < 1:
        raise ShellFault(f"Illegal number: {arguments[0]}")
    if shell.loops:
        raise Loop(min(levels, shell.loops), again=again)
    return 0


def export(shell: Shell, arguments: list[str]) -> int:
    """Have programs know variables."""
    return _mark(shell, arguments, "export")


def readonly(shell: Shell, arguments: list[str]) -> int:
    """Let variables be changed no more."""
    return _mark(shell, arguments, "readonly")


def _mark(shell: Shell, arguments: list[str], how: str) -> int:
    variables = shell.state.variables
    if not arguments or arguments == ["-p"]:
        for name, variable in sorted(variables.items()):
            if variable.exported if how == "export" else variable.readonly:
                value = "" if variable.value is None else f"={quoted(variable.value)}"
                shell.process.stdout.write(f"{how} {name}{value}\n")
        return 0
    for argument in arguments:
        name, equals, value = argument.partition("=")
        _check_name(name, how)
        if equals:
            shell.state.put(name, value)
        variable = variables.setdefault(name, Variable())
        if how == "export":
            variable.exported = True
        else:
            variable.readonly = True
    return 0


def local(shell: Shell, arguments: list[str]) -> int:
    """Have variables get their values back when the function returns."""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        _check_name(name, "local")
        shell.localize(name)
        if equals:
            shell.state.put(name, value)
    return 0


def unset(shell: Shell, arguments: list[str]) -> int:
    """Forget variables, or with `-f` functions."""
    functions = arguments[:1] == ["-f"]
    for name in arguments[1:] if arguments[:1] in (["-f"], ["-v"]) else arguments:
        if functions:
            shell.state.functions.pop(name, None)
        elif name in shell.state.variables and shell.state.variables[name].readonly:
            raise ShellFault(f"unset: {name}: is read only")
        else:
            shell.state.variables.pop(name, None)
    return 0


def set_(shell: Shell, arguments: list[str]) -> int:
    """Set options and positional parameters; without either, list the variables."""
    if not arguments:
        for name, variable in sorted(shell.state.variables.items()):
            if variable.value is not None:
                shell.process.stdout.write(f"{name}={quoted(variable.value)}\n")
        return 0
    rest = list(arguments)
    while rest and rest[0][:1] in {"-", "+"} and len(rest[0]) > 1 and rest[0] != "--":
        option = rest.pop(0)
        letters = option[1:]
        if letters == "o" and rest:
            long = rest.pop(0)
            letters = next((letter for letter, name in OPTIONS.items() if name == long), "?")
        for letter in letters:
            _set_option(shell, letter, on=option[0] == "-")
    if rest[:1] == ["--"]:
        shell.state.arguments = rest[1:]
    elif rest:
        shell.state.arguments = rest
    return 0


def _set_option(shell: Shell, letter: str, *, on: bool) -> None:
    if letter not in OPTIONS:
        raise ShellFault(f"set: Illegal option -{letter}")
    options = set(shell.state.options)
    options = options | {letter} if on else options - {letter}
    shell.state.options = "".join(sorted(options))


def shift(shell: Shell, arguments: list[str]) -> int:
    """Forget the first positional parameters."""
    count = _number(arguments[0], "shift") if arguments else 1
    if not 0 <= count <= len(shell.state.arguments):
        raise ShellFault("shift: can't shift that many")
    del shell.state.arguments[:count]
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
    pid = shell.launcher.program(arguments, shell.mapping(), {}, -1)
    job = shell.jobs.new("")
    job.last, job.statuses[pid] = pid, None
    raise Leave(shell.wait(job))


def umask(shell: Shell, arguments: list[str]) -> int:
    """Set, or say, which permissions new files don't get."""
    files = shell.process.files
    if arguments:
        try:
            files.umask(int(arguments[0], 8))
        except ValueError:
            raise ShellFault(f"umask: Illegal number: {arguments[0]}") from None
        return 0
    files.umask(mask := files.umask(0))
    shell.process.stdout.write(f"{mask:04o}\n")
    return 0


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


def quoted(text: str) -> str:
    """A text as the shell would read it again."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _status(shell: Shell, arguments: list[str], name: str) -> int:
    return _number(arguments[0], name) if arguments else shell.state.status


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise ShellFault(f"{name}: Illegal number: {text}")
    return int(text)


def _check_name(name: str, who: str) -> None:
    if not NAME.fullmatch(name):
        raise ShellFault(f"{who}: {name}: bad variable name")


SPECIAL: Final = frozenset(
    (
        *(":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return"),
        *("set", "shift", "trap", "unset"),
    )
)

BUILTINS: Final[dict[str, Builtin]] = {
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
    "export": export,
    "false": false,
    "local": local,
    "printf": printf_,
    "pwd": pwd,
    "readonly": readonly,
    "return": return_,
    "set": set_,
    "shift": shift,
    "test": test,
    "trap": trap,
    "true": true,
    "type": type_,
    "umask": umask,
    "unset": unset,
}
