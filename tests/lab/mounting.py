"""Mounting in tests: `twinos mount` in a process of its own, where the host allows it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lab import cli
from tests.conftest import PATIENCE

PROGRAM = ("-m", "lab")


def require_fuse() -> None:
    """Skip the test, with the reason, where nothing can be mounted."""
    if find_spec("pyfuse3") is None:
        pytest.skip("the extra `mount` (pyfuse3) is not installed")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("this host has no /dev/fuse")
    if os.geteuid() != 0:
        pytest.skip("several users need a mount by root")


def make_image(path: Path, size: str = "64M") -> Path:
    assert cli.main(["image", "create", str(path), "--size", size]) == 0
    return path


def is_mounted(directory: Path) -> bool:
    return f" {directory} " in Path("/proc/self/mounts").read_text(encoding="utf-8")


class Mount:
    """A mount that runs."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process = process
        self.directory = directory

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; the exit status and what was said until then."""
        self.process.send_signal(how)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@contextmanager
def mounted(
    image: Path, directory: Path, *options: str, program: Sequence[str] = PROGRAM
) -> Iterator[Mount]:
    """A mounted image; it is unmounted, also when the test fails."""
    process = subprocess.Popen(
        [sys.executable, *program, "mount", str(image), str(directory), *options],
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        if "can't be mounted on" in said:
            pytest.skip(f"this host does not allow it: {said.strip()}")
        assert said == f"{image} is mounted on {directory}; Ctrl-C unmounts it.\n", (
            said + process.stderr.read()
        )
        yield Mount(process, directory)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                subprocess.run(["umount", "--lazy", str(directory)], check=False)
                process.wait()
        if process.stderr is not None:
            process.stderr.close()


def host(*command: str, cwd: Path, **options: Any) -> str:
    """What a program of the host prints; it must not fail."""
    done = subprocess.run(
        command, cwd=cwd, check=False, capture_output=True, text=True, timeout=60, **options
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root}
