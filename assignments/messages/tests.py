"""Public tests of the notice board."""

import errno

from assignments.messages.contract import LONGEST, Note, Subject, Subscribe, Talk, Welcome
from lab.grading.bench import Bench
from twinos import Notification


def notes_are_numbered(bench: Bench) -> None:
    """Notes get the numbers 0, 1, 2, ..."""
    with bench.boot(Subject) as system:
        for number in range(3):
            bench.expect("the number of a note", system[Subject].pin(f"note {number}"), number)


def notes_are_read(bench: Bench) -> None:
    """A note says who pinned it, and what."""
    with bench.boot(Subject) as system, system.user(uid=1000) as ada:
        word = bench.random.choice(["tea", "lost cat", "bicycle"])
        ada[Subject].pin(word)
        bench.expect("note 0", system[Subject].read(0), Note(1000, word))
        bench.fails("reading note 1, which is not there", errno.ENOENT, ada[Subject].read, 1)
        bench.fails("reading note -1", errno.ENOENT, ada[Subject].read, -1)


def bad_notes_are_refused(bench: Bench) -> None:
    """Empty and too long notes are errors, and take no number."""
    with bench.boot(Subject) as system:
        board = system[Subject]
        bench.fails("an empty note", errno.EINVAL, board.pin, "")
        bench.fails("a long note", errno.EMSGSIZE, board.pin, "x" * (LONGEST + 1))
        bench.expect("the number of the first good note", board.pin("x" * LONGEST), 0)


def a_wait_ends(bench: Bench) -> None:
    """Who waits for a note gets it when it is pinned; others are served meanwhile."""
    with bench.boot(Subject) as system, system.user(uid=1000) as ada, ada.queue() as later:
        waiting = later(ada[Subject].await_note, 1)
        system[Subject].pin("first")
        bench.true("the wait for note 1 goes on after note 0", not waiting.done, "it has ended")
        system[Subject].pin("second")
        bench.expect("what the wait came to", waiting.result(), Note(0, "second"))


def subscribers_are_welcomed(bench: Bench) -> None:
    """Subscribe, sent by sendrec, is answered with the number of notes."""
    with bench.boot(Subject) as system, system.mailbox(Talk, "ada") as box:
        peer = box.find("Board")
        bench.expect("the answer", box.sendrec(peer, Subscribe(), bench.patience), Welcome(0))
        system[Subject].pin("one")
        box.receive(timeout=bench.patience)
        bench.expect("the next", box.sendrec(peer, Subscribe(), bench.patience), Welcome(1))


def subscribers_are_notified(bench: Bench) -> None:
    """Each new note is a notification to who has subscribed."""
    with bench.boot(Subject) as system, system.mailbox(Talk, "ada") as box:
        peer = box.find("Board")
        box.sendrec(peer, Subscribe(), bench.patience)
        for text in ("one", "two"):
            system[Subject].pin(text)
            source, came = box.receive(timeout=bench.patience)
            bench.expect("what comes after a note", came, Notification())
            bench.expect("from whom", source, peer)
