"""What every test has: the kernels to run under, seeds that are told, and a search for leftovers.

    def test_it_greets(kernel):
        with kernel.boot(Greeter) as system:
            assert system[Greeter].greet("Ada") == "Hello, Ada!"

runs under every kernel. What a test leaves behind (a process, a thread, a descriptor, shared
memory) fails it.
"""

import ctypes
import gc
import os
import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from kernels import System, boot
from tests.jobs import pytest_addoption, pytest_runtestloop
from twinos import Service
from twinos.wiring import boot_order

__all__ = ["pytest_addoption", "pytest_runtestloop"]

settings.register_profile(
    "twinos",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("twinos")

PATIENCE: Final = 10.0
"""Seconds after which what has not come about will not."""


@dataclass(frozen=True)
class Kernel:
    """One way of running services.

    Attributes:
        name: for people.
        kernel: as `boot` calls it.
        users: as `boot` calls it.
        panics: whether a bug in a service ends the whole system.
        remote: whether a user's request is a message.
        transport: as `boot` calls it.
    """

    name: str
    kernel: str
    users: str = "inline"
    transport: str = "pipe"

    @property
    def panics(self) -> bool:
        return self.kernel == "monolithic"

    @property
    def remote(self) -> bool:
        return self.kernel != "monolithic" or self.users == "process"

    def boot(self, *services: type[Service], **options: Any) -> System:
        """`kernels.boot`, with this kernel; a hybrid puts the lowest services together."""
        if self.kernel == "hybrid":
            order = boot_order(services)
            options.setdefault("groups", [order[: max(2, len(order) - 1)]])
        options.setdefault("transport", self.transport)
        return boot(self.kernel, *services, users=self.users, **options)  # type: ignore[arg-type]  # a parameter of the tests


KERNELS: Final = (
    Kernel("monolithic", "monolithic"),
    Kernel("monolithic-process", "monolithic", users="process"),
    Kernel("microkernel", "microkernel"),
    Kernel("hybrid", "hybrid"),
)


RING: Final = Kernel("ring", "microkernel", transport="ring")
"""For tests of what a transport may spoil."""


@pytest.fixture(params=KERNELS, ids=[kernel.name for kernel in KERNELS])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """Each kernel in turn: `kernel.boot(Service, ...)` takes what `kernels.boot` takes."""
    chosen: Kernel = request.param
    return chosen


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chance with the test's own seed, which is told when the test fails."""
    seed = zlib.crc32(request.node.nodeid.encode())
    print(f"seed {seed}")  # noqa: T201 (pytest shows it for a failed test)
    return random.Random(seed)


def eventually(condition: Callable[[], Any], what: str = "") -> Any:
    """The first true value of `condition`, asked again until `PATIENCE` is over."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"it never came about: {what or condition}"
        time.sleep(0.002)
    return value


class Holdings(NamedTuple):
    """What this process has that it would have to give back."""

    descriptors: frozenset[tuple[int, str]]
    threads: frozenset[threading.Thread]
    processes: frozenset[tuple[int, str]]
    regions: int


def holdings() -> Holdings:
    """What there is now."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        regions = sum("memfd:twinos" in line for line in maps)
    return Holdings(
        frozenset(_descriptors()), frozenset(threading.enumerate()), frozenset(children()), regions
    )


def _descriptors() -> Iterator[tuple[int, str]]:
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except FileNotFoundError:  # the listing's own
            continue
        if "/site-packages/" not in target:  # matplotlib keeps the fonts that it has used open
            yield int(entry), target


def children() -> Iterator[tuple[int, str]]:
    """The pid and name of every child of this process, zombies included.

    This process is a subreaper: what a dead child leaves behind becomes its child.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                head, _, rest = stat.read().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(rest.split()[1]) == os.getpid():
            yield int(entry), head.partition("(")[2]


def reap_orphans() -> None:
    """Wait until all children are gone; for tests that kill a process which has some."""

    def gone() -> bool:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        return False

    eventually(gone, f"children end: {list(children())}")


_PR_SET_CHILD_SUBREAPER: Final = 36


@pytest.fixture(scope="session", autouse=True)
def _orphans_come_here() -> None:
    """In the process that runs the tests: no child of it has this from it."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _leftovers(before: Holdings) -> str:
    """What is here that was not before, when it has had time to go; empty: nothing."""
    deadline = time.monotonic() + PATIENCE / 2
    while True:
        now = holdings()
        found = [
            *(f"descriptor {number}: {target}" for number, target in now[0] - before[0]),
            *(f"thread {thread.name}" for thread in now.threads - before.threads),
            *(f"process {pid}: {name}" for pid, name in now.processes - before.processes),
        ]
        if now.regions > before.regions:
            found.append(f"{now.regions - before.regions} mapped regions")
        if not found or time.monotonic() > deadline:
            return "; ".join(sorted(found))
        gc.collect()
        time.sleep(0.005)


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_by_a_module() -> Iterator[None]:
    before = holdings()
    yield
    if found := _leftovers(before):
        pytest.fail(f"this module leaves behind: {found}")


@pytest.fixture(autouse=True)
def _nothing_is_left(
    request: pytest.FixtureRequest, _nothing_is_left_by_a_module: None
) -> Iterator[None]:
    if _shares_a_fixture(request):  # what that opens, later tests use: see the module's check
        yield
        return
    before = holdings()
    yield
    if found := _leftovers(before):
        pytest.fail(f"this test leaves behind: {found}")


def _shares_a_fixture(request: pytest.FixtureRequest) -> bool:
    definitions = request.node._fixtureinfo.name2fixturedefs  # the one place that knows
    return any(
        definition.scope in {"module", "class"}
        for name, (*_, definition) in definitions.items()
        if name != "_nothing_is_left_by_a_module"
    )
