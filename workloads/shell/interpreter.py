"""The interpreter: carries out the tree."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from servers.process import Killed, Process
from workloads.shell import patterns
from workloads.shell.expansion import Expansion, Host
from workloads.shell.jobs import Job, Jobs, last_words
from workloads.shell.launching import Launcher
from workloads.shell.parser import Parser
from workloads.shell.redirection import Mapping, Redirections
from workloads.shell.state import ShellFault, State, Variable
from workloads.shell.syntax import (
    AndOr,
    Case,
    Command,
    For,
    Function,
    Group,
    If,
    Pipeline,
    Sequence,
    Simple,
    Subshell,
    SyntaxFault,
    While,
)

Builtin = Callable[["Shell", list[str]], int]
MOST_CALLS: Final = 500
"""Functions in one another."""
SYNTAX: Final = 2


class Leave(BaseException):
    """`exit`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Return(BaseException):
    """`return`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Loop(BaseException):
    """`break` and `continue`: out of so many loops."""

    def __init__(self, levels: int, *, again: bool) -> None:
        super().__init__(levels)
        self.levels = levels
        self.again = again


class Shell:
    """A shell.

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

    def run(self, text: str) -> int:
        """Carry out a script, and what it said should be done at its end; its status."""
        try:
            self.source(text)
        except Leave as leave:
            self.state.status = leave.status
        except (ShellFault, SyntaxFault) as fault:
            self.report(fault)
        return self.finish()

    def finish(self) -> int:
        """Run the trap of EXIT; the last status."""
        last = self.traps.pop("EXIT", None)
        if last is not None:
            status = self.state.status
            try:
                self.source(last)
                self.state.status = status
            except Leave as leave:
                self.state.status = leave.status
            except (ShellFault, SyntaxFault) as fault:
                self.report(fault)
        return self.state.status

    def source(self, text: str) -> int:
        """Carry out a script, a line at a time; the status of its last command."""
        parser = Parser(text)
        while (line := parser.line()) is not None:
            self.sequence(line)
        return self.state.status

    def report(self, fault: ShellFault | SyntaxFault) -> None:
        """Say what was wrong; it is `$?` from now on."""
        is_syntax = isinstance(fault, SyntaxFault)
        line = fault.line if isinstance(fault, SyntaxFault) else self.line
        text = f"Syntax error: {fault}" if is_syntax else str(fault)
        with suppress(OSError):
            self.process.complain(f"{line}: {text}")
        self.state.status = SYNTAX if isinstance(fault, SyntaxFault) else fault.status

    def sequence(self, sequence: Sequence) -> int:
        """Lists one after the other."""
        for and_or, background in sequence.items:
            if background:
                self._in_background(and_or)
            else:
                self._and_or(and_or)
            self._run_traps()
        return self.state.status

    def _and_or(self, and_or: AndOr) -> None:
        *_, final = and_or.pipelines
        for operator, pipeline in and_or.pipelines:
            if operator and (operator == "&&") != (self.state.status == 0):
                continue
            tested = pipeline is not final[1] or pipeline.negated
            with self._testing() if tested else _nothing():
                self._pipeline(pipeline, and_or.text)
            if not tested:
                self.check_failure()

    def check_failure(self) -> None:
        """With `set -e`, leave after a failure that nobody tests for."""
        if self.state.status and "e" in self.state.options and not self._tested:
            raise Leave(self.state.status)

    def _pipeline(self, pipeline: Pipeline, text: str) -> None:
        if len(pipeline.commands) == 1:
            self.state.status = self.command(pipeline.commands[0], text)
        else:
            job = self.jobs.new(text)
            self.launcher.pipeline(job, pipeline, self.mapping(), self._group)
            self.state.status = self.wait(job)
        if pipeline.negated:
            self.state.status = int(not self.state.status)

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
        if job.stopped:
            self.process.complain(f"[{job.number}] Stopped\t{job.text}")
        elif words := last_words(status):
            self.process.stderr.write(f"{words}\n")
        return status

    def _in_background(self, and_or: AndOr) -> None:
        mapping = self.mapping()
        null = None
        if not self.interactive:
            null = mapping[0] = self.process.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        job = self.jobs.new(and_or.text)
        simple = len(and_or.pipelines) == 1 and not and_or.pipelines[0][1].negated
        pipeline = (
            and_or.pipelines[0][1]
            if simple
            else Pipeline((Subshell(Sequence(((and_or, False),))),))
        )
        self.launcher.pipeline(job, pipeline, mapping, self._group)
        if null is not None:
            self.process.close(null)
        self.state.status = 0
        if job.last:
            self.state.background = job.last
            self.jobs.keep(job)
            if self.interactive:
                self.process.stderr.write(f"[{job.number}] {job.last}\n")

    def command(self, command: Command, text: str = "") -> int:
        """One command; its status."""
        if isinstance(command, Simple):
            return self._simple(command, text)
        if isinstance(command, Function):
            self.state.functions[command.name] = command.body
            return 0
        try:
            with self.redirections.within(command.redirects):
                return self._compound(command, text)
        except ShellFault as fault:
            if not command.redirects or self._tested_fault(fault):
                raise
            self.report(fault)
            return fault.status

    def _tested_fault(self, fault: ShellFault) -> bool:
        """Whether a fault ends the script, and is not only a redirection that failed."""
        return not str(fault).startswith("cannot ")

    def _compound(self, command: Command, text: str) -> int:
        match command:
            case Group(body):
                return self.sequence(body)
            case Subshell(body):
                job = self.jobs.new(text)
                job.last = self.launcher.subshell(body, self.mapping(), self._group)
                job.statuses[job.last] = None
                job.group = job.last if self.interactive else 0
                return self.wait(job)
            case If():
                return self._if(command)
            case While():
                return self._loop(lambda: self._holds(command), lambda: self.sequence(command.body))
            case For():
                return self._for(command)
            case Case():
                return self._case(command)
        raise AssertionError(command)

    def _if(self, command: If) -> int:
        for condition, body in command.branches:
            if self._test(condition):
                return self.sequence(body)
        if command.otherwise is not None:
            return self.sequence(command.otherwise)
        self.state.status = 0
        return 0

    def _test(self, condition: Sequence) -> bool:
        with self._testing():
            return self.sequence(condition) == 0

    def _holds(self, loop: While) -> bool:
        return self._test(loop.condition) != loop.until

    def _for(self, command: For) -> int:
        words = command.words
        values = self.state.arguments if words is None else self.expansion.fields(words)
        rest = iter(list(values))

        def next_value() -> bool:
            value = next(rest, None)
            if value is not None:
                self.state.put(command.name, value)
            return value is not None

        return self._loop(next_value, lambda: self.sequence(command.body))

    def _loop(self, goes_on: Callable[[], bool], body: Callable[[], int]) -> int:
        status = 0
        self._loops += 1
        try:
            while goes_on():
                try:
                    status = body()
                except Loop as loop:
                    status = 0
                    if loop.levels > 1 and self._loops > 1:
                        loop.levels -= 1
                        raise
                    if not loop.again:
                        break
        finally:
            self._loops -= 1
        self.state.status = status
        return status

    @property
    def loops(self) -> int:
        """Loops around the present command."""
        return self._loops

    def _case(self, command: Case) -> int:
        text = self.expansion.text(command.word)
        for choices, body in command.branches:
            if any(patterns.matches(self.expansion.pattern(one), text) for one in choices):
                self.state.status = 0
                return self.sequence(body)
        self.state.status = 0
        return 0

    def _simple(self, command: Simple, text: str) -> int:
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
        status = self.builtins[name](self, arguments[1:])
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

    def trap(self, number: int) -> None:
        """A signal has come for which there is a trap."""
        self._due.append(number)

    def _run_traps(self) -> None:
        while self._due:
            action = self.traps.get(signal.Signals(self._due.pop(0)).name.removeprefix("SIG"))
            if action:
                status = self.state.status
                self.source(action)
                self.state.status = status

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

    @contextmanager
    def _testing(self) -> Iterator[None]:
        self._tested += 1
        try:
            yield
        finally:
            self._tested -= 1


@contextmanager
def _nothing() -> Iterator[None]:
    yield
