"""The notice board: what it is asked, and what is said to it."""

from typing import NamedTuple

from lab.grading.held import held
from twinos import Caller, Message, Post, Service, Waits, op

LONGEST = 200
"""Characters of a note at most."""


class Talk(Message, frozen=True):
    """What is said between the board's mailbox and others."""


class Subscribe(Talk, frozen=True):
    """To the board: notify me of each new note, from now on."""


class Unsubscribe(Talk, frozen=True):
    """To the board: notify me no more."""


class Welcome(Talk, frozen=True):
    """From the board, to who waits for an answer to `Subscribe`.

    Attributes:
        notes: how many have been pinned so far.
    """

    notes: int


class Note(NamedTuple):
    """A note.

    Attributes:
        author: the uid of who pinned it.
        text: what it says.
    """

    author: int
    text: str


class Board(Service):
    """Notes, numbered from 0 in the order in which they are pinned.

    Args:
        post: the board's mailbox.
    """

    def __init__(self, post: Post[Talk]) -> None:
        self._post = post

    @op
    def pin(self, caller: Caller, text: str) -> int:
        """Pin a note; its number. EINVAL: it is empty; EMSGSIZE: longer than `LONGEST`."""
        raise NotImplementedError

    @op
    def read(self, number: int) -> Note:
        """A note. ENOENT: there is none of that number, not yet or not any more."""
        raise NotImplementedError

    @op
    def await_note(self, number: int) -> Waits[Note]:
        """A note, waited for if it is still to come. EINVAL: negative; ENOENT: taken down."""
        raise NotImplementedError

    @op
    def take_down(self, caller: Caller, number: int) -> None:
        """Take one's own note down. ENOENT: there is none; EPERM: it is somebody else's."""
        raise NotImplementedError


Subject = held(Board)
