"""Control: what processes and the kernel proper say to each other, aside from requests.

Over a socket that keeps message boundaries and can carry descriptors. A process asks (`Ask`), the
kernel answers (`Answer`); to servers the kernel also gives orders (`Order`), on a second socket.
Users share one more socket, the door: whoever holds it can have a connection of its own, so a child
that a user program forks is another caller of the same system.
"""

from typing import Final

from kernels.asking import Answer, Ask
from kernels.desk import Passages
from kernels.status import Event, ServerStatus
from kernels.tasking import Ended, Started, Tasking
from kernels.version import Code
from twinos import BootError, Caller, KernelPanic
from twinos.codec import decoder
from twinos.errors import ErrorParts, put_together
from twinos.message import Endpoint


class Connect(Ask, frozen=True):
    """Asks for a channel to a service, for a caller that this process is."""

    caller: int
    service: str


class Inquest(Ask, frozen=True):
    """Asks why a channel to a service broke; answered when the service runs again, or why not."""

    caller: int
    service: str
    life: int


class Enrol(Ask, frozen=True):
    """Asks for a new caller with these credentials."""

    uid: int
    gid: int
    groups: tuple[int, ...]


class Become(Ask, frozen=True):
    """Asks to be from now on that user's process; unless it is the superuser's, for ever."""

    uid: int
    gid: int
    groups: tuple[int, ...]


class Dismiss(Ask, frozen=True):
    """Says that a caller asks no more."""

    caller: int


class Share(Ask, frozen=True):
    """Asks for a grant of a service's region, for a caller that this process is."""

    caller: int
    service: str
    region: str


class OpenMailbox(Ask, frozen=True):
    """Asks for a mailbox of that name, for a caller that this process is, and for sockets to it."""

    caller: int
    name: str
    sockets: int


class Hello(Ask, frozen=True):
    """Says, from a new program's process, which one it is: its pidfd comes along."""


class Tour(Ask, frozen=True):
    """Asks, from a user, for the door and, if messages are counted, for the table of counts."""


class Knock(Ask, frozen=True):
    """Asks, at the door, to talk over the socket that comes along."""


class Boot(Ask, frozen=True):
    """Asks, from the owner, to be told when every server is ready."""


class Departure(Ask, frozen=True):
    """Says, from a server, that it has freed what it kept for a caller."""

    caller: int


class Crowded(Ask, frozen=True):
    """Says, from a server, that a caller has enough requests under way: one more is hung up on."""

    caller: int


class Ready(Ask, frozen=True):
    """Says that a server's services are built."""


class Failed(Ask, frozen=True):
    """Says that they could not be: the parts of an OSError, or a sentence."""

    error: ErrorParts | None
    sentence: str


class LastWords(Ask, frozen=True):
    """Says, from a server about to die, why."""

    sentence: str


class Cradle(Ask, frozen=True):
    """Asks, from a program, for the connection that a child will have which it forks."""

    child: int


class Arm(Ask, frozen=True):
    """Says, from a driver, in how many seconds its device is to raise its line."""

    driver: str
    seconds: float


class Raise(Ask, frozen=True):
    """Asks, from the superuser, that a driver's device raises its line now."""

    driver: str


class Born(Ask, frozen=True):
    """Says, from a forked child, on that connection, which process it is: its pidfd comes along."""


class Update(Ask, frozen=True):
    """Asks, from the superuser, for other code in place of a service's: `kernels.update`."""

    service: str
    code: Code
    probation: float


class Loaded(Ask, frozen=True):
    """Says, from a process that is to take a server's place, that its code is all right."""


class Unloadable(Ask, frozen=True):
    """Says, from a server of which the code was replaced, that this can't be had any more."""

    sentence: str


class Quiesced(Ask, frozen=True):
    """Says, from a server that is to be replaced, that it is quiet; or why it can't be."""

    failure: str = ""


class Pong(Ask, frozen=True):
    """Says, from a server, that it lives, and how long it has been busy with one request."""

    busy: float


class Report(Ask, frozen=True):
    """Asks how the servers are."""


class Shutdown(Ask, frozen=True):
    """Asks, from the owner, to shut the system down."""


class Granted(Answer, frozen=True):
    """Here it is: the descriptors that come along, the caller, the life of the server.

    Attributes:
        channel: the number of a channel to a server whose state survives; 0: it does not.
    """

    caller: Caller | None = None
    life: int = 0
    endpoint: Endpoint | None = None
    channel: int = 0


class Refused(Answer, frozen=True):
    """No, for this reason: the parts of an OSError, or a sentence."""

    error: ErrorParts | None
    sentence: str = ""


class Verdict(Answer, frozen=True):
    """Why a server died, or that it has only hung up."""

    sentence: str
    restarted: bool = False
    fault: bool = True


class Reported(Answer, frozen=True):
    """How the servers are, what happened to them lately; switches of processes that have ended."""

    servers: tuple[ServerStatus, ...]
    events: tuple[Event, ...]
    interrupts: tuple[tuple[str, int], ...]
    passages: tuple[tuple[str, Passages], ...]
    switches: int


class Panicked(Answer, frozen=True):
    """The monolithic kernel's one space died, and with it the system."""

    sentence: str


News = Departure | Crowded | Ready | Failed | LastWords | Pong | Loaded | Unloadable | Quiesced
Forking = Cradle | Born
Lines = Arm | Raise
Users = (
    Connect
    | Inquest
    | Enrol
    | Become
    | Dismiss
    | Share
    | OpenMailbox
    | Hello
    | Knock
    | Tour
    | Report
)
Asks = Users | Tasking | Forking | Lines | News | Update | Boot | Shutdown
Answers = Granted | Refused | Started | Ended | Verdict | Reported | Panicked

ASKS: Final = decoder(Asks)
ANSWERS: Final = decoder(Answers)


def approved(
    answer: Answers, failure: type[RuntimeError] = BootError
) -> Granted | Started | Ended | Verdict | Reported:
    """The answer, unless the kernel refuses.

    Raises:
        OSError: it does.
        RuntimeError: `failure`, it does in a sentence; or KernelPanic, its one space is gone.
    """
    if isinstance(answer, Panicked):
        raise KernelPanic(answer.sentence)
    if isinstance(answer, Refused):
        raise failure(answer.sentence) if answer.error is None else put_together(answer.error)
    return answer
