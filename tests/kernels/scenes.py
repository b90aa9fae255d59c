"""Scenes for test_shutdown.py: each boots in a process of its own, as a user's script would.

    python scenes.py SCENE KERNEL USERS FOLDER

Says on standard output what it is doing, line by line; the test acts on that.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from kernels import System, boot  # noqa: E402 (found by the line above)
from tests.kernels import programs  # noqa: E402
from tests.kernels.services import Bugs, Echo, Journal, Mailbox  # noqa: E402


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (the test reads it)


def leave(system: System) -> None:
    """Return normally."""
    assert system[Echo].number(1) == 1


def fail(system: System) -> None:
    """An exception in the body."""
    system[Echo].null()
    raise LookupError("in the body")


def idle(system: System) -> None:
    """Wait to be interrupted, outside the kernel."""
    system[Echo].null()
    say("ready")
    signal.pause()


def call(system: System) -> None:
    """Be interrupted in the middle of calls, over and over."""
    journal = system[Journal]
    say("ready")
    while True:
        journal.note("begin")
        journal.note("end")


def wait(system: System) -> None:
    """Be interrupted while an operation waits."""
    threading.Thread(target=tell, args=(system,), daemon=True).start()
    system[Mailbox].take()


def tell(system: System) -> None:
    while system[Mailbox].waiting() == 0:
        time.sleep(0.001)
    say("ready")


def transfer(system: System) -> None:
    """Be interrupted in the middle of large messages."""
    data = bytes(1 << 24)
    say("ready")
    while True:
        assert system[Echo].data(data) == data


def program(system: System) -> None:
    """Be killed as a program of ours runs on."""
    process = system.process(programs.loop)
    assert system[Mailbox].take() == b"looping"
    say(f"ready {process.pid}")
    process.join()


def stopped(system: System) -> None:
    """Be killed as a server is stopped."""
    os.kill(system[Bugs].pid(), signal.SIGSTOP)
    say("ready")
    signal.pause()


def nested(system: System) -> None:
    """Exit without closing."""
    global KEPT  # noqa: PLW0603 (so that it is not closed before the end)
    KEPT = boot("microkernel", Echo)
    system[Echo].null()
    KEPT[Echo].null()
    sys.exit(3)


KEPT: System | None = None
SCENES: Final[dict[str, Callable[[System], None]]] = {
    scene.__name__: scene
    for scene in (leave, fail, idle, call, wait, transfer, program, stopped, nested)
}


def main(scene: str, kernel: str, users: str, folder: str) -> None:
    config = {Journal: {"path": f"{folder}/journal"}}
    with boot(kernel, Echo, Bugs, Mailbox, Journal, users=users, config=config) as system:  # type: ignore[arg-type]  # from the command line
        SCENES[scene](system)


if __name__ == "__main__":
    main(*sys.argv[1:])
