"""The updates of a system: which there may be, and who stands ready; see `kernels.update`."""

import errno
import math
from collections.abc import Callable, Sequence
from functools import partial

from kernels.control import Update as Ask
from kernels.peers import SUPERUSER, Peer
from kernels.records import Server
from kernels.switchboard import Switchboard
from kernels.update import ONE_PROGRAM, Update
from twinos import fail, operations


class Updates:
    """At most one at a time for each server.

    Args:
        servers: whose code may be replaced.
        board: where to wait.
        bear: starts a server's process.
        seat: gives the place of a server to a candidate.
        note: writes down what happened.
        panics: whether the death of a server is that of the system.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        board: Switchboard,
        bear: Callable[[Server], None],
        seat: Callable[[Server, Server], None],
        note: Callable[[Server, str], None],
        *,
        panics: bool,
    ) -> None:
        self._servers = servers
        self._board = board
        self._bear = bear
        self._seat = seat
        self._note = note
        self._panics = panics

    def begin(self, peer: Peer, number: int, server: Server, ask: Ask) -> None:
        """Replace the code of a server, and answer when that is decided.

        Raises:
            OSError: EPERM, that is the superuser's; ENOTSUP, state would be lost; EBUSY, one is
                under way; or the host has no room.
        """
        if peer.credentials != SUPERUSER:
            raise fail(errno.EPERM)
        if server.update is not None and not server.update.over:
            raise OSError(errno.EBUSY, f"{server.name} is being updated")
        reason = self._unfit(server)
        if reason:
            raise OSError(errno.ENOTSUP, f"{server.name} can't be updated: {reason}")
        candidate = Server(server.services, server.policy, survives=server.survives)
        note = partial(self._note, server)
        more = (ask.code, ask.probation, self._board, self._seat, note)
        update = Update(server, candidate, *more)
        candidate.code, candidate.update = ask.code, update
        self._bear(candidate)
        server.update = update
        self._board.answer_when(lambda: update.over, peer, number, update.outcome, math.inf)

    def _unfit(self, server: Server) -> str:
        """Why a server's code can't be replaced; empty: it can."""
        if self._panics:
            return ONE_PROGRAM
        if len(server.services) > 1:
            return "it shares its address space"
        stateless = all(each.idempotent for each in operations(server.services[0]).values())
        return "" if server.survives or stateless else "its state does not survive it"

    def candidates(self) -> list[Server]:
        """Processes that are to take a server's place."""
        return [s.update.candidate for s in self._servers if s.update and s.update.candidate.pid]

    def abandon(self) -> list[Server]:
        """The system shuts down: end them; which they are."""
        candidates = self.candidates()
        for candidate in candidates:
            candidate.kill()
        return candidates
