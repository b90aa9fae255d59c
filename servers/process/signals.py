"""Signals: their numbers are the host's; what they do by default is POSIX's."""

import errno
import signal
from collections.abc import Iterator
from typing import Final

from twinos import fail

SIGNALS: Final = 31
"""The standard signals are 1 to this."""

KILL: Final = int(signal.SIGKILL)
STOP: Final = int(signal.SIGSTOP)
CONTINUE: Final = int(signal.SIGCONT)
CHILD: Final = int(signal.SIGCHLD)
STOPPING: Final = frozenset(
    map(int, (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU))
)
HARMLESS: Final = frozenset(map(int, (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH)))
"""What they do by default is nothing."""
CERTAIN: Final = frozenset((KILL, STOP))
"""Nobody catches, blocks or ignores these."""

DEFAULT, IGNORE, CATCH = 0, 1, 2
"""What a process does about a signal; the first two are SIG_DFL and SIG_IGN."""

BLOCK, UNBLOCK, SETMASK = int(signal.SIG_BLOCK), int(signal.SIG_UNBLOCK), int(signal.SIG_SETMASK)


def bit(number: int) -> int:
    """The signal as a member of a set, which is an integer, as in a sigset_t."""
    return 1 << (number - 1)


def members(signals: int) -> Iterator[int]:
    """The numbers of the signals in a set, the lowest first."""
    return (number for number in range(1, SIGNALS + 1) if signals & bit(number))


def checked(number: int, *, none: bool = False) -> int:
    """EINVAL unless there is such a signal; 0, where `none` may be meant."""
    if not (0 if none else 1) <= number <= SIGNALS:
        raise fail(errno.EINVAL)
    return number


def masked(mask: int) -> int:
    """A mask without what can't be blocked."""
    return mask & (bit(SIGNALS + 1) - 1) & ~(bit(KILL) | bit(STOP))


def changed_mask(old: int, how: int, given: int) -> int:
    """A mask after sigprocmask(2). EINVAL."""
    masks = {BLOCK: old | given, UNBLOCK: old & ~given, SETMASK: given}
    if how not in masks:
        raise fail(errno.EINVAL)
    return masked(masks[how])
