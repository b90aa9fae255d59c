"""The interpreter: carries out the tree."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from workloads.shell import patterns
from workloads.shell.commands import Commands
from workloads.shell.leaving import Leave, Loop
from workloads.shell.parser import Parser
from workloads.shell.state import ShellFault
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


class Shell(Commands):
    """A shell: lists, pipelines, conditions and loops."""

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

    def sequence(self, sequence: Sequence) -> int:
        """Lists one after the other."""
        for and_or, background in sequence.items:
            if background:
                self._in_background(and_or)
            else:
                self._and_or(and_or)
            self._run_traps()
            self.after()
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
            return self.simple(command, text)
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
