"""Is a service stuck? What a server can tell the kernel of itself, at no cost to its requests.

Now and then the server looks at the stacks of its threads. One that carries out a request, with the
service's own code on top, is at work; what it has been seen at work for, in one request, adds up.
Waiting for a signal, for the gate or for another service is the kernel's code, and counts nothing.
"""

import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from kernels.source import HANDLER

_OURS: Final = (f"{Path(__file__).parent}/", "<twinos ")
_HANDLER: Final = f"<twinos {HANDLER} "


class Watch:
    """Sums up how long the requests that are under way have been worked at.

    Args:
        beat: seconds between two looks. If one comes late, the host had no time: who may have had
            none either is not told that it was at work all along.
    """

    def __init__(self, beat: float) -> None:
        self._beat = beat
        self._looked_at = time.monotonic()
        self._busy: dict[int, tuple[FrameType, float]] = {}

    def busiest(self) -> float:
        """Seconds that the longest request has been worked at, as far as it was seen."""
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, self._beat), now
        busy = {}
        for thread, frame in sys._current_frames().items():  # noqa: SLF001 (made for this)
            request = _request_of(frame)
            if request is None:
                continue
            known, seconds = self._busy.get(thread, (None, 0.0))
            at_work = not frame.f_code.co_filename.startswith(_OURS)
            more = passed if known is request and at_work else 0.0
            busy[thread] = (request, more + (seconds if known is request else 0.0))
        self._busy = busy
        return max((seconds for _, seconds in busy.values()), default=0.0)


def _request_of(frame: FrameType | None) -> FrameType | None:
    """The frame that carries out a request, if the thread of the innermost `frame` does."""
    while frame is not None and not frame.f_code.co_filename.startswith(_HANDLER):
        frame = frame.f_back
    return frame
