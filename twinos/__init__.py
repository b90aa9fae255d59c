"""The contract: what a service, an operation, a message and a caller are.

    from twinos import Service, op

    class Greeter(Service):
        @op
        def greet(self, name: str) -> str:
            return f"Hello, {name}!"

Everything that a service of one's own imports is here.
"""

from twinos.caller import Caller
from twinos.errors import (
    BootError,
    ContractError,
    KernelPanic,
    NotAloneError,
    ServerDied,
    UpdateError,
    WiringError,
    fail,
)
from twinos.journal import NO_JOURNAL, Journal, Recording, noted, replayed
from twinos.later import Later, Pending
from twinos.limits import limit
from twinos.line import NO_DEVICE, Line
from twinos.mailbox import Mailbox, Post
from twinos.message import ANY, Deliver, Endpoint, Message, Notification, Posting, Received
from twinos.operation import Bind, Op, op
from twinos.pages import Pages
from twinos.privileges import only, shared
from twinos.region import Region
from twinos.service import Service, operations
from twinos.signal import Signal, Until, Waits
from twinos.supervision import Supervision
from twinos.tasks import Task, Tasks

__all__ = [
    "ANY",
    "NO_DEVICE",
    "NO_JOURNAL",
    "Bind",
    "BootError",
    "Caller",
    "ContractError",
    "Deliver",
    "Endpoint",
    "Journal",
    "KernelPanic",
    "Later",
    "Line",
    "Mailbox",
    "Message",
    "NotAloneError",
    "Notification",
    "Op",
    "Pages",
    "Pending",
    "Post",
    "Posting",
    "Received",
    "Recording",
    "Region",
    "ServerDied",
    "Service",
    "Signal",
    "Supervision",
    "Task",
    "Tasks",
    "Until",
    "UpdateError",
    "Waits",
    "WiringError",
    "fail",
    "limit",
    "noted",
    "only",
    "op",
    "operations",
    "replayed",
    "shared",
]
