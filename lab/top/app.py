"""A look as a screen that changes (extra `tui`)."""

import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final

from lab.refusal import Refusal
from lab.shell.machine import Machine
from lab.shell.striking import space_of, strike
from lab.top import table
from lab.top.errands import Errands
from lab.top.look import Look
from lab.top.watcher import Watcher
from twinos import KernelPanic

try:
    from rich.text import Text
    from textual.app import App, ComposeResult
    from textual.binding import Binding, BindingType
    from textual.widgets import DataTable, Footer, Input, RichLog, Static
except ModuleNotFoundError as _error:
    raise Refusal(
        f"a live view takes the package {_error.name}: pip install 'twinos[tui]', or --once."
    ) from None

REBOOT: Final = "reboot"
"""What the app returns when the system is to be booted anew."""
_SERVICE_WIDTHS: Final = (15, 10, 8, 9, 8, 6, 8, 6, 7)
_PROCESS_WIDTHS: Final = (6, 6, 2, 4, 8, 7, 200)
_ALARMING: Final = {"resting", "given up", "panicked", "T", "Z"}
_LEFT: Final = {"service", "state", "S", "command"}


class Top(App[str]):
    """Shows a machine.

    Args:
        machine: booted with `screen` and a scheduler.
        command: what to run in it; empty: nothing.
        interval: seconds between two looks.
    """

    TITLE = "twinos top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: auto; max-height: 4; background: $primary-background; }
    #services { height: auto; max-height: 50%; }
    DataTable { overflow-x: hidden; scrollbar-size-vertical: 1; }
    #processes { height: 1fr; min-height: 3; }
    #said { height: 20%; min-height: 3; border-top: solid $primary; }
    Input { height: 1; border: none; padding: 0 1; }
    Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "quit", key_display="q"),
        Binding("x", "strike('SIGSEGV')", "crash"),
        Binding("z", "strike('SIGSTOP')", "hang"),
        Binding("k", "kill", "kill"),
        Binding("r", "reboot", "reboot"),
        Binding("colon", "command", "command", key_display=":"),
        Binding("escape", "leave", show=False),
    ]

    def __init__(self, machine: Machine, command: str = "", interval: float = 1.0) -> None:
        super().__init__()
        self._machine = machine
        self._command = command
        self._interval = interval
        self._watcher = Watcher(machine)
        self._errands = Errands(machine, self._watcher, self._heard)
        self._panic = ""
        self._seen = len(self._watcher.look().events)

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield Static(id="head", markup=False)
        yield _columns("services", table.SERVICES, _SERVICE_WIDTHS)
        yield _columns("processes", table.PROCESSES, _PROCESS_WIDTHS)
        yield RichLog(id="said", max_lines=1000, wrap=True)
        yield Input(placeholder="a line for sh: while true; do ls -R / | sort | wc -l; done")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to look."""
        if self._command:
            self._run(self._command)
        self._errands.start(self._interval)
        self.set_interval(self._interval, self.look)
        self.query_one("#services", DataTable).focus()
        self.look()

    def on_unmount(self) -> None:
        """Look no more."""
        self._errands.stop()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A line was typed."""
        if event.value.strip():
            self._run(event.value)
        event.input.clear()

    def look(self) -> None:
        """Show what is seen now."""
        if not self.query("#head"):
            return  # a last turn of the timer, while all is taken down
        look = self._watcher.look()
        self._show_head(look)
        _fill(
            self.query_one("#services", DataTable),
            [(one.name, table.service_row(one)) for one in look.services],
        )
        _fill(
            self.query_one("#processes", DataTable),
            [(str(one.pid), table.process_row(one)) for one in table.busiest(look)],
        )
        for event in look.events[self._seen :]:
            self.say(event)
        self._seen = max(self._seen, len(look.events))

    def _show_head(self, look: Look) -> None:
        text = f"{table.headline(look)}\n{table.memory_line(look)}"
        if look.panic:
            text = f"{table.headline(look)}\nr boots it anew, q leaves"
        if look.panic and not self._panic:
            self.say(look.panic)
        self._panic = look.panic
        self.query_one("#head", Static).update(Text(text, style="bold red" if look.panic else ""))

    def say(self, text: str) -> None:
        """Show a line, or what programs wrote."""
        self.query_one("#said", RichLog).write(Text(text.rstrip("\n")))

    def action_strike(self, name: str) -> None:
        """Crash or hang the service on which the cursor is."""
        chosen = _chosen(self.query_one("#services", DataTable))
        known = {one.__name__: one for one in self._machine.system.services}
        if chosen not in known:
            return
        with suppress(KernelPanic, ProcessLookupError):
            space = space_of(self._machine.system, known[chosen])
            if space.pid:
                strike(space.pid, signal.Signals[name])
        self.look()

    def action_kill(self) -> None:
        """Kill the process on which the cursor is."""
        chosen = _chosen(self.query_one("#processes", DataTable))
        if chosen:
            self._errands.post(partial(self._errands.kill, int(chosen)))

    def action_reboot(self) -> None:
        """Leave a system that panicked for a new one."""
        if self._panic:
            self.exit(REBOOT)

    def action_command(self) -> None:
        """Let a line be typed."""
        self.query_one(Input).focus()

    def action_leave(self) -> None:
        """Back to the services."""
        self.query_one("#services", DataTable).focus()

    def _run(self, text: str) -> None:
        self.say(f"# {text}")
        self._errands.post(partial(self._errands.run, text))

    def _heard(self, text: str) -> None:
        """From the thread that asks."""
        with suppress(RuntimeError):  # the app has ended meanwhile
            self.call_from_thread(self.say, text)


def _columns(name: str, headers: Sequence[str], widths: Sequence[int]) -> "DataTable[Text]":
    made: DataTable[Text] = DataTable(id=name, cursor_type="row", cell_padding=0)
    for header, width in zip(headers, widths, strict=True):
        made.add_column(_cell(header, header), width=width, key=header)
    return made


def _cell(header: str, text: str) -> Text:
    style = "bold red" if text in _ALARMING else ""
    return Text(f" {text}", style, justify="left" if header in _LEFT else "right", no_wrap=True)


def _fill(shown: "DataTable[Any]", rows: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Show other rows, with the cursor where it was."""
    chosen, scrolled = _chosen(shown), shown.scroll_y
    headers = [str(column.key.value) for column in shown.ordered_columns]
    shown.clear()
    for key, cells in rows:
        shown.add_row(*map(_cell, headers, cells), key=key)
    if chosen and chosen in shown.rows:
        shown.move_cursor(row=shown.get_row_index(chosen), scroll=False)
    shown.scroll_to(y=scrolled, animate=False)


def _chosen(shown: "DataTable[Any]") -> str:
    """The key of the row on which the cursor is; empty: there is none."""
    if not shown.row_count:
        return ""
    return str(shown.coordinate_to_cell_key(shown.cursor_coordinate).row_key.value)


def watch(machine: Machine, command: str, interval: float) -> str | None:
    """Show a machine until somebody has seen enough; `REBOOT`: it is to be booted anew."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    return Top(machine, command, interval).run()
