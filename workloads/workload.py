"""What a workload is: one function that says what is done, and with which services.

    @workload("files", {"pread-1": {"size": 1}, "pread-4k": {"size": 4096}})
    def pread(fs: FileSystem, size: int) -> Program:
        \"\"\"Read {size:,} bytes at the start of an open file.\"\"\"
        fd = fs.open("/pread", os.O_RDWR | os.O_CREAT)
        fs.write(fd, bytes(size))
        yield Operation(lambda: fs.pread(fd, size, 0), check=equals(bytes(size)))
        fs.close(fd)
        fs.unlink("/pread")

Before the `yield` it sets up, after it it cleans up; what it yields is timed. As with a service,
the parameters are the wiring: one annotated with a service gets a handle to it, one annotated
`User`, `Users` or `Programs` the whole user handle, and any other is an option with a plain value.
A workload never learns which kernel runs it.
"""

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any, Final, Protocol, TypeVar, get_type_hints

from twinos import Later, Region, Service

S = TypeVar("S", bound=Service)
Options = Mapping[str, int | str]
Config = Mapping[type[Service], Mapping[str, Any]]


class User(Protocol):
    """Somebody who uses a system: handles of services, and the regions granted by them."""

    def __getitem__(self, service: type[S]) -> S:
        """The handle of `service`."""

    def region(self, service: type[Service], name: str) -> Region:
        """The region that the constructor of `service` calls `name`."""

    def batch(self, most: int) -> AbstractContextManager[Later]:
        """Requests that travel `most` in a message; see `twinos.later`."""


class Users(User, Protocol):
    """A user who can let others in."""

    def user(self) -> AbstractContextManager[User]:
        """Another caller, in the same address space; leaves when its context ends."""


class Programs(Users, Protocol):
    """A user in whose system programs can run: each in a process of its own."""

    services: tuple[type[Service], ...]

    def listen(self, poked: Callable[[], None]) -> None:
        """Have a function called when a service has the kernel poke this process."""

    def fork(self, child: int) -> bool:
        """Fork this process; whether this is the child."""


class WrongResultError(AssertionError):
    """An operation answered, but not what it should have: the run can't be trusted."""


Check = Callable[[Any], None]


def accept(_result: Any) -> None:
    """The check of an operation whose result says nothing."""


def equals(wanted: Any) -> Check:
    """The check that a result is `wanted`."""

    def check(result: Any) -> None:
        if result != wanted:
            raise WrongResultError(f"expected {_brief(wanted)}, got {_brief(result)}")

    return check


def together(jobs: Iterable[Callable[[], object]]) -> None:
    """Have all of these done at the same time, each by a thread; wait for them."""
    threads = [Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _brief(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


@dataclass(frozen=True, slots=True)
class Operation:
    """What is timed.

    Attributes:
        call: does it; called many times.
        check: raises `WrongResultError` unless the result of `call` is right.
        ops: how many operations one call is: costs are given per operation.
        reset: puts back, untimed, what a call changed; needed when a call can't follow a call.
    """

    call: Callable[[], Any]
    check: Check = accept
    ops: int = 1
    reset: Callable[[], None] | None = None


Program = Generator[Operation, None, None]
"""What the function of a workload returns: it yields its one operation."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One line of the table.

    Attributes:
        name: the short name; unique.
        group: selects it together with others.
        function: the program.
        options: the values of its parameters that are not services.
        services: the services that it uses.
        fixed: the options whose values belong to the name.
        config: settings of services that it can't do without.
        quick: options of a quick run.
        full: options of a full run.
        macro: long: has boots of its own, in which it runs once and is not warmed up.
        extra: runs only in a full run or when it is asked for by name.
        needs: a package that it imports when it runs, and that an extra of TwinOS brings.
        processes: it starts programs, which takes users who are processes of their own.
    """

    name: str
    group: str
    function: Callable[..., Program]
    options: Options
    services: tuple[type[Service], ...]
    fixed: frozenset[str] = frozenset()
    config: Config = field(default_factory=dict)
    quick: Options = field(default_factory=dict)
    full: Options = field(default_factory=dict)
    macro: bool = False
    extra: bool = False
    needs: str = ""
    processes: bool = False

    @property
    def about(self) -> str:
        """What exactly is done."""
        return (inspect.getdoc(self.function) or "").format_map(self.options)

    @property
    def several(self) -> bool:
        """Whether it lets other users in, who work at the same time."""
        return Users in _parameters(self.function).values()

    @property
    def spawns(self) -> bool:
        """Whether it starts programs, and so needs users that are processes of their own."""
        return Programs in _parameters(self.function).values()

    def start(self, user: Users) -> Program:
        """The program, wired to `user`; nothing of it has run yet."""
        handles: dict[str, Any] = {}
        for name, kind in _parameters(self.function).items():
            if kind in {User, Users, Programs}:
                handles[name] = user
            elif _is_service(kind):
                handles[name] = user[kind]
        return self.function(**handles, **self.options)

    @property
    def settable(self) -> frozenset[str]:
        """The options that a reader may set: those that its name doesn't promise."""
        return frozenset(_defaults(self.function)) - self.fixed

    def with_options(self, options: Options) -> "Workload":
        """This workload with other values for some of its options."""
        return replace(self, options={**self.options, **options})


DECLARED: Final[list[Workload]] = []
"""Every workload whose module was imported, in the order of declaration."""

F = TypeVar("F", bound=Callable[..., Program])


def workload(
    group: str,
    variants: Mapping[str, Options] | None = None,
    *,
    config: Config | None = None,
    quick: Options | None = None,
    full: Options | None = None,
    macro: bool = False,
    extra: bool = False,
    needs: str = "",
    processes: bool = False,
) -> Callable[[F], F]:
    """Declare the decorated function as a workload, or as one per variant.

    Args:
        group: the group's name.
        variants: options by name of the workload; without it there is one, called as the function.
        config: see `Workload`, as for the rest.
        quick: other options in a quick run.
        full: other options in a full run.
        macro: it is long.
        extra: it runs only when asked for.
        needs: a package beyond those of TwinOS.
        processes: it starts programs.
    """

    def declare(function: F) -> F:
        services = tuple(kind for kind in _parameters(function).values() if _is_service(kind))
        named = variants or {function.__name__.replace("_", "-"): {}}
        for name, options in named.items():
            one = Workload(
                name,
                group,
                function,
                options={**_defaults(function), **options},
                services=services,
                fixed=frozenset(options),
                config=config or {},
                quick=quick or {},
                full=full or {},
                macro=macro,
                extra=extra,
                needs=needs,
                processes=processes,
            )
            DECLARED.append(one)
        return function

    return declare


def _parameters(function: Callable[..., Program]) -> dict[str, Any]:
    hints = get_type_hints(function)
    return {name: hints[name] for name in inspect.signature(function).parameters}


def _defaults(function: Callable[..., Program]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _is_service(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Service)
