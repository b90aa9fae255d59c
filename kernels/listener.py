"""Listeners: threads that receive for services.

A service never waits in a primitive: the kernel receives for it, and calls its `_received` through
the gate as it would call an operation.
"""

import threading
import traceback
from collections.abc import Callable
from typing import Any

from twinos import Caller, KernelPanic, Post, Received, WiringError
from twinos.letters import Receive
from twinos.mailbox import Counter
from twinos.message import ANY

Mail = Callable[[Caller, str], tuple[Counter, Counter]]
"""Opens a mailbox of that name for a service: one counter to receive at, one for the rest."""


class Listener(threading.Thread):
    """Receives for one service until its mailbox is closed.

    Args:
        counter: where it receives.
        post: the service's end of the same mailbox, which knows the conversation.
        deal: has the service deal with what came.
    """

    def __init__(
        self, counter: Counter, post: Post[Any], deal: Callable[[Received[Any]], None]
    ) -> None:
        super().__init__(name=f"listener at {counter.endpoint}", daemon=True)
        self._counter = counter
        self._post = post
        self._deal = deal

    def run(self) -> None:
        """Receive one thing after the other."""
        while True:
            try:
                outcome = self._counter.ask(Receive(ANY), None)
                self._deal(self._post.opened(outcome))
            except (KernelPanic, WiringError):
                return  # the mailbox is closed, or the kernel is gone
            except OSError:  # nobody waits for an answer who could be told
                traceback.print_exc()
