"""Killing servers of the system that this process has booted."""

import os
import signal
from pathlib import Path

from tests.conftest import children, eventually


def kill(service: type) -> None:
    """Kill the process of a service that has one of its own."""
    os.kill(int(eventually(lambda: _pid_of(service), f"{service.__name__} runs")), signal.SIGKILL)


def _pid_of(service: type) -> int:
    """Its pid: a child of the kernel's own process, which is a child of this one; 0: none."""
    parents = {pid for pid, _ in children()}
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            head, _, rest = Path(f"/proc/{entry}/stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, *_ = rest.split()
        if int(parent) in parents and state != "Z" and head.endswith(f"({service.__name__}"):
            return int(entry)
    return 0
