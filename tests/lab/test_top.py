"""`twinos top`: a system as it is seen from outside."""

import asyncio
import faulthandler
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from kernels.status import Counts
from lab import cli
from lab.refusal import Refusal
from lab.shell.machine import Machine
from lab.top.errands import Errands
from lab.top.table import headline, memory_line, show
from lab.top.watcher import Watcher
from servers.clock import Clock
from tests.conftest import PATIENCE, eventually

KERNELS = ("microkernel", "monolithic")
NAMES = ("Clock", "Console", "Disk", "FileSystem", "MemoryManager", "Pipes", "ProcessManager")


@pytest.fixture(scope="module", params=KERNELS)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    with Machine(request.param, scheduler="fcfs", screen=True) as made:
        yield made


@contextmanager
def errands(machine: Machine) -> Iterator[tuple[Errands, Watcher, list[str]]]:
    said: list[str] = []
    watcher = Watcher(machine)
    yield Errands(machine, watcher, said.append), watcher, said


def test_a_look_has_what_the_kernel_counts(machine: Machine) -> None:
    """The rates are those of the system's own counters."""
    with errands(machine) as (_, watcher, _said):
        watcher.look()
        before, since = machine.system.counts(), watcher._last.time
        for _ in range(100):
            machine.system[Clock].null()
        look = watcher.look()
        seconds = watcher._last.time - since
        after = machine.system.counts()
        sent = Counts(after.messages - before.messages, after.bytes - before.bytes)
        assert round(look.rates.messages * seconds) == sent.messages == 200
        assert round(look.rates.bytes * seconds) == sent.bytes
        (space,) = (one for one in look.services if one.name == "Clock")
        assert space.rate is not None
        assert round(space.rate * seconds) == 100
        assert {one.name for one in look.services} >= set(NAMES)
        assert all(one.state == "running" for one in look.services)


def test_a_look_has_programs_and_what_they_write(machine: Machine) -> None:
    with errands(machine) as (errand, watcher, said):
        pid = errand.run("echo hello; sleep 100")

        def wrote() -> bool:
            errand.collect()
            return "".join(said) == "hello\n"

        eventually(wrote)
        watcher.ask()
        shown = show(watcher.look())
        assert "sh -c echo hello; sleep 100" in shown
        for name in NAMES:
            assert f"\n{name} " in shown
        found = {one.pid: one for one in watcher.look().answers.processes}
        assert found[pid].state == "R"
        for child in (one.pid for one in found.values() if one.ppid == pid):
            errand.kill(child)
        errand.kill(pid)

        def gone() -> bool:
            errand.collect()
            watcher.ask()
            return pid not in {one.pid for one in watcher.look().answers.processes}

        eventually(gone)


def test_what_cannot_be_done_is_said(machine: Machine) -> None:
    with errands(machine) as (errand, _, said):
        errand.post(lambda: errand.kill(999))
        errand.start(PATIENCE)
        eventually(lambda: said)
        errand.stop()
        assert errand._thread is not None
        errand._thread.join(PATIENCE)
        assert said == ["top: No such process\n"] or "No such process" in said[0]


def screen(machine: Machine, size: tuple[int, int], act: Callable[..., Awaitable[None]]) -> str:
    """Run the app, without a terminal; what it returns."""
    pytest.importorskip("textual")
    from lab.top.app import Top

    async def run() -> str:
        app = Top(machine, "echo from a command", interval=0.05)
        async with app.run_test(size=size) as pilot:
            await act(app, pilot)
        return str(app.return_value)

    return asyncio.run(run())


def rows(app: object, name: str) -> list[str]:
    from textual.widgets import DataTable

    table = app.query_one(name, DataTable)  # type: ignore[attr-defined]  # an App
    return [" ".join(map(str, table.get_row_at(at))) for at in range(table.row_count)]


async def until(pilot: object, true: Callable[[], object]) -> None:
    """Let the app go on until something is so."""
    for _ in range(int(PATIENCE / 0.02)):
        if true():
            return
        await pilot.pause(0.02)  # type: ignore[attr-defined]  # a Pilot
    raise AssertionError("it has not come true")


async def press(app: object, pilot: object, *keys: str) -> None:
    """As `Pilot.press`, which waits until the processor is idle; here it never is."""
    for key in keys:
        app.simulate_key(key)  # type: ignore[attr-defined]  # an App
        await pilot.pause(0.02)  # type: ignore[attr-defined]  # a Pilot


def told(app: object) -> str:
    from textual.widgets import RichLog

    return "\n".join(line.text for line in app.query_one(RichLog).lines)  # type: ignore[attr-defined]  # an App


def test_the_screen(machine: Machine) -> None:
    size = (80, 24) if machine.kernel == "microkernel" else (200, 50)
    from textual.widgets import Input

    async def act(app: object, pilot: object) -> None:
        await until(pilot, lambda: "from a command" in told(app).split("\n"))
        await until(pilot, lambda: len(rows(app, "#processes")) >= 2)
        services = rows(app, "#services")
        assert all(any(f" {name} " in row for row in services) for name in NAMES)
        await press(app, pilot, "colon")
        line = app.query_one(Input)  # type: ignore[attr-defined]  # an App
        await until(pilot, lambda: line.has_focus)
        await press(app, pilot, *"sleep 98")
        await until(pilot, lambda: line.value == "sleep 98")
        await press(app, pilot, "enter")
        await until(pilot, lambda: any("sleep 98" in row for row in rows(app, "#processes")))
        await press(app, pilot, "escape")
        await until(pilot, lambda: not line.has_focus)
        await kill(app, pilot)
        await until(pilot, lambda: not any("sleep 98" in row for row in rows(app, "#processes")))
        await press(app, pilot, "q")

    async def kill(app: object, pilot: object) -> None:
        """Those that are left of the command, by the cursor."""
        from textual.widgets import DataTable

        shown = app.query_one("#processes", DataTable)  # type: ignore[attr-defined]
        shown.focus()
        while wanted := [at for at, row in enumerate(rows(app, "#processes")) if "sleep" in row]:
            shown.move_cursor(row=wanted[0])
            await press(app, pilot, "k")

    assert screen(machine, size, act) == "None"


@pytest.fixture
def really_crash() -> Iterator[None]:
    """A process that is hit by SIGSEGV ends; pytest would have it say where it was."""
    was = faulthandler.is_enabled()
    faulthandler.disable()
    yield
    if was:
        faulthandler.enable(sys.__stderr__)


@pytest.mark.usefixtures("really_crash")
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_crash_is_seen(kernel: str) -> None:
    """One kernel goes on with a new server, the other one is booted anew."""

    async def act(app: object, pilot: object) -> None:
        await until(pilot, lambda: "from a command" in told(app).split("\n"))
        await press(app, pilot, "x")
        if kernel == "microkernel":
            await until(pilot, lambda: rows(app, "#services")[0].split()[3] == "1")
            await until(pilot, lambda: "killed by SIGSEGV" in told(app))
            await press(app, pilot, "q")
        else:
            await until(pilot, lambda: "kernel panic" in told(app))
            assert all("panicked" in row for row in rows(app, "#services"))
            await press(app, pilot, "r")

    with Machine(kernel, scheduler="fcfs", screen=True) as machine:
        returned = screen(machine, (80, 24), act)
    assert returned == {"microkernel": "None", "monolithic": "reboot"}[kernel]


def test_services_that_are_silent_are_told() -> None:
    with Machine("microkernel", scheduler="fcfs", screen=True) as machine:
        watcher = Watcher(machine)
        assert "not heard of yet" in memory_line(watcher.look())
        watcher.ask()
        look = watcher.look()
        assert "no answer" not in memory_line(look)
        assert "no answer for 7 s" in memory_line(look._replace(silence=7.4))
        assert headline(look).startswith("microkernel, up 0:0")


def test_once(capsys: pytest.CaptureFixture[str]) -> None:
    done = cli.main(["top", "--once", "--interval", "0.3", "--kernel", "monolithic", "sleep 99"])
    written = capsys.readouterr().out
    assert done == 0
    assert "sh -c sleep 99" in written
    assert "messages/s" in written.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--once", "--interval", "0"], "--interval is from 0.1 to 60 seconds."),
        (["--once", "--interval", "nan"], "--interval is from 0.1 to 60 seconds."),
        (["--once", "--scheduler", "fifo"], "there is no scheduler 'fifo'"),
        (["--once", "--kernel", "macro"], "there is no kernel 'macro'"),
        ([], "a live view takes a terminal; --once prints one look."),
    ],
)
def test_refusals(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["top", *arguments]) == 2
    written = capsys.readouterr().err
    assert said in written
    assert written.count("\n") == 1


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lab.top.app", raising=False)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    with pytest.raises(Refusal, match="a live view takes the package textual"):
        __import__("lab.top.app")
