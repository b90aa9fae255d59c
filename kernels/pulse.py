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

    Attributes:
        beat: seconds between signs of life that are asked for.
    """

    def __init__(self, servers: Sequence[Server], board: Switchboard) -> None:
        self._servers = servers
        self._board = board
        self.beat = min([BEAT, *(server.policy.hang / 4 for server in servers)])

    def look_for_stopped(self) -> None:
        """Kill servers that somebody has stopped: they serve nobody, and keep everybody waiting."""
        for server in self._servers:
            if not server.retired and server.is_stopped():
                server.hung("stopped")

    def feel(self) -> None:
        """From now on ask every server for signs of life; kill those that owe one for too long."""
        self._board.after(self.beat, self._feel)

    def _feel(self) -> None:
        now = time.monotonic()
        for server in self._servers:
            policy = server.policy
            if not server.pid or server.retired:
                continue
            if not server.ready:
                if now - server.born_at > policy.start:
                    server.hung(f"was not ready after {policy.start:g} s")
            elif not server.asked:
                server.asked, server.owed = server.order(Ping()), 0
            else:  # beats are counted, not time: when this host has none, nobody answers
                server.owed += 1
                if server.owed * self.beat >= policy.hang:
                    server.hung(f"gave no sign of life for {policy.hang:g} s")
        self.feel()
