"""Booting: from a list of services to a running system."""

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal

from kernels import cell
from kernels.kernel import Kernel
from kernels.launch import fill_standard
from kernels.monolithic import Monolithic
from kernels.scheduling import policies
from kernels.stub import Layer
from kernels.system import System
from kernels.transports import TRANSPORTS
from twinos import Service, WiringError
from twinos.settings import check_config
from twinos.wiring import boot_order, groups_in_order

KERNELS: Final = ("monolithic", "microkernel", "hybrid")
Users = Literal["inline", "process"]
REQUESTS: Final = 64
"""Requests that one caller may have under way at one server."""

observers: Final[list[Layer]] = []
"""Layers in the handles of every system that this process boots, outermost: for instruments."""


def boot(
    kernel: str,
    *services: type[Service],
    config: Mapping[type[Service], Mapping[str, Any]] | None = None,
    groups: Sequence[Sequence[type[Service]]] = (),
    users: Users = "inline",
    cpus: set[int] | None = None,
    count: bool = False,
    layers: Sequence[Layer] = (),
    grace: float = 30.0,
    transport: str = "pipe",
    sandbox: bool = False,
    requests: int = REQUESTS,
    fresh: bool = False,
    stable: bool = True,
    scheduler: str | None = None,
) -> System:
    """Boot a kernel with `services` and all that they depend on.

    Args:
        kernel: "monolithic" (one address space), "microkernel" (one for each service), or
            "hybrid" (as `groups` says).
        services: which services; those that they call come along.
        config: plain constructor parameters by service.
        groups: for the hybrid: which services share an address space; one that is in no group has
            its own.
        users: "inline", users live in the caller's process, where the monolithic kernel is too and
            a trap is a call; "process", the monolithic kernel is a process of its own and a trap is
            a message. Under the other kernels a trap is a message either way.
        cpus: the CPUs to which the kernel's processes are pinned.
        count: count messages and bytes (slower); `System.counts` tells.
        layers: binders around binders, innermost first, at every handle.
        grace: seconds that a server has to write back at shutdown; then it is killed.
        transport: what carries the messages between address spaces; see `kernels.transports`.
        sandbox: lock each server in, so that it has its pipes and regions and nothing else of the
            host; see `kernels.cell`. There must be servers.
        requests: how many one caller may have under way at one server; one more is EAGAIN. Inline
            users of the monolithic kernel have as many as they have threads.
        fresh: start the kernel's processes from a fresh interpreter, so that they hold nothing of
            this process's memory; slower. What travels there is found by name.
        stable: have the state of services with a journal survive them (see `twinos.journal`), where
            they are alone in an address space.
        scheduler: which of the requests that wait at an address space goes next: the name of a
            policy of `kernels.scheduling`; None: who comes first, as the host likes (quicker).

    Raises:
        WiringError: the services can't be put together as asked.
        OSError: a service's constructor failed so (a missing disk image, say).
        BootError: a service's constructor failed in another way.
    """
    if kernel not in KERNELS:
        raise WiringError(f"there is no kernel {kernel!r}: choose from {', '.join(KERNELS)}")
    if users not in {"inline", "process"}:
        raise WiringError(f"users are 'inline' or 'process', not {users!r}")
    _check_transport(transport)
    _check_scheduler(scheduler)
    _check_options(cpus, grace, requests, stable)
    if not services:
        raise WiringError("there is nothing to boot: name a service")
    if kernel == "hybrid" and not groups:
        raise WiringError("the hybrid needs groups=: which services share an address space")
    if groups and kernel != "hybrid":
        raise WiringError("groups= says which services share an address space: hybrid only")
    if sandbox:
        if kernel == "monolithic" and users == "inline":
            raise WiringError("a sandbox is for servers: this monolithic kernel is in its user")
        cell.check()
    if fresh and kernel == "monolithic" and users == "inline":
        raise WiringError("fresh= is for kernels in other processes: this one is in its user")
    fill_standard()
    layers = (*layers, *observers)
    order = boot_order(services)
    settings = check_config(order, config or {})
    if kernel == "monolithic" and users == "inline":
        running: Kernel = Monolithic(order, settings, layers, scheduler)
    else:
        from kernels.microkernel import Microkernel  # noqa: PLC0415 (its start-up costs)

        spaces = (order,) if kernel == "monolithic" else groups_in_order(order, groups)
        running = Microkernel(
            order,
            spaces,
            settings=settings,
            cpus=cpus,
            counting=count,
            layers=layers,
            grace=grace,
            panics=kernel == "monolithic",
            transport=transport,
            sandbox=sandbox,
            requests=requests,
            fresh=fresh,
            stable=stable and kernel != "monolithic",
            scheduler=scheduler,
        )
    return System(running, order, kernel)


def _check_transport(name: str) -> None:
    if name not in TRANSPORTS:
        raise WiringError(f"there is no transport {name!r}: choose from {', '.join(TRANSPORTS)}")
    if reason := TRANSPORTS[name].unusable():
        raise WiringError(f"the transport {name!r} does not work here: {reason}")


def _check_scheduler(name: str | None) -> None:
    if name is not None and name not in (known := policies()):
        raise WiringError(f"there is no scheduler {name!r}: choose from {', '.join(known)}")


def _check_options(cpus: object, grace: object, requests: object, stable: object) -> None:
    available = set(range(os.cpu_count() or 1))  # the caller may be pinned elsewhere
    if cpus is not None and not (isinstance(cpus, AbstractSet) and cpus and cpus <= available):
        raise WiringError(f"cpus= is a set of CPUs out of {sorted(available)}, not {cpus!r}")
    if not isinstance(grace, int | float) or not grace >= 0:
        raise WiringError(f"grace= is a number of seconds, not {grace!r}")
    if not isinstance(stable, bool):
        raise WiringError(f"stable= is true or false, not {stable!r}")
    if not isinstance(requests, int) or requests < 1:
        raise WiringError(f"requests= is a number from 1 on, not {requests!r}")
