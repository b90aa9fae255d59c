"""Hidden tests of the notice board."""

import errno

from assignments.messages.contract import Note, Subject, Subscribe, Talk, Unsubscribe, Welcome
from lab.grading.bench import Bench
from twinos import Notification


def only_authors_take_down(bench: Bench) -> None:
    """A note is taken down by its author, once; numbers are not used again."""
    with bench.boot(Subject) as system, system.user(uid=7) as ada, system.user(uid=8) as bob:
        ada[Subject].pin("mine")
        bench.fails("somebody else's note", errno.EPERM, bob[Subject].take_down, 0)
        bench.expect("one's own", ada[Subject].take_down(0), None)
        bench.fails("reading it afterwards", errno.ENOENT, bob[Subject].read, 0)
        bench.fails("waiting for it afterwards", errno.ENOENT, bob[Subject].await_note, 0)
        bench.fails("taking it down again", errno.ENOENT, ada[Subject].take_down, 0)
        bench.expect("the number of the next note", bob[Subject].pin("next"), 1)


def several_wait(bench: Bench) -> None:
    """Waits for several notes end each with its own."""
    with bench.boot(Subject) as system:
        users = [system.user(uid=1000 + n) for n in range(4)]
        queues = [user.queue() for user in users]
        waits = [
            later(user[Subject].await_note, n)
            for n, (user, later) in enumerate(zip(users, queues, strict=True))
        ]
        for n in range(4):
            system[Subject].pin(f"note {n}")
        for n, wait in enumerate(waits):
            bench.expect(f"the wait for note {n}", wait.result(), Note(0, f"note {n}"))
        for queue in queues:
            queue.__exit__(None, None, None)
        bench.fails("waiting for note -1", errno.EINVAL, system[Subject].await_note, -1)


def the_dead_are_forgotten(bench: Bench) -> None:
    """A subscriber that is gone spoils nothing for the others, nor for who pins."""
    with bench.boot(Subject) as system, system.mailbox(Talk, "ada") as box:
        peer = box.find("Board")
        with system.mailbox(Talk, "bob") as gone:
            gone.sendrec(peer, Subscribe(), bench.patience)
        box.sendrec(peer, Subscribe(), bench.patience)
        bench.expect("pinning all the same", system[Subject].pin("hello"), 0)
        bench.expect("what comes", box.receive(timeout=bench.patience).message, Notification())
        bench.expect("pinning again", system[Subject].pin("again"), 1)


def who_does_not_wait_is_no_bug(bench: Bench) -> None:
    """Subscribe by a plain send, whose sender does not wait for an answer, counts as well."""
    with bench.boot(Subject) as system, system.mailbox(Talk, "ada") as box:
        peer = box.find("Board")
        box.send(peer, Subscribe(), bench.patience)
        box.notify(peer)
        bench.expect("pinning", system[Subject].pin("hello"), 0)
        bench.expect("what comes", box.receive(timeout=bench.patience).message, Notification())


def unsubscribing_ends_it(bench: Bench) -> None:
    """After Unsubscribe no notification comes, and one may subscribe again."""
    with bench.boot(Subject) as system, system.mailbox(Talk, "ada") as box:
        peer = box.find("Board")
        box.sendrec(peer, Subscribe(), bench.patience)
        box.send(peer, Unsubscribe(), bench.patience)
        box.send(peer, Unsubscribe(), bench.patience)
        system[Subject].pin("unheard")
        bench.expect("the answer", box.sendrec(peer, Subscribe(), bench.patience), Welcome(1))
        bench.fails("what has come", errno.EAGAIN, box.receive_nb)


def a_long_history(bench: Bench) -> None:
    """Drawn requests, beside a model."""
    notes: list[Note | None] = []
    with bench.boot(Subject) as system:
        users = {uid: system.user(uid=uid)[Subject] for uid in (1, 2, 3)}
        for step in range(80):
            uid, number = bench.random.choice((1, 2, 3)), bench.random.randrange(-1, 12)
            board, note = users[uid], notes[number] if 0 <= number < len(notes) else None
            match bench.random.choice(("pin", "read", "down")):
                case "pin":
                    bench.expect(f"step {step}: pin", board.pin(f"s{step}"), len(notes))
                    notes.append(Note(uid, f"s{step}"))
                case "read" if note is None:
                    bench.fails(f"step {step}: read {number}", errno.ENOENT, board.read, number)
                case "read":
                    bench.expect(f"step {step}: read {number}", board.read(number), note)
                case _ if note is None:
                    bench.fails(f"step {step}: down", errno.ENOENT, board.take_down, number)
                case _ if note.author != uid:
                    bench.fails(f"step {step}: down", errno.EPERM, board.take_down, number)
                case _:
                    board.take_down(number)
                    notes[number] = None
