"""Kernels by name, as the command line writes them.

`monolithic`, `microkernel`, or a hybrid: `hybrid:filesystem+disk,clock+memorymanager` puts the file
system and the disk into one address space, clock and memory manager into a second one, and
every service that it does not name into its own. `@ring` behind any of them says what carries the
messages between address spaces (by default `pipe`), and `!unstable` behind all of that that no
service's state is to survive it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kernels import KERNELS, Layer, System, boot
from kernels.pipes import PIPE
from kernels.transports import TRANSPORTS
from lab.catalogue import services
from lab.placement import Cpus
from lab.refusal import Refusal, unknown
from lab.schema import Users
from twinos import Service
from twinos.wiring import boot_order

HYBRID = "hybrid"
UNSTABLE: Final = "!unstable"
Groups = tuple[tuple[type[Service], ...], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A kernel that was asked for.

    Attributes:
        name: as it was written, and as tables show it.
        kernel: the kernel's name.
        groups: of a hybrid, the services that share an address space.
        carrier: what carries messages; see `kernels.transports`.
        stable: whether the state of services that have a journal survives them.
    """

    name: str
    kernel: str
    groups: Groups = ()
    carrier: str = PIPE.name
    stable: bool = True

    def transport(self, users: Users) -> str:
        """How a user's request travels."""
        return "call" if self.kernel == "monolithic" and users == "inline" else self.carrier

    def boot(
        self,
        wanted: Sequence[type[Service]],
        config: Mapping[type[Service], Mapping[str, Any]],
        users: Users,
        cpus: Cpus,
        *,
        count: bool,
        layers: Sequence[Layer] = (),
    ) -> System:
        """A system of this kernel with the services `wanted`."""
        return boot(
            self.kernel,
            *wanted,
            config=config,
            groups=self.partition(wanted),
            users=users,
            transport=self.carrier,
            cpus={cpus.server},
            count=count,
            layers=layers,
            stable=self.stable,
        )

    def partition(self, wanted: Sequence[type[Service]]) -> Groups:
        """Of a hybrid, the groups, less those services that this system does without."""
        if self.kernel != HYBRID:
            return ()
        order = boot_order(wanted)
        grouped = {service for group in self.groups for service in group}
        shared = (tuple(s for s in group if s in order) for group in self.groups)
        alone = ((service,) for service in order if service not in grouped)
        return tuple(group for group in (*shared, *alone) if group)


def parse(text: str) -> Choice:
    """The kernel called `text`.

    Raises:
        Refusal: there is none, or the groups of a hybrid name no service, or one twice; or there is
            no such transport.
    """
    named = text.removesuffix(UNSTABLE)
    spelled, at, carrier = named.partition("@")
    if at and carrier not in TRANSPORTS:
        raise unknown("transport", carrier, TRANSPORTS, "twinos bench --help")
    kernel, colon, listed = spelled.partition(":")
    if kernel not in KERNELS:
        raise unknown("kernel", text, KERNELS, "twinos bench --help")
    if kernel == HYBRID and not listed:
        raise Refusal("a hybrid says what shares an address space: hybrid:filesystem+disk.")
    if kernel != HYBRID and colon:
        raise Refusal(f"{kernel} takes no groups; a hybrid does: hybrid:filesystem+disk.")
    groups = _parse_groups(listed) if listed else ()
    return Choice(text, kernel, groups, carrier or PIPE.name, stable=named == text)


def carried_by(name: str, transport: str | None, users: Users) -> str:
    """The kernel `name` with that transport, unless it names one itself or sends no messages."""
    calls = parse(name).transport(users) == "call"
    return name if transport is None or calls or "@" in name else f"{name}@{transport}"


def survivors(names: Sequence[str], stable: str | None) -> list[str]:
    """The kernels `names`, with what `--stable` says of those with services that may survive.

    Raises:
        Refusal: there is none.
    """
    if stable in {None, "on"}:
        return list(names)
    if all(parse(name).kernel == "monolithic" for name in names):
        raise Refusal("--stable goes with kernels whose services may survive: the microkernel.")
    forgetful = [
        name if parse(name).kernel == "monolithic" else name.removesuffix(UNSTABLE) + UNSTABLE
        for name in names
    ]
    return forgetful if stable == "off" else list(dict.fromkeys([*forgetful, *names]))


def grouped(names: Sequence[str], groups: str | None) -> list[str]:
    """The kernels `names`, those hybrids that name no groups with these; None: as they are.

    Raises:
        Refusal: there is no such hybrid among them.
    """
    if groups is None:
        return list(names)
    made = [
        f"{HYBRID}:{groups}{name.removeprefix(HYBRID)}" if _lacks_groups(name) else name
        for name in names
    ]
    if made == list(names):
        raise Refusal("--groups goes with --kernel hybrid.")
    return made


def _lacks_groups(name: str) -> bool:
    return name.partition("@")[0] == HYBRID


def _parse_groups(listed: str) -> Groups:
    known = {name.lower(): service for name, service in services().items()}
    seen: set[str] = set()
    groups = []
    for group in listed.split(","):
        names = [name.strip().lower() for name in group.split("+")]
        for name in names:
            if name not in known:
                names_known = [service.__name__ for service in known.values()]
                raise unknown("service", name, names_known, "twinos services")
            if name in seen:
                raise Refusal(f"{known[name].__name__} is in two groups of the hybrid.")
            seen.add(name)
        groups.append(tuple(known[name] for name in names))
    return tuple(groups)
