"""What a test has: a system to boot with the student's service in it, and ways to say what counts.

    def notes_are_numbered(bench: Bench) -> None:
        with bench.boot(Subject) as system:
            bench.expect("the first number", system[Subject].post("hello"), 0)

A test ends with the first thing that is not as expected.
"""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from kernels import System, boot
from lab.grading.held import run_program, settings
from twinos import Service


class MismatchError(Exception):
    """Something is not as expected.

    Args:
        what: was looked at.
        expected: what it should be, in words.
        came: what it is.
    """

    def __init__(self, what: str, expected: str, came: str) -> None:
        super().__init__(f"{what}: expected {expected}, came {came}")
        self.what = what
        self.expected = expected
        self.came = came


class Bench:
    """The system of one test under one kernel.

    Args:
        kernel: under which.
        files: the student's, by name; the first is the code.
        seed: of this student, lab and test.
        folder: for files of the test; it is removed afterwards.
        slow: how many times slower than usual the machine is.

    Attributes:
        patience: seconds to wait for what should come at once.
        random: chance, the same whenever this student's work is graded.
        figures: numbers for a leaderboard, by name.
    """

    def __init__(
        self, kernel: str, files: Mapping[str, str], seed: str, folder: Path, slow: float = 1.0
    ) -> None:
        self.kernel = kernel
        self.files = files
        self.folder = folder
        self.patience = slow
        self.random = Random(seed)
        self.figures: dict[str, float] = {}

    def boot(
        self,
        *services: type[Service],
        config: Mapping[type[Service], Mapping[str, Any]] | None = None,
    ) -> System:
        """Boot the kernel with `services`; the one called Subject gets the student's code.

        The student's class runs in a process of the system, which a fresh interpreter has started:
        nothing of this process is in its memory. What it prints is kept, and shown when it fails.
        """
        given = {service: dict(values) for service, values in (config or {}).items()}
        for service in services:
            if service.__qualname__ == "Subject":
                given[service] = {**settings(self.files), **given.get(service, {})}
        return boot(self.kernel, *services, config=given, users="process", fresh=True, grace=2.0)

    def run(self, system: System, uid: int = 1000) -> None:
        """Run the student's file as a program of a user, in a process of its own, to its end."""
        given = settings(self.files)
        limit = 8 * self.patience
        with system.user(uid=uid) as user:
            process = user.process(run_program, given["source"], given["file"])
            try:
                status = process.join(limit)
            except TimeoutError:
                process.kill()
                raise MismatchError("the program", "an end", f"none in {limit:g} s") from None
        if status:
            raise MismatchError("the program's exit status", "0", str(status))

    def expect(self, what: str, came: object, expected: object) -> None:
        """Expect a value, of the same type."""
        if type(came) is not type(expected) or came != expected:
            raise MismatchError(what, shown(expected), shown(came))

    def at_most(self, what: str, came: float, limit: float) -> None:
        """Expect a number that is not larger."""
        if not came <= limit:
            raise MismatchError(what, f"at most {limit:,}", f"{came:,}")

    def fails(self, what: str, number: int, request: Callable[..., Any], *arguments: Any) -> None:
        """Expect a request to fail with an errno."""
        name = errno.errorcode[number]
        try:
            came = request(*arguments)
        except OSError as error:
            if error.errno != number or type(error) is not type(OSError(number, "")):
                raise MismatchError(what, f"the error {name}", failure(error)) from error
        else:
            raise MismatchError(what, f"the error {name}", shown(came))

    def true(self, what: str, holds: bool, otherwise: str = "it does not hold") -> None:
        """Expect something that is no single value."""
        if not holds:
            raise MismatchError(what, "that it holds", otherwise)

    def figure(self, name: str, value: float) -> None:
        """A number that students may compare; less is better."""
        self.figures[name] = value


LONGEST = 300


def shown(value: object) -> str:
    """A value in few words."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text):,} characters)"


def harmless(text: str) -> str:
    """A line that was not written by us, without what would move a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def failure(error: BaseException) -> str:
    """An error in a sentence, with its number's name."""
    number = error.errno if isinstance(error, OSError) else None
    name = f" ({errno.errorcode[number]})" if number and number in errno.errorcode else ""
    text = harmless(" ".join(str(error).split())[:1500])
    return f"{type(error).__name__}{name}: {text}" if text else f"{type(error).__name__}{name}"
