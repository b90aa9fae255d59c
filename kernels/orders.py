"""Orders: what the kernel proper tells a server, on a connection of its own."""

from typing import Final

import msgspec

from twinos import Caller
from twinos.codec import decoder


class Order(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What the kernel tells a server."""


class Serve(Order, frozen=True):
    """Serve this caller on the channel that comes along, and no other operations than these."""

    service: str
    caller: Caller
    operations: tuple[str, ...]
    channel: int


class Departed(Order, frozen=True):
    """This caller is gone."""

    caller: Caller


class Quiesce(Order, frozen=True):
    """Let nobody in any more, publish what is to survive, and wait for the end."""


class Begin(Order, frozen=True):
    """Take the place for which the code was loaded: build the services."""


class Proven(Order, frozen=True):
    """The code is on trial no more."""


class Ping(Order, frozen=True):
    """Give a sign of life."""


class Stop(Order, frozen=True):
    """Write back, and exit."""


Orders = Serve | Departed | Stop | Ping | Quiesce | Begin | Proven
ORDERS: Final = decoder(Orders)
