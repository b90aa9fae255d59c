"""Experiments that look at running systems: what there is, and what each service can call."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kernels import System, boot
from lab import meter, selection
from lab.catalogue import ordered
from lab.debate.evidence import Finding, Measure, Setting
from lab.dispatch import dispatch
from lab.measuring import Cost
from lab.station import Job
from servers.filesystem import FileSystem
from twinos import Service, operations
from twinos.wiring import dependencies, privileges
from workloads.workload import Workload

KERNELS: Final = ("monolithic", "microkernel")
Space = frozenset[type[Service]]


def inventory(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What running systems are made of.

    Parameters: `services`, with all that they need (the file system if there are none); `workload`,
    whose messages are counted.
    Measures: `address spaces KERNEL`, with services in them; `processes KERNEL`, as the host counts
    them, the user's included; `messages KERNEL` for each request; `reach of SERVICE, KERNEL`,
    operations of others that it can call.
    """
    measures = []
    (workload,) = selection.chosen([parameters["workload"]])
    order = ordered(parameters.get("services", [FileSystem.__name__]))
    for kernel in KERNELS:
        before = meter.descendants(os.getpid())
        with boot(kernel, *order) as system:
            processes = 1 + len(meter.descendants(os.getpid(), without=before))
            spaces = _spaces(system, order)
        cost = counted(setting, kernel, workload)
        per_request = cost.messages / cost.requests
        measures += [
            Measure(f"address spaces {kernel}", len(spaces), exact=True),
            Measure(f"processes {kernel}", processes, exact=True),
            Measure(f"messages {kernel}", per_request, exact=True),
            *(
                Measure(f"reach of {one.__name__}, {kernel}", _reached(one, spaces), exact=True)
                for one in order
            ),
        ]
    return Finding(
        measures,
        notes=[
            f"messages for each request of {workload.name}",
            f"{len(order)} services; the microkernel also has the kernel proper, and the user",
        ],
    )


def between(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What services say to each other so that an operation means what it should.

    Parameters: `workloads`; `kernels`. Measures: `between WORKLOAD, KERNEL`: messages that are
    neither a user's request nor the reply to one; `asked WORKLOAD`: requests of the user.
    """
    measures = []
    for workload in selection.chosen(parameters["workloads"]):
        for kernel in parameters["kernels"]:
            cost = counted(setting, kernel, workload)
            own = 2 * cost.requests if cost.messages else 0
            name = f"between {workload.name}, {kernel}"
            measures.append(Measure(name, cost.messages - own, exact=True))
        measures.append(Measure(f"asked {workload.name}", cost.requests, exact=True))
    return Finding(measures, notes=["both kernels run the same services, so the same lines"])


def counted(setting: Setting, kernel: str, workload: Workload) -> Cost:
    """The messages and requests of one operation."""
    job = Job(
        kernel=kernel,
        users="inline",
        cpus=setting.cpus,
        mode="count",
        workloads={workload.name: workload.options},
        modules=(workload.function.__module__,),
    )
    return dispatch(job).costs[workload.name]


def reach(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """What each service can call of the others, in systems that grow by a service at a time.

    Whatever is in its address space it can call, since it can get at it; of what is elsewhere, the
    operations that it was granted. Which services share an address space the running system says.
    Parameters: `services`, with all that they need. Measures: `reached KERNEL`, pairs of a service
    and an operation of another that it can call; `share KERNEL`, of all such pairs; `reach ratio`,
    the first kernel's pairs over the second's; `growth KERNEL`, pairs that come with one service
    more in the larger half of the systems, and `growth ratio`.
    """
    del setting
    order = ordered(parameters["services"])
    reached: dict[str, list[int]] = {kernel: [] for kernel in KERNELS}
    for many in range(1, len(order) + 1):
        for kernel in KERNELS:
            with boot(kernel, *order[:many]) as system:
                spaces = _spaces(system, order[:many])
            reached[kernel].append(sum(_reached(one, spaces) for one in order[:many]))
    pairs = sum(len(operations(other)) for one in order for other in order if one is not other)
    middle = len(order) // 2
    growth = {
        kernel: (found[-1] - found[middle - 1]) / (len(order) - middle)
        for kernel, found in reached.items()
    }
    first, second = KERNELS
    return Finding(
        [
            *(Measure(f"reached {one}", found[-1], exact=True) for one, found in reached.items()),
            *(
                Measure(f"share {one}", found[-1] / pairs, exact=True)
                for one, found in reached.items()
            ),
            Measure("reach ratio", reached[first][-1] / reached[second][-1], exact=True),
            *(Measure(f"growth {kernel}", value, exact=True) for kernel, value in growth.items()),
            Measure("growth ratio", growth[first] / growth[second], exact=True),
        ],
        notes=[f"added one by one: {', '.join(one.__name__ for one in order)}"],
    )


def _spaces(system: System, order: Sequence[type[Service]]) -> list[Space]:
    """The address spaces that a system says it has."""
    named = {service.__name__: service for service in order}
    return [frozenset(named[name] for name in each.services) for each in system.status()]


def _reached(one: type[Service], spaces: Sequence[Space]) -> int:
    """How many operations of other services a service can call."""
    (own,) = (space for space in spaces if one in space)
    inside = sum(len(operations(other)) for other in own if other is not one)
    granted = sum(len(privileges(one, other)) for other in dependencies(one) if other not in own)
    return inside + granted
