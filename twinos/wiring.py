"""Wiring: what a service's constructor asks for, and the order in which services can start.

The constructor is the wiring and the wiring is the privilege: a service that names `disk: Disk`
gets a handle to Disk, and can reach nothing else.
"""

import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from twinos.caller import Caller
from twinos.errors import ContractError, WiringError
from twinos.journal import Journal, Recording
from twinos.line import Line
from twinos.mailbox import Post
from twinos.message import Message, message_decoder
from twinos.privileges import Only, Shared, role
from twinos.region import Region
from twinos.service import Service, operations
from twinos.surviving import check_survivor, recording
from twinos.tasks import Tasks
from twinos.values import check_type

Services = tuple[type[Service], ...]
Settings = Mapping[str, Any]

USERS: Final = ("root", "user")
"""The roles of users, which no service may take for its name."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What one constructor asks for, by parameter name.

    Attributes:
        handles: the services that it may call.
        allowed: which of their operations.
        regions: the memory that the kernel keeps for it.
        shared: which of it every user may map.
        tasks: parameters by which it may start processes.
        lines: of devices whose driver it is: one at most.
        mailboxes: the conversations that it takes part in: one at most.
        journal: the parameter that gets its journal; none: its state dies with it.
        recording: what is recorded there.
        settings: plain values, with their types and defaults.
    """

    handles: Mapping[str, type[Service]]
    allowed: Mapping[str, frozenset[str]]
    regions: tuple[str, ...]
    shared: frozenset[str]
    tasks: tuple[str, ...]
    lines: tuple[str, ...]
    mailboxes: Mapping[str, type[Message]]
    settings: Mapping[str, inspect.Parameter]
    journal: str = ""
    recording: Recording = Recording.STATE


def needs(service: type[Service]) -> Needs:
    """What `service` asks for in its constructor.

    Raises:
        ContractError: a parameter is neither a service, nor a region, nor a value; or narrows a
            handle to what is no operation.
    """
    handles: dict[str, type[Service]] = {}
    allowed: dict[str, frozenset[str]] = {}
    shared: set[str] = set()
    regions, tasks, lines = list[str](), list[str](), list[str]()
    mailboxes: dict[str, type[Message]] = {}
    settings: dict[str, inspect.Parameter] = {}
    journals: dict[str, Recording] = {}
    for parameter in _parameters(service):
        kind, marks = _apart(parameter.annotation)
        if isinstance(kind, type) and issubclass(kind, Service):
            handles[parameter.name] = kind
            allowed[parameter.name] = _allowed(service, parameter.name, kind, marks)
        elif kind is Region:
            regions.append(parameter.name)
            if any(isinstance(mark, Shared) for mark in marks):
                shared.add(parameter.name)
        elif kind is Journal:
            journals[parameter.name] = recording(marks)
        elif kind is Tasks:
            tasks.append(parameter.name)
        elif kind is Line:
            lines.append(parameter.name)
        elif get_origin(kind) is Post:
            mailboxes[parameter.name] = _conversation(service, parameter.name, kind)
        else:
            settings[parameter.name] = parameter.replace(annotation=kind)
            _check_setting(service, settings[parameter.name])
    _check_one(service, "a service has one mailbox", mailboxes)
    _check_one(service, "a driver has one device", lines)
    if journals:
        check_survivor(service, journals)
    return Needs(
        handles,
        allowed,
        tuple(regions),
        frozenset(shared),
        tuple(tasks),
        tuple(lines),
        mailboxes,
        settings,
        journal=next(iter(journals), ""),
        recording=next(iter(journals.values()), Recording.STATE),
    )


def _check_one(service: type[Service], rule: str, found: Collection[str]) -> None:
    if len(found) > 1:
        raise ContractError(f"{service.__name__}.__init__: {rule}")


def drivers(order: Services) -> Services:
    """Those services that have the line of a device."""
    return tuple(service for service in order if needs(service).lines)


def dependencies(service: type[Service]) -> Services:
    """The services that `service` calls."""
    return tuple(dict.fromkeys(needs(service).handles.values()))


def privileges(client: type[Service], callee: type[Service]) -> frozenset[str]:
    """The operations of `callee` that one of the handles of `client` allows."""
    asked = needs(client)
    return frozenset().union(
        *(asked.allowed[name] for name, handle in asked.handles.items() if handle is callee)
    )


def users_privileges(who: str, service: type[Service]) -> frozenset[str]:
    """The operations of `service` that `root` or any other `user` may call."""
    may = who == "root" or not service.__privileged__
    return frozenset(operations(service)) if may else frozenset()


def may_map(caller: Caller, service: type[Service], region: str) -> bool:
    """Whether a user may have a region of `service` in its own address space."""
    who = role(caller)
    return who == "root" or (who == "user" and region in needs(service).shared)


def may_talk(order: Services, one: Caller, other: Caller) -> bool:
    """Whether two callers may send each other messages (see `twinos.message`).

    A service may with those that it calls and that call it, a user with services that it may call
    and with programs of the same user, the superuser with all.
    """
    named = {service.__name__: service for service in order}
    first, second = named.get(role(one)), named.get(role(other))
    if first is not None and second is not None:
        return second in dependencies(first) or first in dependencies(second)
    if first is None and second is None:
        return one.uid == other.uid or "root" in {role(one), role(other)}
    user, service = (one, second) if second is not None else (other, first)
    return service is not None and bool(users_privileges(role(user), service))


def boot_order(services: Iterable[type[Service]]) -> Services:
    """`services` and all that they depend on, each after what it calls.

    Raises:
        WiringError: services call each other in a circle, or two have one name.
    """
    graph: dict[type[Service], Services] = {}
    waiting = list(services)
    while waiting:
        service = waiting.pop()
        _check_service(service)
        if service not in graph:
            graph[service] = dependencies(service)
            waiting.extend(graph[service])
    _check_names(graph)
    try:
        # Sorted, so that the order depends on nothing but the names.
        sorter = TopologicalSorter({s: graph[s] for s in sorted(graph, key=lambda s: s.__name__)})
        return tuple(sorter.static_order())
    except CycleError as error:
        circle = " -> ".join(service.__name__ for service in reversed(error.args[1]))
        raise WiringError(f"services call each other in a circle: {circle}") from None


def groups_in_order(
    order: Services, groups: Iterable[Sequence[type[Service]]]
) -> tuple[Services, ...]:
    """The partition of `order` into address spaces; a service that no group names is alone.

    Raises:
        WiringError: a service is in two groups or in none of the system, or two groups call each
            other, so that two single-threaded servers could wait for one another.
    """
    group_of: dict[type[Service], Services] = {}
    for group in groups:
        if not isinstance(group, Sequence):
            raise WiringError(f"a group is a sequence of services, not {name_of(group)}")
        members = tuple(service for service in order if service in group)
        for service in group:
            if service not in order:
                raise WiringError(f"a group names {name_of(service)}, which is not in the system")
            if service in group_of:
                raise WiringError(f"{service.__name__} is in two groups")
            group_of[service] = members
    for service in order:
        group_of.setdefault(service, (service,))
    graph = {
        group: [group_of[c] for s in group for c in dependencies(s) if group_of[c] is not group]
        for group in group_of.values()
    }
    try:
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join("+".join(map(name_of, group)) for group in reversed(error.args[1]))
        raise WiringError(f"groups call each other in a circle: {circle}") from None


def _parameters(service: type[Service]) -> list[inspect.Parameter]:
    constructor = service.__init__
    if constructor is object.__init__:
        return []
    _, *parameters = inspect.signature(constructor).parameters.values()
    try:
        hints = get_type_hints(constructor, localns=dict(service.__names__), include_extras=True)
    except NameError as error:
        raise ContractError(f"{service.__name__}.__init__: {error}") from None
    for parameter in parameters:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise ContractError(f"{service.__name__}.__init__: wiring has a fixed shape")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ContractError(f"{service.__name__}.__init__: parameters are given by name")
        if parameter.name not in hints:
            raise ContractError(f"{service.__name__}.__init__: {parameter.name} has no type")
    return [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]


def _apart(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A bare type, and the marks on it."""
    if get_origin(annotation) is Annotated:
        kind, *marks = get_args(annotation)
        return kind, tuple(marks)
    return annotation, ()


def _allowed(
    client: type[Service], name: str, callee: type[Service], marks: tuple[Any, ...]
) -> frozenset[str]:
    """What a handle allows: everything, or what all of its marks let through."""
    allowed = frozenset(operations(callee))
    for mark in marks:
        if isinstance(mark, Only):
            for wrong in sorted(mark.operations - operations(callee).keys()):
                where = f"{client.__name__}.__init__: {name}"
                raise ContractError(f"{where}: {callee.__name__} has no operation {wrong!r}")
            allowed &= mark.operations
    return allowed


def _conversation(service: type[Service], name: str, kind: Any) -> type[Message]:
    (conversation,) = get_args(kind)
    if not (isinstance(conversation, type) and issubclass(conversation, Message)):
        where = f"{service.__name__}.__init__: {name}"
        raise ContractError(f"{where}: Post[...] names a class that derives from Message")
    message_decoder(conversation)
    return conversation


def _check_setting(service: type[Service], parameter: inspect.Parameter) -> None:
    try:
        check_type(parameter.annotation)
    except ContractError as error:
        where = f"{service.__name__}.__init__: {parameter.name}"
        raise ContractError(f"{where} is no service, no region, and {error}") from None


def _check_service(service: object) -> None:
    if not (isinstance(service, type) and issubclass(service, Service)):
        raise WiringError(f"{service!r} is not a service: name a subclass of Service")


def _check_names(services: Iterable[type[Service]]) -> None:
    seen: dict[str, type[Service]] = {}
    for service in services:
        if service.__name__ in USERS:
            raise WiringError(f"no service is called {service.__name__}: users are")
        other = seen.setdefault(service.__name__, service)
        if other is not service:
            raise WiringError(
                f"two services are called {service.__name__}: "
                f"{other.__module__} and {service.__module__}"
            )


def name_of(service: object) -> str:
    """What a sentence calls it."""
    return getattr(service, "__name__", repr(service))
