"""The pulse of the servers: who gives no sign of life, or has been stopped, is killed."""

import time
from collections.abc import Sequence
from typing import Final

from kernels.orders import Ping
from kernels.records import Server
from kernels.switchboard import Switchboard

BEAT: Final = 1.0
"""Seconds between signs of life that are asked for, unless a policy is impatient."""


class Pulse:
    """Looks after servers.

    Args:
        servers: which.
        board: where to wait.
    """

    def __init__(self, servers: Sequence[Server], board: Switchboard) -> None:
        self._servers = servers
        self._board = board
        self._beat = min([BEAT, *(server.policy.hang / 4 for server in servers)])

    def look_for_stopped(self) -> None:
        """Kill servers that somebody has stopped: they serve nobody, and keep everybody waiting."""
        for server in self._servers:
            if not server.retired and server.is_stopped():
                server.hung("stopped")

    def feel(self) -> None:
        """From now on ask every server for signs of life; kill those that owe one for too long."""
        self._board.after(self._beat, self._feel)

    def _feel(self) -> None:
        now = time.monotonic()
        for server in self._servers:
            policy = server.policy
            if not server.pid or server.retired:
                continue
            if not server.ready:
                if now - server.born_at > policy.start:
                    server.hung(f"was not ready after {policy.start:g} s")
            elif not server.asked_at:
                server.asked_at = now if server.order(Ping()) else 0.0
            elif now - server.asked_at > policy.hang:
                server.hung(f"gave no sign of life for {policy.hang:g} s")
        self.feel()
