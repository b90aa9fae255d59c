"""Learning privileges: which operations of which service each client did call.

A recorder is a layer in every handle. It notes each client and operation once, in a file, because
under the microkernel every server is a process of its own.
"""

import os
import runpy
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import msgspec

from kernels.boot import observers
from lab import placement
from lab.choice import Choice
from lab.measuring import running
from lab.refusal import Failure, Refusal
from lab.schema import Users
from twinos import Bind, BootError, Op, Service, WiringError, operations
from twinos.errors import describe
from twinos.wiring import needs
from workloads.workload import Workload

Use = tuple[str, str, str]
"""Client, service and operation."""

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


class Recorder(msgspec.Struct, frozen=True):
    """A layer that notes who calls what in the file at `path`; see `kernels.stub.ClientLayer`.

    A struct, so that it may travel to a process that is no fork of this one.
    """

    path: str

    def around(self, bind: Bind, client: str) -> Bind:
        """`bind`, noting the first call of each operation."""

        def recording(operation: Op) -> Callable[..., Any]:
            deliver = bind(operation)
            line = f"{client} {operation.service} {operation.name}\n".encode()
            noted = False

            def recorded(*arguments: Any, **named: Any) -> Any:
                nonlocal noted
                if not noted:
                    noted = True
                    self._note(line)
                return deliver(*arguments, **named)

            return recorded

        return recording

    def _note(self, line: bytes) -> None:
        file = os.open(self.path, _FLAGS)
        try:
            os.write(file, line)
        finally:
            os.close(file)


@contextmanager
def recording() -> Iterator[Callable[[], set[Use]]]:
    """Record in every system that is booted meanwhile; what has been used so far."""
    with tempfile.NamedTemporaryFile("r", prefix="twinos-privileges-") as file:

        def used() -> set[Use]:
            file.seek(0)
            return {(client, service, name) for client, service, name in map(str.split, file)}

        recorder = Recorder(file.name)
        observers.append(recorder)
        try:
            yield used
        finally:
            observers.remove(recorder)


def run_workloads(kernel: Choice, workloads: Iterable[Workload]) -> None:
    """Run each workload once, in a system of its own.

    Raises:
        Refusal: the kernel does not boot.
        Failure: a workload failed.
    """
    for workload in workloads:
        cpus = placement.choose("one")
        try:
            users: Users = "process" if workload.processes else "inline"
            system = kernel.boot(workload.services, workload.config, users, cpus, count=False)
        except (OSError, WiringError, BootError) as error:
            raise Refusal(f"{kernel.name} does not boot: {describe(error)}.") from error
        with system, running(workload, system) as operation:
            operation.check(operation.call())
            if operation.reset:
                operation.reset()


def run_program(path: str) -> list[type[Service]]:
    """Run a Python program that boots what it likes; the services that it has.

    Raises:
        Refusal: there is none.
        Failure: it failed.
    """
    if not os.path.isfile(path):
        raise Refusal(f"{path}: there is no such program.")
    given, sys.argv = sys.argv, [path]
    try:
        found = runpy.run_path(path, run_name="__main__").values()
        return [each for each in found if isinstance(each, type) and issubclass(each, Service)]
    except SystemExit as stop:
        raise Failure(f"{path} left with {stop.code!r}: it is to end by itself.") from None
    except Exception as error:  # a program may fail in any way
        raise Failure(f"{path}: {describe(error)}.") from error
    finally:
        sys.argv = given


class Lesson(NamedTuple):
    """What was learned of one handle.

    Attributes:
        client: the service whose constructor names it.
        parameter: by which name.
        service: to which service it leads.
        allowed: the operations that it allows, in order.
        used: those of them that were called, by any handle of the client to that service.
        operations: how many the service has.
    """

    client: str
    parameter: str
    service: str
    allowed: tuple[str, ...]
    used: tuple[str, ...]
    operations: int

    @property
    def too_much(self) -> tuple[str, ...]:
        """What it allows and nobody called."""
        return tuple(name for name in self.allowed if name not in self.used)

    @property
    def manifest(self) -> str:
        """The least declaration that would do."""
        if len(self.used) == self.operations:
            return f"{self.parameter}: {self.service}"
        listed = ", ".join(f'"{name}"' for name in self.used)
        return f"{self.parameter}: Annotated[{self.service}, only({listed})]"


def lessons(clients: Iterable[type[Service]], used: set[Use]) -> Iterator[Lesson]:
    """What was learned of every handle of those clients that were used at all."""
    seen = {client for client, _, _ in used} | {service for _, service, _ in used}
    for client in clients:
        if client.__name__ not in seen:
            continue
        asked = needs(client)
        for name, service in asked.handles.items():
            allowed = [each for each in operations(service) if each in asked.allowed[name]]
            called = [each for each in allowed if (client.__name__, service.__name__, each) in used]
            yield Lesson(
                client.__name__,
                name,
                service.__name__,
                tuple(allowed),
                tuple(called),
                len(operations(service)),
            )
