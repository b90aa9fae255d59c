"""Mailboxes as programs and services use them, under every kernel; and the death of a party."""

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kernels import User, boot
from kernels.mail import SocketCounter
from servers.clock import Clock
from tests.conftest import Kernel, eventually
from tests.kernels.channels import agent
from twinos import (
    ContractError,
    Deliver,
    Endpoint,
    KernelPanic,
    Mailbox,
    Message,
    Notification,
    Post,
    Posting,
    Received,
    Service,
    WiringError,
    op,
)
from twinos.message import EDEADSRCDST, ELOCKED, ENOTREADY, KERNEL, LONGEST_MESSAGE, Sent


class Chat(Message, frozen=True):
    pass


class Ping(Chat, frozen=True):
    number: int


class Text(Chat, frozen=True):
    text: str


class Other(Message, frozen=True):
    number: int


class Adder(Service):
    """Answers every ping with the sum of all, and counts notifications."""

    def __init__(self, post: Post[Chat]) -> None:
        self._post = post
        self._sum = 0
        self._notes: list[Endpoint] = []

    def _received(self, source: Endpoint, message: Message) -> None:
        match message:
            case Ping(number):
                self._sum += number
                self._post.senda(Posting(source, Ping(self._sum)))
            case Notification():
                self._notes.append(source)
            case Text("crash"):
                raise AssertionError("as asked")

    @op
    def notes(self) -> tuple[Endpoint, ...]:
        return tuple(self._notes)

    @op
    def tell(self, name: str) -> None:
        self._post.notify(self._post.find(name))

    @op
    def endpoint(self) -> Endpoint:
        return self._post.endpoint


def code_of(call: Callable[[], object]) -> int | None:
    try:
        call()
    except OSError as error:
        return error.errno
    return None


@contextmanager
def partner(kernel: Kernel, user: User, program: Callable[..., object]) -> Iterator[None]:
    """`program(user)` beside the test: in a process, or where there can be none in a thread."""
    if kernel.remote:
        process = user.process(program)
        yield
        assert process.join(10) == 0
        return
    thread = threading.Thread(target=program, args=(user,))
    thread.start()
    yield
    thread.join(10)
    assert not thread.is_alive()


def echo(user: User) -> None:
    """Send back what comes, until a text comes."""
    with user.mailbox(Chat, "echo") as box:
        while True:
            source, message = box.receive()
            if isinstance(message, Text):
                return
            if isinstance(message, Ping):
                box.send(source, message)


def found(box: Mailbox[Chat], name: str) -> Endpoint:
    def look() -> Endpoint | None:
        try:
            return box.find(name)
        except ProcessLookupError:
            return None

    endpoint: Endpoint = eventually(look)
    return endpoint


def test_a_rendezvous(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system, system.mailbox(Chat, "me") as box:
        with partner(kernel, system, echo):
            peer = found(box, "echo")
            for number in (0, -(2**63), 2**64 - 1):
                assert box.sendrec(peer, Ping(number)) == Ping(number)
            box.send(peer, Ping(7))
            assert box.receive(peer, timeout=10) == Received(peer, Ping(7))
            box.send(peer, Text("enough"))
        assert code_of(lambda: box.send(peer, Ping(1))) == EDEADSRCDST


def test_what_never_waits(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        box, other = system.mailbox(Chat), system.mailbox(Chat)
        assert code_of(lambda: box.send_nb(other.endpoint, Ping(1))) == ENOTREADY
        assert code_of(box.receive_nb) == ENOTREADY
        assert code_of(lambda: box.receive(timeout=0.01)) == errno.ETIMEDOUT
        for _ in range(3):
            box.notify(other.endpoint)
        assert other.receive() == Received(box.endpoint, Notification())
        assert code_of(other.receive_nb) == ENOTREADY
        box.senda(Posting(other.endpoint, Ping(1), Deliver.NOTIFY), Posting(box.endpoint, Ping(2)))
        assert box.sent() == (Sent(done=False), Sent(done=True, error=errno.EPERM))
        assert other.receive_nb() == Received(box.endpoint, Ping(1))
        assert box.sent()[0] == Sent(done=True)
        assert box.receive() == Received(KERNEL, Notification())


def test_a_circle_is_refused_and_printed(kernel: Kernel, capfd: pytest.CaptureFixture[str]) -> None:
    with kernel.boot(Clock) as system:
        one, two = system.mailbox(Chat, "one"), system.mailbox(Chat, "two")
        sender = threading.Thread(target=lambda: one.send(two.endpoint, Ping(1)))
        sender.start()
        eventually(lambda: code_of(lambda: two.receive_nb(one.endpoint)) is None)
        sender.join()
        receiver = threading.Thread(target=lambda: eventually(lambda: got(one, two) != ELOCKED))
        receiver.start()
        eventually(lambda: got(two, one, timeout=0.01) == ELOCKED)
        two.send(one.endpoint, Ping(2))
        receiver.join()
    circle = "deadlock: two receives from one, one receives from two"
    assert f"twinos: {circle}\n" in capfd.readouterr().err


def got(box: Mailbox[Chat], other: Mailbox[Chat], timeout: float | None = None) -> int | None:
    return code_of(lambda: box.receive(other.endpoint, timeout))


def test_a_message_never_reaches_the_successor(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        box = system.mailbox(Chat)
        for life in range(1, 6, 2):
            with system.mailbox(Chat, "other") as other:
                former = other.endpoint
                assert former == Endpoint(box.endpoint.slot + 1, life)
                box.senda(Posting(former, Ping(life)))
            with system.mailbox(Chat, "other") as successor:
                assert successor.endpoint == Endpoint(former.slot, life + 1)
                assert dead(box, former)
                assert box.sent() == (Sent(done=True, error=EDEADSRCDST),)
                assert code_of(successor.receive_nb) == ENOTREADY


def dead(box: Mailbox[Chat], to: Endpoint) -> bool:
    """Whether every primitive says so."""
    calls: list[Callable[[], object]] = [
        lambda: box.send(to, Ping(1)),
        lambda: box.send_nb(to, Ping(1)),
        lambda: box.sendrec(to, Ping(1)),
        lambda: box.receive(to),
        lambda: box.notify(to),
    ]
    return {code_of(call) for call in calls} == {EDEADSRCDST}


def test_names_are_taken_once(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        with system.mailbox(Chat, "name") as box:
            assert code_of(lambda: system.mailbox(Chat, "name")) == errno.EEXIST
            assert box.find("name") == box.endpoint
        with system.mailbox(Chat, "name") as box:
            assert box.endpoint.generation == 2


def test_bad_messages_are_refused(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        box, stranger = system.mailbox(Chat), system.mailbox(Other)
        text = "x" * (LONGEST_MESSAGE - 8)  # the name of its type and two lengths are eight
        stranger.senda(Posting(box.endpoint, Other(1)))
        assert code_of(box.receive) == errno.EBADMSG
        assert code_of(lambda: box.notify(box.endpoint)) is None
        assert code_of(lambda: box.send_nb(stranger.endpoint, Text(text))) == ENOTREADY
        assert code_of(lambda: box.send_nb(stranger.endpoint, Text(text + "x"))) == errno.EMSGSIZE


def test_users_talk_to_their_own_and_to_the_superuser(kernel: Kernel) -> None:
    with kernel.boot(Adder) as system, system.user(uid=1) as one, system.user(uid=2) as two:
        root, box = system.mailbox(Chat, "root"), one.mailbox(Chat, "one")
        fellow, stranger = one.mailbox(Chat), two.mailbox(Chat, "two")
        assert code_of(lambda: box.send_nb(root.endpoint, Ping(1))) == ENOTREADY
        assert code_of(lambda: box.send_nb(fellow.endpoint, Ping(1))) == ENOTREADY
        adder = box.find("Adder")
        assert box.sendrec(adder, Ping(3)) == Ping(3)
        with pytest.raises(PermissionError, match="one may not talk to two"):
            box.send_nb(stranger.endpoint, Ping(1))


def test_a_service_has_a_mailbox_of_its_own(kernel: Kernel) -> None:
    with kernel.boot(Adder) as system, system.mailbox(Chat, "me") as box:
        adder = box.find("Adder")
        assert adder == system[Adder].endpoint()
        assert [box.sendrec(adder, Ping(each)) for each in (1, 2, 3)] == [Ping(1), Ping(3), Ping(6)]
        system[Adder].tell("me")
        assert box.receive(timeout=10) == Received(adder, Notification())
        box.notify(adder)
        eventually(lambda: system[Adder].notes() == (box.endpoint,))
        assert code_of(lambda: system[Adder].tell("nobody")) == errno.ESRCH


def test_a_bug_in_what_receives_is_a_bug_of_the_service(kernel: Kernel) -> None:
    with kernel.boot(Adder) as system, system.mailbox(Chat) as box:
        former = box.find("Adder")
        box.sendrec(former, Ping(5))
        box.send(former, Text("crash"))
        if kernel.panics:
            with pytest.raises(KernelPanic, match="as asked"):
                eventually(lambda: system[Adder].notes() and False)
            return
        eventually(lambda: code_of(lambda: box.send_nb(former, Ping(1))) == EDEADSRCDST)
        successor = found(box, "Adder")
        assert successor.slot == former.slot
        assert successor.generation > former.generation
        assert box.sendrec(successor, Ping(1)) == Ping(1)


def test_who_has_left_has_no_mailbox(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        user = system.user()
        box, other = user.mailbox(Chat, "name"), system.mailbox(Chat)
        waiter = threading.Thread(target=lambda: code_of(lambda: other.receive(box.endpoint)))
        waiter.start()
        user.close()
        waiter.join()
        for call in (box.receive, lambda: user.mailbox(Chat)):
            with pytest.raises(WiringError, match="has left the system"):
                call()
        assert code_of(lambda: other.find("name")) == errno.ESRCH
    with pytest.raises(KernelPanic, match="shut down"):
        other.receive()


def test_a_forked_child_has_no_mailbox_of_its_parent() -> None:
    with boot("microkernel", Clock) as system:
        box = system.mailbox(Chat, "mine")
        child = os.fork()
        if not child:
            try:
                box.receive(timeout=1)
            except WiringError:
                os._exit(3)
            os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert box.find("mine") == box.endpoint


class Lists(Message, frozen=True):
    items: list[int]


class Mutable(Message, frozen=False):
    number: int


class Plain(Service):
    def __init__(self, post: Post[int]) -> None:  # type: ignore[type-var]  # refused at boot
        del post


class Twice(Service):
    def __init__(self, post: Post[Chat], other: Post[Other]) -> None:
        del post, other


def test_conversations_that_can_not_travel(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        for conversation in (Lists, Mutable):
            with pytest.raises(ContractError):
                system.mailbox(conversation)
    for wrong in (Plain, Twice):
        with pytest.raises(ContractError):
            kernel.boot(wrong)


def test_an_interrupted_receive_loses_nothing(kernel: Kernel) -> None:
    with kernel.boot(Clock) as system:
        box, other = system.mailbox(Chat), system.mailbox(Chat)
        for number in range(3):
            with pytest.raises(KeyboardInterrupt):
                interrupted(box.receive)
            other.senda(Posting(box.endpoint, Ping(number)))
            assert box.receive(timeout=10) == Received(other.endpoint, Ping(number))


def interrupted(call: Callable[[], object]) -> None:
    timer = threading.Timer(0.03, lambda: signal.pthread_kill(_MAIN, signal.SIGINT))
    timer.start()
    try:
        call()
    finally:
        timer.join()


_MAIN = threading.main_thread().ident or 0


def be_killed_in(user: User, primitive: str, peer: Endpoint) -> None:
    """Be killed in the middle of a primitive, or soon after one that does not wait."""
    box = user.mailbox(Chat, "victim")
    threading.Timer(0.03, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    calls: dict[str, Callable[[], object]] = {
        "nothing": threading.Event().wait,
        "receive": box.receive,
        "receive from": lambda: box.receive(peer),
        "send": lambda: box.send(peer, Ping(1)),
        "sendrec": lambda: box.sendrec(peer, Ping(1)),
        "senda": lambda: box.senda(Posting(peer, Ping(1))),
        "notify": lambda: box.notify(peer),
    }
    while True:
        assert code_of(calls[primitive]) in {None, ELOCKED}


def posted(box: Mailbox[Chat], victim: Endpoint) -> None:
    """Post something for the victim until it can't take it any more."""
    box.senda(Posting(victim, Ping(2), Deliver.NOTIFY_ERR), Posting(victim, Ping(3)))
    sent = eventually(lambda: all(line.done for line in box.sent()) and box.sent())
    if sent[-1].error:
        raise OSError(sent[-1].error, "posted in vain")


SURVIVORS: dict[str, Callable[[Mailbox[Chat], Endpoint], object]] = {
    "send": lambda box, victim: box.send(victim, Ping(2), timeout=10),
    "receive": lambda box, victim: box.receive(victim, timeout=10),
    "sendrec": lambda box, victim: box.sendrec(victim, Ping(2), timeout=10),
    "senda": posted,
}


@pytest.mark.parametrize("survivor", SURVIVORS)
@pytest.mark.parametrize(
    "primitive", ["nothing", "receive", "receive from", "send", "sendrec", "senda", "notify"]
)
def test_who_is_killed_in_the_middle_is_gone_for_all(primitive: str, survivor: str) -> None:
    with boot("microkernel", Clock) as system, system.mailbox(Chat, "survivor") as box:
        process = system.process(be_killed_in, primitive, box.endpoint)
        victim = found(box, "victim")

        def is_gone() -> bool:
            code = code_of(lambda: SURVIVORS[survivor](box, victim))
            assert code in {None, ELOCKED, EDEADSRCDST}
            return code == EDEADSRCDST

        eventually(is_gone)
        assert process.join(10) == -signal.SIGKILL
        while code_of(box.receive_nb) is None:
            pass  # what came before
        assert code_of(lambda: box.find("victim")) == errno.ESRCH
        with system.mailbox(Chat, "victim") as successor:
            assert successor.endpoint == Endpoint(victim.slot, victim.generation + 1)
            assert code_of(successor.receive_nb) == ENOTREADY


def test_nonsense_costs_its_sender_the_mailbox() -> None:
    with boot("microkernel", Clock) as system, system.mailbox(Chat) as good:
        for nonsense in (b"", b"\1", b"\0\0\0\0\xc1", b"\0\0\0\0" + bytes(1000)):
            box: SocketCounter = agent(system).mailbox(system.caller, "bad")
            box._connection.send(nonsense)
            eventually(lambda: code_of(lambda: good.find("bad")) == errno.ESRCH)
            box.close()
        assert good.find("mailbox " + str(good.endpoint)) == good.endpoint
