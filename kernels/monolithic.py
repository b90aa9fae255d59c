"""The monolithic kernel: every service in the user's own address space, a request is a call.

A trap costs a checked call through one lock; nothing is encoded. A bug in any service is a panic of
the whole system: after it, nothing answers any more.
"""

import errno
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from kernels.desk import Passages
from kernels.forks import running
from kernels.hardware import LocalDevices, LocalLine
from kernels.headroom import with_room
from kernels.interrupts import shield
from kernels.kernel import Process
from kernels.mail import LocalCounter, LocalOffice
from kernels.queues import Queues
from kernels.regions import create_regions, find_region, identities
from kernels.request import LocalCarrier
from kernels.space import Space
from kernels.status import Counts, Event, ServerStatus
from kernels.stub import Layer, layered
from kernels.system import SHUT_DOWN
from kernels.tasks import NoTasks, refuse
from kernels.update import ONE_PROGRAM
from twinos import Bind, Caller, KernelPanic, Op, Region, Service, WiringError, fail
from twinos.errors import describe
from twinos.privileges import narrowed, role, unmappable
from twinos.wiring import Services, drivers, may_map, users_privileges


class Monolithic:
    """See `kernels.system.Kernel`.

    Args:
        order: the services, in boot order.
        settings: checked constructor parameters.
        layers: binders around every call.
        scheduler: which request goes next: a policy's name; None: who comes first.
    """

    def __init__(
        self,
        order: Services,
        settings: Mapping[type[Service], Mapping[str, Any]],
        layers: Sequence[Layer],
        scheduler: str | None = None,
    ) -> None:
        self._layers = layers
        self._regions = create_regions(order)
        self._callers = len(order)
        self._office = LocalOffice(order)
        self._devices = LocalDevices(self._interrupted)
        self._stopping: Space | None = None
        self._drivers = drivers(order)
        self._queues = Queues(scheduler, [order], identities(order))
        self._booted_at = time.monotonic()
        self._space: Space | None = None
        try:
            Space(
                order,
                settings=settings,
                regions=self._regions,
                identity=identities(order),
                reach=_nothing_elsewhere,
                mail=self._office.open_twice,
                on_bug=self._panic,
                layers=layers,
                tasks=NoTasks(),
                line=partial(LocalLine, self._devices),
                begun=self._begin,
                lock=self._queues.seat(0).lock(),
            )
        except BaseException:
            self._devices.close()
            self._close_regions()  # now: whoever keeps the error would keep the image locked
            raise
        shield.raise_()
        running.add(self)

    def enrol(self, uid: int, gid: int, groups: tuple[int, ...]) -> Caller:
        """A new caller."""
        self._running_space()
        self._callers += 1
        return Caller(self._callers, "user", uid, gid, groups)

    def dismiss(self, caller: Caller) -> None:
        """Tell the services that `caller` is gone."""
        self._office.close_those_of(caller)
        if self._space is not None and not self._space.gate.is_down:
            with_room(self._space.depart, caller)

    def binder(self, service: type[Service], caller: Caller) -> Bind:
        """A request is a call through the gate."""

        def bind(operation: Op) -> Callable[..., Any]:
            return self._running_space().entry(service, operation, caller)

        who = role(caller)
        allowed = users_privileges(who, service)
        return layered(narrowed(bind, who, allowed), self._layers, who)

    def carrier(self, service: type[Service], caller: Caller) -> LocalCarrier:
        """Several requests are several calls through the gate."""
        return LocalCarrier(self.binder(service, caller))

    def region(self, service: type[Service], name: str, caller: Caller) -> Region:
        """A grant of the service's region: the same bytes, to be let go of separately."""
        region = find_region(self._regions, service, name)
        if not may_map(caller, service, name):
            raise unmappable(caller, service.__name__, name)
        region.seal()
        return Region(os.dup(region.descriptor))

    def mailbox(self, caller: Caller, name: str) -> LocalCounter:
        """A party of the rendezvous in this address space."""
        self._running_space()
        return self._office.open(caller, name)

    def counts(self) -> Counts:
        """None: nothing crosses between address spaces."""
        return Counts(0, 0)

    def status(self) -> tuple[ServerStatus, ...]:
        """One address space, this one."""
        space = self._running_space()
        services = tuple(service.__name__ for service in self._regions)
        state = "down" if space.gate.is_down else "running"
        uptime = time.monotonic() - self._booted_at
        return (ServerStatus(services, state, os.getpid(), 0, uptime, ""),)

    def events(self) -> tuple[Event, ...]:
        """Nothing: what happens to this kernel happens to whoever asks."""
        return ()

    def passages(self) -> Mapping[str, Passages]:
        """What came of those who wanted to enter, by address space."""
        return dict(self._queues.passages())

    def interrupts(self) -> Mapping[str, int]:
        """Interrupts since boot, by driver."""
        return dict(self._devices.counts)

    def interrupt(self, driver: type[Service]) -> None:
        """Have a driver's device raise its line: the kernel calls the driver."""
        if driver not in self._drivers:
            raise fail(errno.EINVAL)
        self._devices.interrupt(driver)

    def update(self, service: type[Service], code: object, probation: float) -> None:
        """Not here: what runs has no seam. Everybody holds methods of the old object."""
        del code, probation
        text = f"{service.__name__} can't be updated: {ONE_PROGRAM}"
        raise OSError(errno.ENOTSUP, text)

    def switches(self) -> int:
        """None: it has no other process."""
        return 0

    def process(self, caller: Caller, function: Callable[..., Any], *arguments: Any) -> Process:
        """Not from here: this kernel lives in its user's process."""
        del caller, function, arguments
        raise WiringError(
            "this monolithic kernel lives in its user's own process and can serve no other: "
            "boot it with users='process'"
        )

    def fork(self, caller: Caller, child: int) -> bool:
        """Not here: a copy of this process would be another system."""
        del caller, child
        refuse()

    def close(self) -> None:
        """Have the services write back, and let go of their memory."""
        space, self._space = self._space, None
        if space is None:
            return
        self._office.close(partial(KernelPanic, SHUT_DOWN))
        try:
            if not space.gate.is_down:
                self._stopping = space  # what is written back may wait for a device
                with_room(space.stop)
        finally:
            self._stopping = None
            self._devices.close()
            with space.gate.lock:
                space.gate.shut(SHUT_DOWN)
            self._close_regions()
            shield.lower()

    def abandon(self) -> None:
        """This is a child of the process that booted: it must not touch the parent's disk."""
        if self._space is not None:
            reason = f"this system belongs to process {os.getppid()}"
            self._space.gate.after_fork(reason)
            self._office.abandon(partial(KernelPanic, reason))

    def _begin(self, space: Space) -> None:
        self._space = space

    def _interrupted(self, driver: type[Service]) -> None:
        """A device has raised its line."""
        space = self._stopping or self._space
        if space is not None and (self._stopping or not space.gate.is_down):
            with suppress(KernelPanic):  # nobody is there who could be told
                with_room(space.interrupt, driver)

    def _close_regions(self) -> None:
        self._queues.close()
        for regions in self._regions.values():
            for region in regions.values():
                region.close()

    def _running_space(self) -> Space:
        if self._space is None:
            raise KernelPanic(SHUT_DOWN)
        return self._space

    def _panic(self, where: object, error: BaseException) -> KernelPanic:
        panic = KernelPanic(f"kernel panic in {where}: {describe(error)}")
        if self._space is not None:
            self._space.gate.shut(str(panic))
            self._office.close(partial(KernelPanic, str(panic)))
        panic.__cause__ = error
        return panic


def _nothing_elsewhere(client: type[Service], callee: type[Service]) -> Bind:
    raise AssertionError(f"{client.__name__} and {callee.__name__} share the one space there is")
