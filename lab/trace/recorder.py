"""Recording messages: a layer in every handle, which can be switched on and off.

Every process writes to one file: its lines are short, and so each is written in one piece. Off, a
request costs the look at a byte in shared memory.
"""

import mmap
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from twinos import Bind, Op
from twinos.errors import describe

QUIET: Final = 0.02
"""Seconds without a new line after which all that began has been noted."""
PATIENCE: Final = 0.5
"""Seconds after which what has not been noted is left out."""
SHORT: Final = 28
"""Letters of an argument or an error that are kept."""
KEYBOARD: Final = frozenset(["wanted", "typed"])
"""What the terminal itself asks of the console."""
PEOPLE: Final = "user"
HARDWARE: Final = "hardware"
"""Who interrupts."""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A request and its answer, as its client saw them.

    Attributes:
        start, end: nanoseconds of the host's monotonic clock.
        client: a service, or the name of a program.
        process: the client's on the host.
        thread: the client's there.
        service: who was asked.
        operation: for what.
        arguments: with which, shortened.
        outcome: the error that came back; empty: none did.
    """

    start: int
    end: int
    client: str
    process: int
    thread: int
    service: str
    operation: str
    arguments: str
    outcome: str


class Tracer(msgspec.Struct, frozen=True):
    """The layer; see `kernels.stub.ClientLayer`. A struct, so that it may travel.

    Attributes:
        folder: where its two files are.
    """

    folder: str

    def around(self, bind: Bind, client: str) -> Bind:
        """`bind`, noting requests while that is switched on."""
        taps: dict[int, _Tap] = {}  # by process: a fork gets its own

        def bound(operation: Op) -> Callable[..., Any]:
            deliver = bind(operation)
            if operation.name in KEYBOARD:
                return deliver

            def traced(*arguments: Any, **named: Any) -> Any:
                tap = taps.get(os.getpid())
                if tap is None:
                    tap = taps[os.getpid()] = _Tap(self.folder, client)
                if not tap.switch[0]:
                    return deliver(*arguments, **named)
                start, outcome = time.monotonic_ns(), ""
                try:
                    return deliver(*arguments, **named)
                except BaseException as error:
                    outcome = describe(error)[:SHORT]
                    raise
                finally:
                    tap.note(operation, start, (*arguments, *named.values()), outcome)

            return traced

        return bound

    @contextmanager
    def interrupted(self, driver: str) -> Iterator[None]:
        """Note that a driver dealt with an interrupt, as if the hardware had asked it to."""
        tap = _Tap(self.folder, HARDWARE)
        start = time.monotonic_ns()
        try:
            yield
        finally:
            if tap.switch[0]:
                tap.write(start, driver, "interrupt", "", "")
            tap.switch.close()


class _Tap:
    """One process's way to the files."""

    def __init__(self, folder: str, client: str) -> None:
        switch = os.open(f"{folder}/switch", os.O_RDONLY | os.O_CLOEXEC)
        self.switch = mmap.mmap(switch, 1, prot=mmap.PROT_READ)
        os.close(switch)
        self._log = f"{folder}/log"
        self._client = client if client not in {"root", PEOPLE} else _program()

    def note(self, operation: Op, start: int, arguments: tuple[Any, ...], outcome: str) -> None:
        told = ", ".join(map(shortened, arguments))
        self.write(start, operation.service, operation.name, told, outcome)

    def write(self, start: int, service: str, operation: str, arguments: str, outcome: str) -> None:
        thread = threading.get_ident()
        own = (time.monotonic_ns(), self._client, os.getpid(), thread)
        request = Request(start, *own, service, operation, arguments, outcome)
        log = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(log, msgspec.json.encode(request) + b"\n")
        finally:
            os.close(log)


def _program() -> str:
    """What the host calls this process; one that is no program of the system is the shell."""
    name = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
    return name.removeprefix("twinos:") if name.startswith("twinos:") else "shell"


def shortened(value: object) -> str:
    """A value for people: bytes by their number, long texts cut."""
    if isinstance(value, bytes):
        return f"<{len(value)} B>"
    text = repr(value).encode(errors="backslashreplace").decode()
    return text if len(text) <= SHORT else f"{text[: SHORT - 3]}..."


class Recording:
    """The files, and what is in them.

    Attributes:
        layer: to boot with.
    """

    def __init__(self, folder: str) -> None:
        self.layer = Tracer(folder)
        self._log = Path(folder, "log")
        self._log.touch()
        switch = Path(folder, "switch")
        switch.write_bytes(b"\0")
        with switch.open("r+b") as file:
            self._switch = mmap.mmap(file.fileno(), 1)
        self._read = 0

    @property
    def is_on(self) -> bool:
        """Whether requests are noted."""
        return bool(self._switch[0])

    def switch(self, *, on: bool) -> None:
        """Have requests noted from now on, or not."""
        self._switch[0] = int(on)

    def taken(self) -> list[Request]:
        """What has been noted since this was last asked, in the order in which it began.

        An answer is noted a little after it was given: so this waits until nothing comes any more.
        """
        self._settle()
        with self._log.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole, _, _ = data.rpartition(b"\n")
        self._read += len(whole) + bool(whole)
        requests = [msgspec.json.decode(line, type=Request) for line in whole.splitlines()]
        return sorted(requests, key=lambda request: request.start)

    def _settle(self) -> None:
        size, deadline = -1, time.monotonic() + PATIENCE
        while (now := self._log.stat().st_size) != size and time.monotonic() < deadline:
            size = now
            time.sleep(QUIET)

    def close(self) -> None:
        """Let go of the files."""
        self._switch.close()


@contextmanager
def recording() -> Iterator[Recording]:
    """A recording in files that are gone afterwards."""
    folder = tempfile.mkdtemp(prefix="twinos-trace-")
    found = Recording(folder)
    try:
        yield found
    finally:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)
