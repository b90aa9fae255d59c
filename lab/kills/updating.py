"""The code of services is replaced under load, by what works and by what does not."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from kernels import System, boot
from lab.kills.campaign import BLOCKS, SERVICES, errors_of
from lab.kills.client import Client
from lab.kills.files import FileClient
from lab.kills.killing import never_given_up
from lab.kills.spawning import ProcessClient
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import Service, UpdateError, operations
from twinos.wiring import boot_order

CLIENTS: Final = 4
GOOD: Final = "the code that was named"
_BAD_EVERY: Final = 3
_REST_S: Final = 0.02
_QUIET_S: Final = 0.5
_PATIENCE_S: Final = 60.0
_VERSION: Final = """\
import functools
import importlib

Old = importlib.import_module({module!r}).{name}


class {name}(Old):
{body}
"""
_FAILS: Final = """\
    @functools.wraps(Old.__init__)
    def __init__(self, *arguments, **named):
        raise AssertionError("a mistake")
"""
_FAILS_LATER: Final = """\
    @functools.wraps(Old.__init__)
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.{} = lambda *_, **__: 1 / 0
"""
_SAID: Final = {
    "what can't be imported": "No module named 'nowhere'",
    "what lacks an operation": "is public but no operation",
    "what fails as it begins": "a mistake",
    "what fails when it is asked": "division by zero",
}
"""Why each is refused."""
_ASKED: Final[dict[type[Service], str]] = {FileSystem: "read", Disk: "write"}
"""What clients ask for all the time."""


class Row(msgspec.Struct, frozen=True):
    """Updates of one kind.

    Attributes:
        kind: of the new code.
        updates: how many.
        kept: how often the old code went on.
        pauses_ms: the longest that a client waited for an answer meanwhile: median, and most.
    """

    kind: str
    updates: int
    kept: int
    pauses_ms: tuple[float, float]


class Updates(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        service: whose code was replaced.
        rows: by kind.
        requests: that clients made and were checked.
        wrong: sentences: what some client was told and should not have been.
        surprises: sentences: good code that was refused, bad code that was not.
        errors: of the image, at the end.
        quiet_ms: the longest that a client waited when nothing was replaced.
        reboot_ms: what the monolithic kernel needs to be booted again from its image.
    """

    service: str
    rows: tuple[Row, ...]
    requests: int
    wrong: tuple[str, ...]
    surprises: tuple[str, ...]
    errors: tuple[str, ...]
    quiet_ms: float
    reboot_ms: float

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        return not (self.wrong or self.surprises or self.errors)


class Outcome(NamedTuple):
    """What came of an update: why the old code went on, if it did; the longest wait, in seconds."""

    kind: str
    reason: str
    pause: float


class TimedClient(FileClient):
    """One that knows how long it waited.

    Attributes:
        longest: seconds, since somebody set it to 0.
        answers: that it has had.
    """

    longest = 0.0
    answers = 0

    def _ask(self, name: str, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return super()._ask(name, *arguments)
        finally:
            self.longest = max(self.longest, time.perf_counter() - began)
            self.answers += 1


class Crowd:
    """The clients.

    Args:
        system: whose.
        seed: of what they do.
    """

    def __init__(self, system: System, seed: int) -> None:
        self._timed = [TimedClient(system, f"client-{at}", f"{seed}/{at}") for at in range(CLIENTS)]
        self._all: list[Client] = [
            *self._timed,
            ProcessClient(system, f"{seed}"),
        ]

    def longest(self) -> float:
        """The longest that one of them has waited since this was asked last; each has an answer."""
        before = [client.answers for client in self._timed]
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and any(
            client.answers == then and client.broken is None
            for client, then in zip(self._timed, before, strict=True)
        ):
            time.sleep(0.001)
        longest = max(client.longest for client in self._timed)
        for client in self._timed:
            client.longest = 0.0
        return longest

    def end(self) -> tuple[int, list[str]]:
        """How much they have asked, and what they were told and should not have been."""
        for client in self._all:
            client.end()
        wrong = [sentence for client in self._all for sentence in client.wrong()]
        for client in self._all:
            client.leave()
        return sum(client.requests for client in self._all), wrong


def update_all(
    service: type[Service],
    code: str,
    count: int,
    seed: int,
    probation: float,
    tick: Callable[[str], None] = lambda _: None,
) -> Updates:
    """Replace the code of a service so many times; every third time by code that fails.

    Args:
        service: which.
        code: what is to work: a module.
        count: how often.
        seed: of what clients do, and of the instants.
        probation: seconds.
        tick: is told of each update.
    """
    rng = random.Random(seed)
    order = boot_order((*SERVICES, service))
    with (
        tempfile.TemporaryDirectory(prefix="twinos-update-") as name,
        never_given_up(order),
    ):
        image = Path(name) / "image"
        config: Any = {Disk: {"image": str(image), "blocks": BLOCKS, "durable": False}}
        todo = _todo(code, count, _versions(service, Path(name)))
        outcomes: list[Outcome] = []
        with boot("microkernel", *order, config=config) as system:
            crowd = Crowd(system, seed)
            time.sleep(_QUIET_S)
            quiet = crowd.longest()
            for kind, where in todo:
                time.sleep(rng.uniform(0.0, 2 * _REST_S))
                patience = probation if kind == GOOD else _PATIENCE_S
                outcomes.append(_update(system, service, kind, where, patience, crowd))
                tick(kind)
            requests, wrong = crowd.end()
        errors = errors_of(image.read_bytes())
        reboot = _reboot(config)
    return Updates(
        service=service.__name__,
        rows=tuple(_row(kind, outcomes) for kind in dict.fromkeys(kind for kind, _ in todo)),
        requests=requests,
        wrong=tuple(wrong),
        surprises=tuple(_surprises(outcomes)),
        errors=errors,
        quiet_ms=quiet * 1e3,
        reboot_ms=reboot * 1e3,
    )


def _todo(code: str, count: int, bad: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Kinds of code, and where it is, in the order in which they are tried."""
    todo = [(GOOD, code)] * count
    todo[_BAD_EVERY - 1 :: _BAD_EVERY] = [bad[at % len(bad)] for at in range(count // _BAD_EVERY)]
    return todo


def _versions(service: type[Service], folder: Path) -> list[tuple[str, str]]:
    """Versions of a service that fail, and where they are."""
    what = {"module": service.__module__, "name": service.__qualname__}
    bodies = {
        "what can't be imported": "    from nowhere import nothing\n",
        "what lacks an operation": f"    {[*operations(service)][-1]} = property()\n",
        "what fails as it begins": _FAILS,
    }
    if service in _ASKED:
        bodies["what fails when it is asked"] = _FAILS_LATER.format(_ASKED[service])
    found = []
    for number, (kind, body) in enumerate(bodies.items()):
        path = folder / f"version_{number}.py"
        path.write_text(_VERSION.format(body=body, **what))
        found.append((kind, f"{path}:{service.__qualname__}"))
    return found


def _update(
    system: System, service: type[Service], kind: str, code: str, probation: float, crowd: Crowd
) -> Outcome:
    """Replace the code; what came of it."""
    reason = ""
    crowd.longest()
    try:
        system.update(service, code, probation)
    except UpdateError as error:
        reason = str(error)
    return Outcome(kind, reason, crowd.longest())


def _surprises(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Where good code was refused, or bad code was not."""
    for outcome in outcomes:
        said = _SAID.get(outcome.kind, "")
        if bool(said) != bool(outcome.reason) or said not in outcome.reason:
            yield f"{outcome.kind}: {outcome.reason or 'it was not refused'}"


def _row(kind: str, outcomes: Sequence[Outcome]) -> Row:
    those = [outcome for outcome in outcomes if outcome.kind == kind]
    pauses = sorted(outcome.pause * 1e3 for outcome in those)
    kept = sum(bool(outcome.reason) for outcome in those)
    return Row(kind, len(those), kept, (pauses[len(pauses) // 2], pauses[-1]))


def _reboot(config: Any) -> float:
    """Seconds until a monolithic kernel that is booted again has answered."""
    system = boot("monolithic", FileSystem, config=config, users="process")
    began = time.perf_counter()
    system.close()
    with boot("monolithic", FileSystem, config=config, users="process") as again:
        again[FileSystem].stat("/")
        return time.perf_counter() - began
