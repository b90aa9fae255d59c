"""Requests whose results are asked for later.

    with user.batch() as later:  # many requests in one message
        stats = [later(fs.stat, path) for path in paths]
    sizes = [stat.result().st_size for stat in stats]

    with user.queue() as later:  # sent at once, by a thread of their own
        written = later(fs.write, fd, data)
        compute()
        written.result()

Both keep the order in which requests are made, one after the other, whatever services they go to.
Each has its own result, or its own error; one that failed does not stop the next. `later` checks
arguments as a call does: what is ill-typed is a TypeError there.
"""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Pending(Protocol[R_co]):
    """A request that has been made."""

    @property
    def done(self) -> bool:
        """Whether `result` is there."""

    def result(self) -> R_co:
        """What the request returned, waited for if need be.

        Raises:
            OSError: what it failed with. ECANCELED, it was never sent.
            KernelPanic: there was nobody to carry it out.
        """


class Later(Protocol):
    """Makes requests whose results are asked for later."""

    def __call__(
        self, method: Callable[P, R], /, *arguments: P.args, **named: P.kwargs
    ) -> Pending[R]:
        """Make the request that `method(*arguments, **named)` would be.

        Args:
            method: an operation of one of this user's handles: `user[FileSystem].stat`.
            arguments: its arguments.
            named: the same, by name.
        """
