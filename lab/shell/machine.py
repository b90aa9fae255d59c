"""The machine that a shell runs on: a booted system, its keyboard, and one process, the shell's."""

import contextlib
import os
import select
import signal
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, Self

from kernels import Layer, System
from kernels.boot import boot
from lab.choice import HYBRID, Choice, parse
from lab.limits import chosen
from lab.refusal import Failure, Refusal
from lab.trace.recorder import Recording
from servers.clock import Clock
from servers.console import Console
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.keys import Keys
from servers.memory import MemoryManager
from servers.process import Process, ProcessManager
from twinos import BootError, KernelPanic, Service, WiringError
from twinos.errors import describe
from twinos.wiring import boot_order
from workloads import programs

SERVICES: Final = (ProcessManager, Console, Clock, MemoryManager)
BLOCKS: Final = 16_384
"""Blocks of 1 KiB of a disk that nobody brought along."""
TURN: Final = 0.5
"""Seconds in which the keyboard looks whether it is still needed."""
PIECE: Final = 4096

ENVIRONMENT: Final = {"PATH": "/bin", "HOME": "/root", "PWD": "/", "USER": "root"}


class Machine:
    """A system with the programs of `workloads.programs` in /bin.

    Args:
        kernel: as `choice.parse` reads it.
        image: an image on the host, or None for a disk in memory.
        terminal: whether a person sits at standard input and output.
        record: where its messages are noted, when that is switched on.
        scheduler: as `boot` calls it.
        limits: other than those by default.
        screen: keep what programs write for `Console.screen`, and leave the terminal alone.

    Raises:
        Refusal: it does not boot.
    """

    def __init__(
        self,
        kernel: str,
        image: str | None = None,
        *,
        terminal: bool = False,
        record: Recording | None = None,
        scheduler: str | None = None,
        limits: Sequence[str] = (),
        screen: bool = False,
    ) -> None:
        self._choice = parse(kernel)
        self.record = record
        self._layers = () if record is None else (record.layer,)
        disk = {"blocks": BLOCKS} if image is None else {"image": image}
        known = {service.__name__: service for service in boot_order(SERVICES)}
        options, bounds = chosen(limits, known)
        self._options: dict[str, Any] = {**options, "scheduler": scheduler}
        self._config: dict[type[Service], dict[str, Any]] = {}
        self._screen = screen
        for config in (bounds, {Disk: disk, Console: {"terminal": terminal, "keep": screen}}):
            for service, settings in config.items():
                self._config.setdefault(service, {}).update(settings)
        for name in programs.names():  # here, once: what is forked from here has them
            import_module(f"{programs.__name__}.{name}")
        self._boot()

    def _boot(self) -> None:
        with _deaf_to(signal.SIGTSTP, signal.SIGQUIT):
            self._start()

    def _start(self) -> None:
        try:
            self.system = _booted(self._choice, self._config, self._layers, self._options)
        except (OSError, WiringError, BootError) as error:
            raise Refusal(f"{self._choice.name} does not boot: {describe(error)}.") from error
        try:
            programs.install(self.system[FileSystem])
            self.system[FileSystem].sync()
            self.process = Process.enter(self.system, "top" if self._screen else "sh", ENVIRONMENT)
            self._keyboard = None if self._screen else Keyboard(self.system)
        except BaseException as error:
            self.system.close()
            if isinstance(error, OSError):
                raise Failure(f"the disk can't be used: {error}.") from error
            raise

    @property
    def kernel(self) -> str:
        """The kernel as it was named."""
        return self._choice.name

    def reboot(self) -> None:
        """Boot anew, from the same disk if that is an image."""
        self.close()
        self._boot()

    def close(self) -> None:
        """Shut the system down."""
        if self._keyboard is not None:
            self._keyboard.close()
        with contextlib.suppress(KernelPanic):
            self.system.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def _deaf_to(*numbers: signal.Signals) -> Iterator[None]:
    """Have processes that are started meanwhile ignore keys of the terminal."""
    old = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _booted(
    choice: Choice,
    config: Mapping[type[Service], Mapping[str, Any]],
    layers: Sequence[Layer],
    options: Mapping[str, Any],
) -> System:
    order = boot_order(SERVICES)
    groups = tuple(tuple(s for s in group if s in order) for group in choice.groups)
    return boot(
        choice.kernel,
        *SERVICES,
        config=config,
        groups=tuple(filter(None, groups)) if choice.kernel == HYBRID else (),
        users="process",
        count=True,
        layers=layers,
        grace=5.0,
        **options,
    )


class Keyboard:
    """Passes what the host's standard input has to programs that wait for it, and no more.

    Args:
        system: the system whose console it belongs to.
    """

    def __init__(self, system: System) -> None:
        self._system = weakref.proxy(system)
        self._user = system.user()
        self._keys = Keys(self._user.region(Console, "keys"))
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._work, name="keyboard", daemon=True)
        # Signals are the main thread's: taken here, Ctrl-C would not interrupt what it waits for.
        old = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def close(self) -> None:
        """Pass nothing on any more."""
        os.close(self._stop)
        self._thread.join()
        os.close(self._stopped)

    def _work(self) -> None:
        console = self._user[Console]
        while not self._is_stopped(0.0):
            try:
                if console.wanted(TURN):
                    self._pass_on()
            except KernelPanic:
                return
            except OSError:  # the console's server died: another one will come
                if self._is_stopped(TURN):
                    return

    def _is_stopped(self, patience: float) -> bool:
        return bool(select.select([self._stopped], [], [], patience)[0])

    def _pass_on(self) -> None:
        ready, _, _ = select.select([0, self._stopped], [], [], TURN)
        if 0 in ready:
            piece = os.read(0, PIECE)
            while not self._keys.press(piece) and not self._is_stopped(TURN):
                pass  # nobody takes what was typed before
            self._system.interrupt(Console)
