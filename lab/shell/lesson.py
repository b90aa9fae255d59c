"""What makes the shell a lesson: services that crash and hang, messages that can be seen."""

import os
import signal
import time
from contextlib import suppress
from typing import Final

from tabulate import tabulate

from kernels.status import ServerStatus
from lab.meter import descendants, usage
from lab.shell.machine import Machine
from lab.shell.spaces import crosses
from lab.shell.striking import space_of, strike
from lab.trace.chart import show
from servers.filesystem import FileSystem
from twinos import ServerDied, Service, UpdateError
from workloads.shell.commands import Builtin
from workloads.shell.interpreter import Shell
from workloads.shell.state import ShellFault

PATIENCE: Final = 5.0
"""Seconds in which a service that crashed must be there again."""
_STEP: Final = 0.02
PROBES: Final = ("null", "getcwd", "processes", "meminfo", "isatty", "count")
"""Operations that do no harm, the first of which that a service has is asked."""


class Lesson:
    """The builtins that a program has no right to.

    Args:
        machine: what they are done to.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._record = machine.record
        self._shows = False

    @property
    def builtins(self) -> dict[str, Builtin]:
        """By name."""
        return {
            "crash": self.crash,
            "hang": self.hang,
            "update": self.update,
            "status": self.status,
            "count": self.count,
            "trace": self.trace,
        }

    def trace(self, shell: Shell, arguments: list[str]) -> int:
        """`trace on|off`: whether each command is followed by its messages."""
        if self._record is None or arguments not in (["on"], ["off"]):
            raise ShellFault("usage: trace on|off")
        self._shows = arguments == ["on"]
        self._record.taken()
        self._record.switch(on=self._shows)
        del shell
        return 0

    def show_messages(self) -> None:
        """Print the messages of the last command, if that is wanted."""
        if self._record is None or not self._shows:
            return
        self._record.switch(on=False)
        requests = self._record.taken()
        if requests:
            show(requests, crosses(self._machine), self._machine.kernel)
        self._record.switch(on=True)

    def crash(self, shell: Shell, arguments: list[str]) -> int:
        """`crash SERVICE`: a wild pointer in its process."""
        service = self._named(arguments, "crash")
        before = self._strike(service, signal.SIGSEGV)
        shell.process.stdout.write(f"{self._aftermath(service, before)}\n")
        if service is FileSystem:
            with suppress(OSError):  # what it knew of its callers is gone
                shell.process.files.chdir(shell.state.get("PWD") or "/")
        return 0

    def hang(self, shell: Shell, arguments: list[str]) -> int:
        """`hang SERVICE`: its process does nothing any more. `crash` helps."""
        service = self._named(arguments, "hang")
        self._running(service)
        shell.process.stdout.flush()
        shell.process.stderr.write(  # now: it may be what would write it
            f"{service.__name__} hangs: whoever asks it something waits. "
            f"Ctrl-C gives up; `crash {service.__name__}` ends it.\n"
        )
        self._strike(service, signal.SIGSTOP)
        return 0

    def status(self, shell: Shell, arguments: list[str]) -> int:
        """`status`: how those that run are, since when, and how often they began again."""
        if arguments:
            raise ShellFault("usage: status")
        table = [
            ["+".join(one.services), one.state, one.pid, one.restarts, one.uptime, one.verdict]
            for one in self._machine.system.status()
        ]
        heads = ["service", "state", "pid", "restarts", "uptime, s", "last life"]
        shell.process.stdout.write(tabulate(table, heads, floatfmt=".1f") + "\n")
        return 0

    def update(self, shell: Shell, arguments: list[str]) -> int:
        """`update SERVICE MODULE`: other code in place of a service that runs."""
        if len(arguments) != 2:
            raise ShellFault("usage: update SERVICE MODULE")
        service = self._named(arguments[:1], "update")
        try:
            self._machine.system.update(service, arguments[1])
        except UpdateError as error:
            raise ShellFault(f"update: {error}", 1) from error
        except OSError as error:
            raise ShellFault(f"update: {error.strerror}", 1) from error
        shell.process.stdout.write(f"{service.__name__} goes on with the code of {arguments[1]}\n")
        return 0

    def count(self, shell: Shell, arguments: list[str]) -> int:
        """`count COMMAND [ARGUMENT...]`: the command, and what it cost."""
        if not arguments:
            raise ShellFault("usage: count COMMAND [ARGUMENT...]")
        system = self._machine.system
        switched, interrupts = self._switches(), sum(system.interrupts().values())
        before, start = system.counts(), time.perf_counter()
        status = self._command(shell, arguments)
        seconds = time.perf_counter() - start
        after, switches = system.counts(), self._switches() - switched
        shell.process.stdout.flush()
        interrupts = sum(system.interrupts().values()) - interrupts
        messages, size = after.messages - before.messages, after.bytes - before.bytes
        shell.process.stderr.write(
            f"{messages:,} messages of {size:,} bytes, {switches:,} switches, "
            f"{seconds * 1000:,.1f} ms{f', {interrupts:,} interrupts' if interrupts else ''}\n"
        )
        return status

    def _switches(self) -> int:
        """Switches of this process, the servers and all programs, as the host counts them."""
        return usage(descendants(os.getpid())).switches + self._machine.system.switches()

    def _command(self, shell: Shell, arguments: list[str]) -> int:
        return shell.builtins["command"](shell, arguments)

    def _named(self, arguments: list[str], who: str) -> type[Service]:
        known = {service.__name__.lower(): service for service in self._machine.system.services}
        if len(arguments) != 1:
            raise ShellFault(f"usage: {who} SERVICE")
        found = known.get(arguments[0].lower())
        if found is None:
            names = ", ".join(service.__name__ for service in known.values())
            raise ShellFault(f"{who}: there is no service {arguments[0]}; there are {names}", 1)
        return found

    def _strike(self, service: type[Service], number: int) -> ServerStatus:
        """Send a signal of the host to the process that holds a service; how it was before."""
        status = self._running(service)
        strike(status.pid, number)
        return status

    def _running(self, service: type[Service]) -> ServerStatus:
        """How the address space is that holds a service, which runs. ShellFault, KernelPanic."""
        status = space_of(self._machine.system, service)
        if not status.pid:
            raise ShellFault(f"{service.__name__} does not run: {status.verdict}", 1)
        return status

    def _aftermath(self, service: type[Service], before: ServerStatus) -> str:
        """What became of a service whose process was hit. KernelPanic."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status = space_of(self._machine.system, service)
            if status.restarts > before.restarts and status.state == "running":
                self._hear(service)
                return f"{service.__name__} {status.verdict}; it has been started again"
            if status.state == "given up":
                break
            time.sleep(_STEP)
        return f"{service.__name__} has not been started again"

    def _hear(self, service: type[Service]) -> None:
        """Let the shell's own handle find that its server is a new one."""
        stub = self._machine.system[service]
        ask = next((getattr(stub, name) for name in PROBES if hasattr(stub, name)), None)
        if ask is not None:
            with suppress(ServerDied):
                ask()
