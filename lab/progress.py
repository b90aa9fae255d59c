"""How far a long command is: a bar on a terminal, a few plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Self

import tqdm


class Progress:
    """Counts steps on standard error; standard output is for results.

    Args:
        total: steps to come.
        unit: what a step is.
    """

    LINES = 8
    """About how many lines are written where there is no terminal."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._done = 0
        self._start = time.monotonic()
        self._bar: Any = None
        if sys.stderr.isatty():
            tqdm.tqdm.monitor_interval = 0  # no thread of tqdm's: others may fork
            self._bar = tqdm.tqdm(total=total, unit=unit, leave=False, dynamic_ncols=True)

    def begin(self, what: str) -> None:
        """Say what the next step is."""
        if self._bar is not None:
            self._bar.set_description(what)
        elif self._done % -(-self._total // self.LINES) == 0:
            left = f", {self._left()} left" if self._done else ""
            print(f"{self._unit} {self._done + 1} of {self._total}{left}: {what}", file=sys.stderr)

    def _left(self) -> str:
        """An estimate of the time to come, from that of the steps so far."""
        seconds = (time.monotonic() - self._start) / self._done * (self._total - self._done)
        return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {seconds:.0f} s"

    def expect(self, more: int) -> None:
        """There are more steps to come than was known."""
        self._total += more
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.refresh()

    def step(self) -> None:
        """One step is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
