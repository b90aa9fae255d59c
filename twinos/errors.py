"""What can go wrong, and who is told.

An operation fails by raising `OSError` with an errno; the same subclass, errno and text arrive at
the client under every kernel. Everything else here is about the system itself.
"""

import os
from typing import Final


class ContractError(TypeError):
    """A service class breaks the contract; raised where the class is defined."""


class WiringError(ValueError):
    """Services cannot be put together as asked: a cycle, an unknown parameter, a bad group."""


class NotAloneError(Exception):
    """An operation that overlaps others must be in the middle alone this time: see `Service`.

    Raised by the operation, before it has changed anything. The kernel then has it begin again.
    """


class BootError(RuntimeError):
    """A service's constructor failed with something other than an `OSError`."""


class UpdateError(RuntimeError):
    """New code for a running service was refused, or failed: the old code serves on."""


class KernelPanic(RuntimeError):
    """A bug in a service took the monolithic kernel, and every other service in it, down."""


class ServerDied(ConnectionResetError):
    """The server process that was to answer is gone; the text names the service and says why.

    The microkernel restarts the server, so a later request works. This one may or may not have
    been carried out.

    Attributes:
        restarted: whether it died, and has another life.
        survived: whether its state survives it.
        fault: whether it died by its own fault; it did not if somebody killed it.
    """

    restarted: bool = False
    survived: bool = False
    fault: bool = True


def fail(code: int, filename: str | bytes | None = None) -> OSError:
    """The `OSError` of errno `code` with the host's text for it, ready to be raised."""
    if filename is None:
        return OSError(code, os.strerror(code))
    return OSError(code, os.strerror(code), filename)


# How an error travels: what kind it is, then what an OSError is made of.
_KINDS: Final[tuple[type[OSError], ...]] = (OSError, ServerDied)
_LARGEST_ERRNO: Final = 2**31 - 1
ErrorParts = tuple[int, int, str, str | None, str | None]


def take_apart(error: OSError) -> ErrorParts:
    """The parts of `error` that reach a client: its kind, errno, text and file names.

    Only for errors with an errno; one without is a bug (see `is_failure`).
    """
    kind = _KINDS.index(ServerDied) if isinstance(error, ServerDied) else 0
    return (
        kind,
        int(error.errno or 0),
        str(error.strerror),
        _name(error.filename),
        _name(error.filename2),
    )


def put_together(parts: ErrorParts) -> OSError:
    """The error that `take_apart` described; OSError picks the subclass from the errno."""
    kind, code, text, name, name2 = parts
    if name2 is not None:
        return _KINDS[kind](code, text, name, None, name2)
    if name is not None:
        return _KINDS[kind](code, text, name)
    return _KINDS[kind](code, text)


def _name(name: object) -> str | None:
    if isinstance(name, bytes):
        return os.fsdecode(name)
    return None if name is None else str(name)


def is_failure(error: BaseException) -> bool:
    """Whether `error` is an operation's failure (it has an errno) rather than a service's bug."""
    return (
        isinstance(error, OSError)
        and isinstance(error.errno, int)
        and abs(error.errno) <= _LARGEST_ERRNO
    )


def as_delivered(error: OSError) -> OSError:
    """`error` as a client under any kernel sees it: a plain subclass, chosen by errno."""
    delivered = put_together(take_apart(error))
    return error if _seen(error) == _seen(delivered) else delivered


def _seen(error: OSError) -> tuple[object, ...]:
    return type(error), error.args, error.filename, error.filename2


def describe(error: BaseException) -> str:
    """One line for a log or a last word: the exception's type and text."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
