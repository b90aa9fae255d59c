"""The microkernel, and hybrids: each space a process of its own, seen from its users.

The kernel proper is the nucleus, a process that the owner starts. All that is here is how a user's
address space reaches it.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from kernels.agent import GONE, Agent
from kernels.bundle import RemoteCarrier
from kernels.child import Child
from kernels.control import ANSWERS, Become, Boot, Hello, Raise, Shutdown, Update, approved
from kernels.desk import Passages
from kernels.forking import fork_program
from kernels.host import close_to_others
from kernels.kernel import Process
from kernels.launch import launch, spawn
from kernels.mail import SocketCounter
from kernels.nucleus import run_nucleus
from kernels.parcels import post, socket_pair, take
from kernels.peers import Credentials
from kernels.status import Counts, Event, ServerStatus
from kernels.stub import Layer, layered
from kernels.system import User
from kernels.transports import TRANSPORTS
from kernels.version import code_of
from twinos import Bind, BootError, Caller, KernelPanic, Region, Service, UpdateError
from twinos.privileges import narrowed, role
from twinos.wiring import Services, users_privileges

PATIENCE: Final = 5.0
"""Seconds that the nucleus has to end when it has shut the system down."""


class Remote:
    """A kernel in other processes, as a user's process reaches it; see `kernels.system.Kernel`.

    Args:
        services: what the system has.
        connection: the socket on which to ask the nucleus.
        layers: binders around every stub.
        transport: the name of what carries messages.
    """

    def __init__(
        self,
        services: Services,
        connection: socket.socket,
        layers: Sequence[Layer],
        transport: str,
    ) -> None:
        self._services = services
        self._layers = layers
        self._transport = transport
        self._agent = Agent(connection, TRANSPORTS[transport])
        self._processes: list[Child] = []

    def enter(self, caller: Caller | None = None, given: list[int] | None = None) -> None:
        """Take up what the kernel gives a user's process, `caller`'s if that is known.

        Args:
            caller: whose.
            given: those descriptors; None: they are asked for.
        """
        found = self._agent.look_around() if given is None else given
        self._agent.furnish(found, row=caller.id if caller else 0)

    def enrol(self, uid: int, gid: int, groups: tuple[int, ...]) -> Caller:
        """A new caller."""
        return self._agent.enrol(uid, gid, tuple(groups))

    def dismiss(self, caller: Caller) -> None:
        """Tell the services that `caller` is gone, and wait until they know."""
        with suppress(KernelPanic):  # then they are gone, too
            self._agent.dismiss(caller)

    def binder(self, service: type[Service], caller: Caller) -> Bind:
        """A request is a message."""
        who = role(caller)
        bind = narrowed(self._agent.binder(service, caller), who, users_privileges(who, service))
        return layered(bind, self._layers, who)

    def carrier(self, service: type[Service], caller: Caller) -> RemoteCarrier:
        """Several requests are one message."""
        carrier = self._agent.carrier(service, caller)
        who = role(caller)
        bind = narrowed(carrier.bind, who, users_privileges(who, service))
        carrier.bind = layered(bind, self._layers, who)
        return carrier

    def region(self, service: type[Service], name: str, caller: Caller) -> Region:
        """A grant of a service's region."""
        return self._agent.region(service.__name__, name, caller)

    def mailbox(self, caller: Caller, name: str) -> SocketCounter:
        """A party of the rendezvous in the kernel proper."""
        return self._agent.mailbox(caller, name)

    def counts(self) -> Counts:
        """Messages of all processes since boot."""
        counters = self._agent.counters
        return Counts(0, 0) if counters is None else counters.total()

    def status(self) -> tuple[ServerStatus, ...]:
        """How the servers are."""
        return self._agent.report().servers

    def events(self) -> tuple[Event, ...]:
        """What has happened to them lately."""
        return self._agent.report().events

    def passages(self) -> Mapping[str, Passages]:
        """What came of those who wanted to enter, by address space."""
        return dict(self._agent.report().passages)

    def interrupts(self) -> Mapping[str, int]:
        """Interrupts since boot, by driver."""
        return dict(self._agent.report().interrupts)

    def interrupt(self, driver: type[Service]) -> None:
        """Have a driver's device raise its line."""
        self._agent.ask(Raise(driver.__name__))

    def update(self, service: type[Service], code: object, probation: float) -> None:
        """Have the kernel replace the code of a service; over a connection of its own."""
        ask = Update(service.__name__, code_of(code), probation)
        with self._agent.knock() as connection:
            post(connection, ask)
            try:
                answer = ANSWERS(take(connection).message)
            except EOFError:
                raise KernelPanic(GONE) from None
        approved(answer, UpdateError)

    def switches(self) -> int:
        """Of servers and programs that have ended."""
        return self._agent.report().switches

    def process(self, caller: Caller, function: Callable[..., Any], *arguments: Any) -> Process:
        """Run `function(user, *arguments)` in a process of its own, as another caller."""
        credentials = (caller.uid, caller.gid, caller.groups)
        start = spawn if caller.uid else launch
        with self._agent.knock() as connection:
            post(connection, Become(*credentials))  # before the program can say anything
            pid = start(
                _run_program,
                connection,
                self._services,
                tuple(self._layers),
                self._transport,
                credentials,
                function,
                arguments,
            )
        process = Child(pid)
        self._processes.append(process)
        return process

    def fork(self, caller: Caller, child: int) -> bool:
        """Fork this program: only the kernel knows who the child is."""
        return fork_program(self._agent, caller, child)

    def close(self) -> None:
        """End the programs started from here, and leave the system."""
        for process in self._processes:
            process.kill()
            process.join()
        self._agent.close()

    def introduce(self, credentials: Credentials) -> Caller:
        """Be a program: say which process this is, so that the kernel can end it."""
        self.enter()
        itself = os.pidfd_open(os.getpid())
        self._agent.tell(Hello(), (itself,))
        os.close(itself)
        caller = self.enrol(*credentials)
        if self._agent.counters is not None:
            self._agent.counters.move(caller.id)
        return caller


class Microkernel(Remote):
    """The same, in the process that booted the system, and will shut it down.

    Args:
        order: the services, in boot order.
        spaces: which of them share an address space.
        settings: checked constructor parameters.
        cpus: the CPUs to which the kernel's processes are pinned; none: wherever the host likes.
        counting: whether to count messages.
        layers: binders around every handle.
        grace: seconds that a server has to write back at shutdown.
        panics: whether the death of a server is that of the system.
        transport: the name of what carries messages.
        sandbox: whether to lock each server in.
        requests: how many a caller may have under way at one server.
        fresh: whether to start in a fresh interpreter.
        stable: whether the state of services that have a journal survives them.
        scheduler: which request goes next: a policy's name; None: as the host likes.
    """

    def __init__(
        self,
        order: Services,
        spaces: tuple[Services, ...],
        *,
        settings: Mapping[type[Service], Mapping[str, Any]],
        cpus: set[int] | None,
        counting: bool,
        layers: Sequence[Layer],
        grace: float,
        panics: bool,
        transport: str,
        sandbox: bool,
        requests: int,
        fresh: bool,
        stable: bool,
        scheduler: str | None,
    ) -> None:
        ours, theirs = socket_pair()
        super().__init__(order, ours, layers, transport)
        self._owner = os.getpid()
        pins, kept = sorted(cpus or ()), tuple(layers)
        plan = (order, spaces, settings, pins, counting, kept, self._owner, grace, panics)
        more = (transport, sandbox, requests, stable, scheduler)
        start = spawn if fresh else launch
        try:
            with theirs:
                self._nucleus = Child(start(run_nucleus, theirs, *plan, *more))
        except BaseException:
            self._agent.close()
            raise
        try:
            self._agent.ask(Boot())
            self.enter()
        except BaseException:
            with suppress(OSError, BootError):  # the first reason is the one to tell
                self.close()
            raise

    def close(self) -> None:
        """Shut the system down: services write back, and every process ends.

        Raises:
            OSError: a service could not write back.
        """
        if os.getpid() != self._owner:
            return  # a child of the owner has nothing of this system
        try:
            for process in self._processes:
                process.kill()
                process.join()
            with suppress(KernelPanic):  # killed before us
                self._agent.ask(Shutdown())
        finally:
            self._agent.close()
            self._nucleus.end_within(PATIENCE)


def _run_program(
    connection: socket.socket,
    services: Services,
    layers: Sequence[Layer],
    transport: str,
    credentials: Credentials,
    function: Callable[..., Any],
    arguments: Sequence[Any],
) -> int:
    """What a user program's process does."""
    if credentials[0]:
        close_to_others()  # of whom the next one may be another user, here
    kernel = Remote(services, connection, layers, transport)
    user = User(kernel, services, kernel.introduce(credentials))
    status = function(user, *arguments)
    kernel.close()
    return status if isinstance(status, int) else os.EX_OK


def run_task(
    kernel: Remote, services: Services, caller: Caller, main: Callable[[User], Any]
) -> int:
    """What the process of a program does that the nucleus started, as whom it said."""
    status = main(User(kernel, services, caller))
    kernel.close()
    return status if isinstance(status, int) else os.EX_OK
