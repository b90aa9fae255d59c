"""A running system, as its users see it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from kernels.batch import Batch, Prepare, Queue, prepare_like
from kernels.desk import Passages
from kernels.frames import MOST
from kernels.kernel import Kernel, Process
from kernels.status import Counts, Event, ServerStatus
from kernels.stub import checked_stub, while_here
from twinos import Caller, KernelPanic, Region, Service, WiringError
from twinos.mailbox import Mailbox
from twinos.message import Message, message_decoder
from twinos.values import coercer
from twinos.wiring import Services

if TYPE_CHECKING:
    from kernels.poking import Ear

S = TypeVar("S", bound=Service)
M = TypeVar("M", bound=Message)

SHUT_DOWN: Final = "the system has been shut down"
LONGEST_PROBATION: Final = 3600
"""Seconds."""

_credentials: Final = coercer(tuple[int, int, tuple[int, ...]])


class LeftError(WiringError):
    """Raised to a user who has left the system."""

    def __init__(self) -> None:
        super().__init__("this user has left the system")


class User:
    """Somebody who calls services: a caller, and its stubs."""

    def __init__(self, kernel: Kernel, services: Services, caller: Caller) -> None:
        self.caller = caller
        self.services = services
        self._kernel = kernel
        self._stubs: dict[type[Service], Service] = {}
        self._left: list[Callable[[], Exception]] = []  # why nothing is asked any more
        self._grants: dict[tuple[type[Service], str], Region] = {}
        self._prepared: dict[Callable[..., Any], Prepare] = {}
        self._ear: Ear | None = None

    def __getitem__(self, service: type[S]) -> S:
        """The stub of `service`, with its type."""
        stub = self._stubs.get(service)
        if stub is None:
            self._require(service)
            stub = checked_stub(
                service, while_here(self._kernel.binder(service, self.caller), self._left)
            )
            self._stubs[service] = stub
        return stub  # type: ignore[return-value]  # kept under its own type

    def region(self, service: type[Service], name: str) -> Region:
        """The memory that the constructor parameter `name` of `service` gets, shared by grant.

        It has the size that it has now, and is let go of when this user leaves. EPERM unless the
        region is `shared`, or this is the superuser.
        """
        self._require(service)
        grant = self._grants.get((service, name))
        if grant is None or grant.descriptor < 0:
            grant = self._grants[service, name] = self._kernel.region(service, name, self.caller)
        grant.remap()
        return grant

    def batch(self, most: int = 64) -> Batch:
        """Requests that travel `most` in a message; see `twinos.later`.

        Leaving it as a context manager carries out what is left.
        """
        return Batch(self._prepare, _how_many(most))

    def queue(self, most: int = 256) -> Queue:
        """Requests that travel while this user goes on, `most` outstanding; see `twinos.later`.

        Leaving it as a context manager waits for all.
        """
        return Queue(self._prepare, _how_many(most))

    def mailbox(self, conversation: type[M], name: str = "") -> Mailbox[M]:
        """A mailbox, closed when this user leaves; others may look it up by `name`.

        Args:
            conversation: the class from which its messages derive; see `twinos.message`.
            name: what it is called; without a name it can't be looked up.

        ContractError: they can't travel. OSError: EEXIST, it is taken; EAGAIN, no slot is free.
        """
        if self._stubs is _CLOSED:
            raise LeftError
        message_decoder(conversation)
        return Mailbox(conversation, self._kernel.mailbox(self.caller, name))

    def process(self, function: Callable[..., Any], *arguments: Any) -> Process:
        """Run `function(user, *arguments)` in a process of its own, as another caller.

        It has this user's credentials. Unless they are the superuser's it can never get others,
        and starts in a fresh interpreter, which has nothing of this process's memory.
        """
        if self._stubs is _CLOSED:
            raise LeftError
        return self._kernel.process(self.caller, function, *arguments)

    def listen(self, poked: Callable[[], None]) -> None:
        """Have `poked` called, in the main thread, when a service has the kernel poke this process.

        Only in the main thread; and one function, for all users in this process.
        """
        if self._ear is None:
            from kernels.poking import Ear  # noqa: PLC0415 (few programs need it)

            self._ear = Ear(poked)

    def fork(self, child: int) -> bool:
        """Fork this program; whether this is the child. For process managers' programs.

        In the child this user, and its stubs, act for the caller `child`, which a service has had
        made by `Tasks.bear`. Only the thread that calls this goes on there.

        Raises:
            OSError: EAGAIN: the host has no room, and that caller has departed. EPERM: it is no
                child of this one. ENOSYS: this process is the kernel's, too.
        """
        if self._stubs is _CLOSED:
            raise LeftError
        is_child = self._kernel.fork(self.caller, child)
        if is_child and self._ear is not None:
            self._ear = self._ear.renewed()
        return is_child

    def close(self) -> None:
        """Leave the system: services free what they kept for this user."""
        if self._stubs is not _CLOSED:
            self._leave(LeftError)
            self._kernel.dismiss(self.caller)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _prepare(self, method: Callable[..., Any]) -> Prepare:
        """What prepares requests of an operation, given as a method of one of the stubs."""
        if self._stubs is _CLOSED:
            raise LeftError
        if method not in self._prepared:
            carrier = partial(self._kernel.carrier, caller=self.caller)
            self._prepared |= prepare_like(method, self._stubs, carrier)
        return self._prepared[method]

    def _leave(self, why: Callable[[], Exception]) -> None:
        self._stubs = _CLOSED
        self._left.append(why)
        self._prepared.clear()
        if self._ear is not None:
            self._ear.close()
            self._ear = None
        for grant in self._grants.values():
            grant.close()
        self._grants.clear()

    def _require(self, service: type[Service]) -> None:
        if self._stubs is _CLOSED:
            raise LeftError
        if service not in self.services:
            present = ", ".join(s.__name__ for s in self.services)
            name = getattr(service, "__name__", repr(service))
            raise WiringError(f"{name} is not in this system, which has {present}")


def _how_many(most: Any) -> int:
    if not isinstance(most, int) or not 1 <= most <= MOST:
        raise WiringError(f"most= is a number from 1 to {MOST}, not {most!r}")
    return most


_CLOSED: dict[type[Service], Service] = {}


class System(User):
    """A booted system; also its first user, the superuser.

    Leave it (it is a context manager) to shut it down.
    """

    def __init__(self, kernel: Kernel, services: Services, name: str) -> None:
        super().__init__(kernel, services, kernel.enrol(0, 0, ()))
        self.name = name
        self._finish = weakref.finalize(self, kernel.close)

    def user(self, uid: int = 0, gid: int = 0, groups: tuple[int, ...] = ()) -> User:
        """Another caller in this address space, with credentials and state of its own."""
        caller = self._kernel.enrol(*_credentials((uid, gid, groups)))
        return User(self._kernel, self.services, caller)

    def counts(self) -> Counts:
        """Messages and bytes between address spaces since boot (`boot(count=True)`)."""
        return self._kernel.counts()

    def status(self) -> tuple[ServerStatus, ...]:
        """How the address spaces with services are, callees first."""
        return self._kernel.status()

    def events(self) -> tuple[Event, ...]:
        """What has happened to them lately, oldest first."""
        return self._kernel.events()

    def passages(self) -> Mapping[str, Passages]:
        """How long requests waited for their turn and took, by address space, since boot.

        Counted where a scheduler decides (`boot(scheduler=...)`); else there are none.
        """
        return self._kernel.passages()

    def interrupts(self) -> Mapping[str, int]:
        """Interrupts since boot, by driver; exact under every kernel. See `twinos.line`."""
        return self._kernel.interrupts()

    def interrupt(self, driver: type[Service]) -> None:
        """Have a driver's device raise its line, as who presses a key does. EINVAL: no driver."""
        self._require(driver)
        self._kernel.interrupt(driver)

    def update(
        self, service: type[Service], code: type[Service] | str, probation: float = 0.5
    ) -> None:
        """Replace the code of a running service, while its clients work.

        The new code is imported and checked in a process of its own. Then the old one stops
        between two requests, and the new one goes on with the same memory and journal. It is on
        probation for a while: if it fails by then, in whatever way, the old one is started again.
        Requests wait meanwhile, and none is lost.

        Args:
            service: which, as the system was booted with it.
            code: a class at the top of a module; or the name of a module (or FILE.py), which is
                imported anew, and has a class of the service's name, or of another: `module:Class`.
            probation: seconds.

        Raises:
            UpdateError: it can't be found, doesn't mean the same to clients, or failed; the old
                code serves.
            OSError: ENOTSUP: under this kernel, or without a journal, state would be lost. EBUSY:
                an update of it is under way.
        """
        self._require(service)
        if not 0 <= probation <= LONGEST_PROBATION:
            raise WiringError(f"probation= is 0 to {LONGEST_PROBATION} seconds, not {probation!r}")
        self._kernel.update(service, code, float(probation))

    def switches(self) -> int:
        """Context switches of processes that have ended, as the host counted them."""
        return self._kernel.switches()

    def close(self) -> None:
        """Shut the system down: everything written back, no process left."""
        self._leave(partial(KernelPanic, SHUT_DOWN))
        self._finish()

    def __repr__(self) -> str:
        state = "running" if self._finish.alive else "shut down"
        return f"<TwinOS, {self.name}, {state}: {', '.join(s.__name__ for s in self.services)}>"
