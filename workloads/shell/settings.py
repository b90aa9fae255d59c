"""Builtins that set something: variables, options, arguments, the umask."""

from __future__ import annotations

from typing import Final

from workloads.shell.commands import Builtin
from workloads.shell.interpreter import Shell
from workloads.shell.state import NAME, ShellFault, Variable, count_of

OPTIONS: Final = {"a": "allexport", "e": "errexit", "f": "noglob", "u": "nounset", "x": "xtrace"}


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
    count = count_of(arguments[0], "shift") if arguments else 1
    if not 0 <= count <= len(shell.state.arguments):
        raise ShellFault("shift: can't shift that many")
    del shell.state.arguments[:count]
    return 0


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


def quoted(text: str) -> str:
    """A text as the shell would read it again."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _check_name(name: str, who: str) -> None:
    if not NAME.fullmatch(name):
        raise ShellFault(f"{who}: {name}: bad variable name")


SETTINGS: Final[dict[str, Builtin]] = {
    "export": export,
    "local": local,
    "readonly": readonly,
    "set": set_,
    "shift": shift,
    "umask": umask,
    "unset": unset,
}
