"""Redirections: which of a command's descriptors lead where."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from servers.pipes import CAPACITY
from servers.process import Process, reason_of
from workloads.shell.expansion import Expansion
from workloads.shell.state import ShellFault
from workloads.shell.syntax import Parameter, Redirect, Text

PRIVATE: Final = 10
"""Descriptors from here on are the shell's own."""
_CREATE: Final = os.O_WRONLY | os.O_CREAT
_FLAGS: Final = {
    "<": os.O_RDONLY,
    ">": _CREATE | os.O_TRUNC,
    ">|": _CREATE | os.O_TRUNC,
    ">>": _CREATE | os.O_APPEND,
    "<>": os.O_RDWR | os.O_CREAT,
}

Mapping = dict[int, int]
"""Our descriptors by the number that a command knows."""


class Redirections:
    """Carries out redirections.

    Args:
        process: the shell's.
        expansion: for their targets.
    """

    def __init__(self, process: Process, expansion: Expansion) -> None:
        self._process = process
        self._expansion = expansion

    def apply(self, redirects: Iterable[Redirect], mapping: Mapping) -> list[int]:
        """Change what a command will have; which descriptors were opened for that.

        ShellFault: a file can't be opened, or a descriptor is none; nothing stays open then.
        """
        opened: list[int] = []
        try:
            for redirect in redirects:
                self._one(redirect, mapping, opened)
        except BaseException:
            self.close(opened)
            raise
        return opened

    def may_wait(self, redirects: Iterable[Redirect]) -> bool:
        """Whether one of them opens a FIFO, as far as that can be told without doing anything."""
        return any(
            redirect.operator in _FLAGS
            and all(isinstance(part, Text | Parameter) for part in redirect.target)
            and self._is_fifo(self._expansion.text(redirect.target))
            for redirect in redirects
        )

    def _is_fifo(self, path: str) -> bool:
        try:
            return stat.S_ISFIFO(self._process.files.stat(path).st_mode)
        except OSError:
            return False

    def close(self, opened: Iterable[int]) -> None:
        """Close what was opened for a command that has been started."""
        for fd in opened:
            self._process.close(fd)

    @contextmanager
    def within(self, redirects: Iterable[Redirect], *, keep: bool = False) -> Iterator[None]:
        """The shell itself has these, for as long as the context lasts, or (`keep`) from now on."""
        mapping = {fd: fd for fd in self._process.inheritable()}
        before = dict(mapping)
        opened = self.apply(redirects, mapping)
        saved = {} if keep else self._take_over(before, mapping)
        try:
            if keep:
                self._take_over(before, mapping, save=False)
            yield
        finally:
            self.close(opened)
            self._restore(saved)

    def _take_over(
        self, before: Mapping, mapping: Mapping, *, save: bool = True
    ) -> dict[int, int | None]:
        process = self._process
        changed = {fd for fd in before | mapping if before.get(fd) != mapping.get(fd)}
        # All are copied first: `2>&1 >f` moves what another one still needs.
        sources = {fd: self._private(mapping[fd]) for fd in changed if fd in mapping}
        saved = {fd: self._private(fd) if fd in before else None for fd in changed if save}
        for fd in changed:
            if fd in sources:
                process.dup2(sources[fd], fd)
                process.set_inheritable(fd, True)
                process.close(sources[fd])
            else:
                process.close(fd)
        return saved

    def _restore(self, saved: dict[int, int | None]) -> None:
        for fd, copy in saved.items():
            if copy is None:
                if fd in self._process.inheritable():
                    self._process.close(fd)
            else:
                self._process.dup2(copy, fd)
                self._process.close(copy)

    def _private(self, fd: int) -> int:
        copy = self._process.dup(fd, PRIVATE)
        self._process.set_inheritable(copy, False)
        return copy

    def _one(self, redirect: Redirect, mapping: Mapping, opened: list[int]) -> None:
        if redirect.operator == "<<":
            fd = self._document(self._expansion.text(redirect.target).encode(errors=_ERRORS))
        elif redirect.operator in {"<&", ">&"}:
            self._duplicate(redirect.fd, self._expansion.text(redirect.target), mapping)
            return
        else:
            fd = self._open(self._expansion.text(redirect.target), _FLAGS[redirect.operator])
        opened.append(fd)
        mapping[redirect.fd] = fd

    def _open(self, path: str, flags: int) -> int:
        try:
            fd = self._process.open(path, flags | os.O_CLOEXEC, 0o666)
        except OSError as error:
            verb = "create" if flags & os.O_CREAT else "open"
            raise ShellFault(f"cannot {verb} {path}: {reason_of(error)}") from None
        return self._high(fd)

    def _high(self, fd: int) -> int:
        """The same at a private number: it must not be taken for one of the command's."""
        if fd >= PRIVATE:
            return fd
        copy = self._private(fd)
        self._process.close(fd)
        return copy

    def _duplicate(self, fd: int, target: str, mapping: Mapping) -> None:
        if target == "-":
            mapping.pop(fd, None)
        elif not target.isdecimal() or int(target) not in mapping:
            raise ShellFault(f"{target}: Bad file descriptor")
        else:
            mapping[fd] = mapping[int(target)]

    def _document(self, text: bytes) -> int:
        """A descriptor from which to read a text: a pipe if it fits, else a file without name."""
        process = self._process
        if len(text) <= CAPACITY:
            source, sink = process.pipe()
            process.write_all(sink, text)
            process.close(sink)
            source = self._high(source)
            process.set_inheritable(source, False)
            return source
        path = f"/tmp/sh{process.pid}"  # noqa: S108 (of TwinOS, not of the host)
        fd = process.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        process.files.unlink(path)
        process.write_all(fd, text)
        process.lseek(fd, 0)
        return self._high(fd)


_ERRORS: Final = "surrogateescape"
