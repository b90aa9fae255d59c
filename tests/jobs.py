"""Tests in several processes: `pytest --jobs N`.

The session collects once, and forks. Each child takes the next module that nobody has taken, till
none is left, and what pytest says of the tests there, it says in the session. A child has no thread
but the one that runs tests, so that what they boot is forked: record 37.
"""

import mmap
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Final, NoReturn, Self

import msgspec
import pytest

PATIENCE: Final = 10.0
"""Seconds that a child may take to end, when it is told to."""
_PLACE: Final = 2
"""Bytes in which the place of a module in the list of all travels."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--jobs", type=int, default=1, help="processes that share the tests")


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    option = session.config.option
    if option.jobs < 2 or option.collectonly or option.usepdb or session.testsfailed:
        return None  # as ever
    session.config._tmp_path_factory.getbasetemp()  # one for all
    modules = [list(items) for _, items in groupby(session.items, lambda item: item.path)]
    with mmap.mmap(-1, 1) as enough, Queue(len(modules)) as queue:
        crew = [Child(session, modules, queue, enough) for _ in range(option.jobs)]
        try:
            _listen(session, crew, enough)
        finally:
            enough[0] = 1
            for child in crew:
                child.end()
    missing = len(session.items) - sum(child.done for child in crew)
    if missing and not session.shouldstop:
        session.shouldfail = session.shouldfail or f"{missing} tests were not run"
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    return True


class Queue:
    """The places of the modules that nobody has taken yet, in a pipe that all read from."""

    def __init__(self, size: int) -> None:
        self._left, filling = os.pipe()
        with open(filling, "wb") as places:
            places.writelines(place.to_bytes(_PLACE, "big") for place in range(size))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._left)

    def __iter__(self) -> Iterator[int]:
        while place := os.read(self._left, _PLACE):
            yield int.from_bytes(place, "big")


class Child:
    """A process that runs tests, as the session sees it.

    Attributes:
        process: readable when it has ended; None: that has been seen.
        told: what it says.
        done: how many tests it has finished.
    """

    def __init__(
        self, session: pytest.Session, modules: list[Any], queue: Queue, enough: mmap.mmap
    ) -> None:
        self.told, telling = Pipe(duplex=False)
        sys.stdout.flush()
        self._pid = os.fork()
        if not self._pid:
            _be(session, (modules[place] for place in queue), telling, enough)
        telling.close()
        self.process: int | None = os.pidfd_open(self._pid)
        self.done = 0
        self._test: tuple[str, Any] | None = None

    def hear(self, config: pytest.Config) -> None:
        """Say here whatever pytest has said there."""
        while self.told.poll():
            try:
                name, given = msgspec.msgpack.decode(self.told.recv_bytes())
            except EOFError:
                return
            if name == "pytest_runtest_logreport":
                hook = config.hook.pytest_report_from_serializable
                report = hook(config=config, data=given)
                if isinstance(report.longrepr, list):  # on the way tuples become lists
                    report.longrepr = tuple(report.longrepr)
                given = {"report": report}
            elif name == "pytest_runtest_logstart":
                self._test = given["nodeid"], given["location"]
            else:
                self._test = None
                self.done += 1
            getattr(config.hook, name)(**given)

    def bury(self, config: pytest.Config) -> None:
        """See how it has ended; if that was in the middle of a test, the test has failed."""
        self.hear(config)
        status = self._wait()
        if self._test:
            said = f"the process that ran it has ended: {status}"
            report = pytest.TestReport(*self._test, {}, "failed", said, "call")
            config.hook.pytest_runtest_logreport(report=report)
        elif status:
            config.hook.pytest_internalerror(excrepr=f"a process ended: {status}", excinfo=None)

    def end(self) -> None:
        """Have it end, if it has not: after its test, or in the middle of that."""
        for means in (signal.SIGINT, signal.SIGKILL):
            if self.process is not None and not wait([self.process], PATIENCE):
                os.kill(self._pid, means)
        if self.process is not None:
            self._wait()

    def _wait(self) -> int:
        _, status = os.waitpid(self._pid, 0)
        os.close(self.process)
        self.process = None
        self.told.close()
        return os.waitstatus_to_exitcode(status)


def _listen(session: pytest.Session, crew: list[Child], enough: mmap.mmap) -> None:
    """Say what the children say, till all have ended."""
    while running := {child.process: child for child in crew if child.process is not None}:
        ready = wait([*running, *(child.told for child in running.values())])
        for process, child in running.items():
            if process in ready:
                child.bury(session.config)
            else:
                child.hear(session.config)
        if session.shouldfail or session.shouldstop:
            enough[0] = 1


# In the child.


def _be(
    session: pytest.Session, modules: Iterable[Any], telling: Connection, enough: mmap.mmap
) -> NoReturn:
    status = 1
    try:
        _capture_anew(session.config)
        session.config.pluginmanager.register(Telling(session.config, telling))
        try:
            _run(session, modules, enough)
        finally:
            session._setupstate.teardown_exact(None)
            session.config.hook.pytest_unconfigure(config=session.config)
        status = 0
    except BaseException:  # noqa: BLE001 (nothing may return into the session's frames)
        traceback.print_exc()
    finally:
        os._exit(status)


def _run(session: pytest.Session, modules: Iterable[Any], enough: mmap.mmap) -> None:
    for items in modules:
        for item, after in pairwise([*items, None]):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if enough[0] or session.shouldfail or session.shouldstop:
                return


def _capture_anew(config: pytest.Config) -> None:
    """Capture to files of its own; what is not captured, only the session says."""
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    capture.start_global_capturing()
    capture.suspend_global_capture()


class Telling:
    """Has the session know what pytest says about tests here."""

    def __init__(self, config: pytest.Config, telling: Connection) -> None:
        self._config = config
        self._telling = telling

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._tell("pytest_runtest_logstart", {"nodeid": nodeid, "location": location})

    def pytest_runtest_logreport(self, report: Any) -> None:
        hook = self._config.hook.pytest_report_to_serializable
        self._tell("pytest_runtest_logreport", hook(config=self._config, report=report))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self._tell("pytest_runtest_logfinish", {"nodeid": nodeid, "location": location})

    def _tell(self, name: str, given: dict[str, Any]) -> None:
        self._telling.send_bytes(msgspec.msgpack.encode((name, given)))
