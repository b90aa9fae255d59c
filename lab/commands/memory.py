"""`twinos memory`: what memory looks like, step by step."""

import argparse
import sys
import time
from typing import Final

from kernels import boot
from lab.arguments import between, whole
from lab.memory_view import KEY, View
from lab.recording import space_of
from lab.refusal import Refusal, unknown
from servers.memory import AddressSpace, MemoryManager, SwapDisk
from servers.memory.policies import policies
from workloads.scenes import FRAMES, play

EPILOG: Final = """\
Two programs, a mapped file and too few frames: each step says what is done, and shows the address
spaces page by page, the frames, and the counters.

examples:
  twinos memory
  twinos memory --step 5                what the fifth step leaves
  twinos memory --live 1                one step a second, in place
  twinos memory --frames 12 --policy fifo --kernel microkernel
"""

KERNELS: Final = ("monolithic", "microkernel")
CLEAR: Final = "\x1b[H\x1b[2J"
_LONGEST: Final = 60.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("--kernel", default=KERNELS[0], metavar="K", help="monolithic by default")
    add("--frames", type=_frames, default=FRAMES, metavar="N", help=f"{FRAMES} by default")
    add("--policy", default="clock", metavar="P", help="who gives up a frame; clock by default")
    add("-s", "--seed", type=whole, default=0, help="for a policy that draws lots (default: 0)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--step", type=whole, metavar="N", help="show what this step leaves, only")
    which.add_argument(
        "--live",
        type=between(0, _LONGEST, f"number of seconds up to {_LONGEST:.0f}"),
        metavar="S",
        help="show each for S seconds",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Play the scene, and show it."""
    _check(arguments)
    config = {
        MemoryManager: {
            "pages": arguments.frames,
            "policy": arguments.policy,
            "seed": arguments.seed,
        },
        SwapDisk: {"blocks": 64},
    }
    with boot(arguments.kernel, MemoryManager, config=config) as system:
        spaces: dict[str, AddressSpace] = {}
        view = View(system, spaces)
        number = 0
        if arguments.live is None:
            print(f"{KEY}\n")
        for number, done in enumerate(play(system, lambda: space_of(system), spaces), 1):
            if arguments.step in {None, number}:
                _show(arguments, f"{number}. {done}", view)
    if arguments.step is not None and not 1 <= arguments.step <= number:
        raise Refusal(f"there are steps 1 to {number}, not {arguments.step}.")
    return 0


def _show(arguments: argparse.Namespace, title: str, view: View) -> None:
    lines = [title, "", *view.lines(), ""]
    if arguments.live is None:
        print("\n".join(lines), flush=True)
        return
    if sys.stdout.isatty():
        print(CLEAR, end="")
    print("\n".join([*lines, KEY, ""]), flush=True)
    time.sleep(arguments.live)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.kernel not in KERNELS:
        raise unknown("kernel for this", arguments.kernel, KERNELS, "twinos memory --help")
    known = policies()
    if arguments.policy not in known:
        raise unknown("policy", arguments.policy, known, "twinos paging")
    if known[arguments.policy].clairvoyant:
        raise Refusal(f"no real system can have the policy {arguments.policy!r}.")


def _frames(text: str) -> int:
    if not text.isdecimal() or not 6 <= int(text[:6]) <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of frames from 6 to 4096")
    return int(text)
