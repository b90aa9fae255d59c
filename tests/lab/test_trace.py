"""Traces: what was asked is there, once, in order; the chart and the events tell it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.shell.machine import Machine
from lab.trace.chart import chart, parties
from lab.trace.perfetto import trace_events
from lab.trace.recorder import Request, recording, shortened
from servers.filesystem import FileSystem

ROOT = Path(__file__).parents[2]


def request(start: int, end: int, client: str, service: str, operation: str) -> Request:
    return Request(start, end, client, 1, 1, service, operation, "", "")


NESTED = [
    request(0, 100, "ls", "Top", "ask"),
    request(10, 30, "Top", "Bottom", "read"),
    request(40, 50, "Top", "Bottom", "read"),
    request(60, 70, "ls", "Bottom", "close"),
]


def test_a_chart() -> None:
    lines = [line.split("  ")[:4] and line for line in chart(NESTED, lambda *_: True)]
    assert lines[0].split() == ["ls", "Top", "Bottom"]
    arrows = [re.sub(r"  \w+\(.*", "", line).rstrip() for line in lines[1:]]
    assert arrows == [
        "  │──ask───────────▶│                 │",
        "  │                 │──read x 2──────▶│",
        "  │──close───────────────────────────▶│",
        "  │◀────────────────│                 │",
    ]
    dotted = list(chart(NESTED, lambda *_: False))
    assert "─" not in "".join(dotted[1:])


def test_nothing_makes_no_chart() -> None:
    assert list(chart([], lambda *_: True)) == []


def test_events_are_what_the_viewers_read() -> None:
    trace = json.loads(trace_events({"one": NESTED, "two": NESTED}))
    events = trace["traceEvents"]
    names = {
        event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"
    }
    assert list(names.values()) == [f"{k}: {n}" for k in ("one", "two") for n in parties(NESTED)]
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == 2 * 2 * len(NESTED)
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert len(starts) == 2 * len(NESTED)
    assert starts.keys() == ends.keys()
    for flow, start in starts.items():
        assert start["ts"] == ends[flow]["ts"] >= 0
        assert names[start["pid"]] != names[ends[flow]["pid"]]


@pytest.mark.parametrize("kernel", ["microkernel", "monolithic"])
def test_what_was_asked_is_noted(kernel: str) -> None:
    with recording() as record, Machine(kernel, record=record) as machine:
        files = machine.system[FileSystem]
        files.stat("/bin")
        assert record.taken() == []
        record.switch(on=True)
        files.stat("/bin")
        with pytest.raises(FileNotFoundError):
            files.stat("/missing")
        record.switch(on=False)
        files.stat("/bin")
        found = record.taken()
    asked = [(one.client, one.service, one.operation) for one in found if one.client == "shell"]
    assert asked == [("shell", "FileSystem", "stat")] * 2
    assert "FileNotFoundError" in [one.outcome for one in found][-1]
    assert all(one.start <= one.end for one in found)


def test_long_values_are_shortened() -> None:
    assert shortened(b"\0" * 5000) == "<5000 B>"
    assert len(shortened("x" * 1000)) < 40


def test_the_command(tmp_path: Path) -> None:
    command = ["trace", "ls /bin | wc -l", "-o", "trace.json"]
    kernels = ["--kernel", "monolithic", "--kernel", "microkernel"]
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-m", "lab", *command, *kernels],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    sums = dict(re.findall(r"^(\w+): \d+ requests, (\d+) messages$", done.stdout, re.MULTILINE))
    assert int(sums["monolithic"]) < int(sums["microkernel"])
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
