"""Simple commands: builtins, functions, programs; and what a shell consists of."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from servers.process import Killed, Process, reason_of
from workloads.shell.expansion import Expansion, Host
from workloads.shell.jobs import Job, Jobs, last_words
from workloads.shell.launching import Launcher
from workloads.shell.leaving import Return
from workloads.shell.redirection import Mapping, Redirections
from workloads.shell.state import ShellFault, State, Variable
from workloads.shell.syntax import Command, Sequence, Simple, SyntaxFault

if TYPE_CHECKING:
    from workloads.shell.interpreter import Shell

Builtin = Callable[["Shell", list[str]], int]
MOST_CALLS: Final = 500
"""Functions in one another."""
SYNTAX: Final = 2
_KEYS: Final = frozenset([128 + signal.SIGINT, 128 + signal.SIGTSTP])


class Commands:
    """A shell, as far as simple commands need it.

    Args:
        process: what it runs as.
        state: what it knows.
        builtins: what it does itself.
        special: those of them before which an assignment lasts, and whose faults end a script.
    """

    def __init__(
        self,
        process: Process,
        state: State,
        builtins: dict[str, Builtin],
        special: frozenset[str] = frozenset(),
    ) -> None:
        self.process = process
        self.state = state
        self.builtins = builtins
        self.interactive = False
        self.after: Callable[[], None] = lambda: None  # called when a command has been carried out
        self.line = 1
        self.traps: dict[str, str] = {}
        self._special = special
        self.expansion = Expansion(state, Host(self._capture, self._names, self._exists))
        self.redirections = Redirections(process, self.expansion)
        self.jobs = Jobs(process, self._interrupt)
        self.launcher = Launcher(process, state, self.expansion, self.redirections, self._is_ours)
        self._tested = 0  # depth of conditions, in which a failure is no reason to leave
        self._calls = 0
        self._loops = 0
        self._locals: list[dict[str, Variable | None]] = []
        self._due: list[int] = []  # signals whose traps are to be run

    def command(self, command: Command, text: str = "") -> int:
        """One command; its status."""
        raise NotImplementedError

    def report(self, fault: ShellFault | SyntaxFault, fd: int | None = 2) -> None:
        """Say what was wrong, by a descriptor; it is `$?` from now on."""
        is_syntax = isinstance(fault, SyntaxFault)
        line = fault.line if isinstance(fault, SyntaxFault) else self.line
        text = f"Syntax error: {fault}" if is_syntax else str(fault)
        if fd is not None:
            self.launcher.say(f"{self.state.name}: {line}: {text}", fd)
        self.state.status = SYNTAX if isinstance(fault, SyntaxFault) else fault.status

    @property
    def _group(self) -> int:
        """For a new job: a group of its own at a terminal, else the shell's."""
        return 0 if self.interactive else -1

    def mapping(self) -> Mapping:
        """What a command inherits."""
        return {fd: fd for fd in self.process.inheritable()}

    def wait(self, job: Job) -> int:
        """Wait for a job in the foreground; `$?`."""
        status = self.jobs.wait(job)
        if self.interactive and status in _KEYS:
            self.process.stderr.write("\n")  # after the ^C or ^Z that the terminal shows
        if job.stopped:
            self.process.stderr.write(f"[{job.number}] Stopped\t{job.text}\n")
        elif words := last_words(status):
            self.process.stderr.write(f"{words}\n")
        return status

    def simple(self, command: Simple, text: str) -> int:
        """Carry out a simple command; its status."""
        self.line = command.line or self.line
        self._substituted = 0
        arguments = self.expansion.fields(command.words)
        if not arguments:
            return self._assign_only(command)
        name = arguments[0]
        self._trace(command, arguments)
        try:
            if name in self.state.functions:
                return self._with(command, name, lambda: self._call(name, arguments[1:]))
            if name in self.builtins:
                return self._with(command, name, lambda: self._builtin(name, arguments))
            return self._program(command, arguments, text)
        except ShellFault as fault:
            if name in self._special and not self.interactive:
                raise
            self.report(fault)
            return fault.status
        except BrokenPipeError:
            raise
        except (OSError, OverflowError) as error:
            self.launcher.say(f"{self.state.name}: {self.line}: {name}: {reason_of(error)}", 2)
            return 1

    _substituted = 0

    def _assign_only(self, command: Simple) -> int:
        with self.redirections.within(command.redirects):
            for name, word in command.assignments:
                self.state.put(name, self.expansion.text(word))
        return self._substituted

    def _program(self, command: Simple, arguments: list[str], text: str) -> int:
        job = self.jobs.new(text or " ".join(arguments))
        mapping = self.mapping()
        extra = {name: self.expansion.text(word) for name, word in command.assignments}
        opened = self.redirections.apply(command.redirects, mapping)
        try:
            job.last = self.launcher.program(arguments, mapping, extra, self._group)
        except ShellFault as fault:
            self.report(fault, mapping.get(2))
            return fault.status
        finally:
            self.redirections.close(opened)
        job.statuses[job.last] = None
        job.group = job.last if self.interactive else 0
        return self.wait(job)

    def _with(self, command: Simple, name: str, call: Callable[[], int]) -> int:
        """Call something of ours with a command's redirections and assignments."""
        lasting, keep = name in self._special, name == "exec"
        saved: dict[str, Variable | None] = {}
        with self.redirections.within(command.redirects, keep=keep):
            for variable, word in command.assignments:
                if not lasting:
                    saved.setdefault(variable, self.state.variables.get(variable))
                self.state.variables[variable] = Variable(
                    self.expansion.text(word), exported=not lasting
                )
            try:
                return call()
            finally:
                self.restore(saved)

    def restore(self, saved: dict[str, Variable | None]) -> None:
        """Give variables back what they were."""
        for name, variable in saved.items():
            if variable is None:
                self.state.variables.pop(name, None)
            else:
                self.state.variables[name] = variable

    def _builtin(self, name: str, arguments: list[str]) -> int:
        status = self.builtins[name](self, arguments[1:])  # type: ignore[arg-type]  # a Shell is made of it
        self.process.stdout.flush()
        return status

    def _call(self, name: str, arguments: list[str]) -> int:
        if self._calls >= MOST_CALLS:
            raise ShellFault(f"{name}: maximum function recursion depth reached")
        before, self.state.arguments = self.state.arguments, arguments
        loops, self._loops = self._loops, 0
        self._calls += 1
        self._locals.append({})
        try:
            return self.command(self.state.functions[name])
        except Return as returned:
            return returned.status
        finally:
            self.restore(self._locals.pop())
            self._calls -= 1
            self._loops = loops
            self.state.arguments = before

    def localize(self, name: str) -> None:
        """`local`: a variable gets its value back when the function returns. ShellFault."""
        if not self._locals:
            raise ShellFault("local: not in a function")
        old = self.state.variables.get(name)
        self._locals[-1].setdefault(
            name, None if old is None else Variable(old.value, old.exported, old.readonly)
        )

    @property
    def in_function(self) -> bool:
        """Whether a function is being carried out."""
        return self._calls > 0

    def _trace(self, command: Simple, arguments: list[str]) -> None:
        if "x" in self.state.options:
            given = [f"{name}={self.expansion.text(word)}" for name, word in command.assignments]
            self.process.stderr.write(f"+ {' '.join(given + arguments)}\n")

    def _is_ours(self, name: str) -> bool:
        return name in self.state.functions or name in self.builtins

    def _interrupt(self, job: Job) -> None:
        """Ctrl-C at the terminal: it is for the job in the foreground."""
        if job.group:
            with suppress(ProcessLookupError):
                self.process.kill(-job.group, signal.SIGINT)
        else:
            for pid, status in job.statuses.items():
                if status is None:
                    with suppress(ProcessLookupError):
                        self.process.kill(pid, signal.SIGINT)
            raise Killed(signal.SIGINT)

    def _capture(self, body: Sequence) -> str:
        source, sink = self.launcher.private_pipe()
        mapping = self.mapping() | {1: sink}
        job = self.jobs.new("")
        try:
            job.last = self.launcher.subshell(body, mapping)
        finally:
            self.process.close(sink)
        job.statuses[job.last] = None
        pieces = iter(lambda: self.process.read(source, 1 << 16), b"")
        text = b"".join(pieces).decode(errors="surrogateescape")
        self.process.close(source)
        self._substituted = self.state.status = self.jobs.wait(job)
        return text.replace("\0", "")

    def _names(self, directory: str) -> tuple[str, ...]:
        try:
            return self.process.files.listdir(directory)
        except OSError:
            return ()

    def _exists(self, path: str) -> bool:
        try:
            self.process.files.lstat(path)
        except OSError:
            return False
        return True
