"""However a system ends, nothing is left of it: no process, no descriptor, no memory."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import children, eventually, reap_orphans

SCENES = Path(__file__).with_name("scenes.py")
HOW = [("monolithic", "inline"), ("monolithic", "process"), ("microkernel", "inline")]
REMOTE = HOW[1:]


@contextmanager
def playing(scene: str, how: tuple[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A scene, in a session of its own; when it is over, nothing of it may be there."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(SCENES), scene, *how, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
    reap_orphans()
    assert not list(children())


def interrupt(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C at a terminal does: everybody in the foreground gets it."""
    os.killpg(process.pid, signal.SIGINT)


def journal(folder: Path) -> list[str]:
    return (folder / "journal").read_text().splitlines()


@pytest.mark.parametrize("how", HOW, ids="-".join)
def test_a_normal_end(how: tuple[str, str], tmp_path: Path) -> None:
    with playing("leave", how, tmp_path) as process:
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
        assert no_descendants()
    assert journal(tmp_path) == ["Journal start", "Journal stop"]


@pytest.mark.parametrize("how", HOW, ids="-".join)
def test_an_exception_in_the_body(how: tuple[str, str], tmp_path: Path) -> None:
    with playing("fail", how, tmp_path) as process:
        _, err = process.communicate(timeout=30)
        assert process.returncode == 1
        assert err.rstrip().endswith("LookupError: in the body")
        assert no_descendants()
    assert journal(tmp_path) == ["Journal start", "Journal stop"]


@pytest.mark.parametrize("how", REMOTE, ids="-".join)
def test_a_system_that_nobody_closes(how: tuple[str, str], tmp_path: Path) -> None:
    with playing("nested", how, tmp_path) as process:
        assert process.wait(timeout=30) == 3
        assert no_descendants()
    assert journal(tmp_path)[-1] == "Journal stop"


@pytest.mark.parametrize("how", HOW, ids="-".join)
@pytest.mark.parametrize("scene", ["idle", "call", "wait", "transfer"])
def test_ctrl_c(scene: str, how: tuple[str, str], tmp_path: Path, rng: random.Random) -> None:
    with playing(scene, how, tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.random() / 50)  # anywhere in the middle of what it does
        interrupt(process)
        _, err = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGINT, err
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert "exception was never retrieved" not in err
        assert no_descendants()
    lines = journal(tmp_path)
    assert (lines[0], lines[-1]) == ("Journal start", "Journal stop")
    noted = lines[1:-1]
    assert noted == (["Journal begin", "Journal end"] * len(noted))[: len(noted)]


@pytest.mark.parametrize("how", HOW, ids="-".join)
@pytest.mark.parametrize("scene", ["idle", "call", "wait", "transfer", "program", "stopped"])
def test_kill_9_of_who_booted(scene: str, how: tuple[str, str], tmp_path: Path) -> None:
    if how == HOW[0] and scene in {"program", "stopped"}:
        return  # it has neither
    with playing(scene, how, tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("ready")
        if scene == "stopped":
            (nucleus,) = (pid for pid in descendants(process.pid) if comm(pid) == "twinos:nucleus")
            os.kill(nucleus, signal.SIGKILL)  # or the stopped one would have its grace
        process.kill()
        process.wait()
        reap_orphans()
    if how != HOW[0] and scene != "stopped":
        assert journal(tmp_path)[-1] == "Journal stop"


def no_descendants() -> bool:
    """Whether the scene's processes are gone: what it left would be ours."""
    return bool(eventually(lambda: not list(children())))


def descendants(pid: int) -> list[int]:
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(entry))
    return found


def comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()
