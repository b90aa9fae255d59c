"""A client: a user at work in a thread of its own, by chance, that notes whatever can't be."""

import random
import threading
from abc import ABC, abstractmethod

from kernels import System


class Client(ABC):
    """A user at work until it is told to end; a subclass begins when it is built.

    Args:
        system: whose user it is.
        name: what it is called in what it says.
        seed: of what it does.

    Attributes:
        requests: how many of its requests were checked.
        broken: the exception that ended it, if one did.
    """

    def __init__(self, system: System, name: str, seed: str) -> None:
        self._user = system.user()
        self._name = name
        self._rng = random.Random(seed)
        self._over = threading.Event()
        self._wrong: list[str] = []
        self.requests = 0
        self.broken: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def end(self) -> None:
        """Do no more."""
        self._over.set()
        self._thread.join()

    def leave(self) -> None:
        """Leave the system."""
        self._user.close()

    def wrong(self) -> list[str]:
        """What it was told and can't be; and what it should never have met."""
        found = list(self._wrong)
        if self.broken is not None:
            found.append(f"it met {type(self.broken).__name__}: {self.broken}")
        return [f"{self._name}: {sentence}" for sentence in found]

    def _begin(self) -> None:
        """Be at work from now on."""
        self._thread.start()

    def _work(self) -> None:
        try:
            while not self._over.is_set():
                self._step()
            self._finish()
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is reported)
            self.broken = error

    @abstractmethod
    def _step(self) -> None:
        """Do something, and check what comes of it."""

    @abstractmethod
    def _finish(self) -> None:
        """Look at everything once more."""
