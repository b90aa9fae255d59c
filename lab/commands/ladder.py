"""`twinos ladder`: what each step from a method call to another process adds."""

import argparse
import sys
from typing import Final

from lab.refusal import Refusal

SLICES: Final = 300
QUICK_SLICES: Final = 40
BYTES: Final = (64, 64 << 10)
"""Of the data, by default: a request, and one whose data are granted."""
MOST: Final = 4 << 20

EPILOG: Final = """\
One operation, `say(data) -> data`, by every way there is: the method itself, a call through the
monolithic kernel's gate, the microkernel's stub, codec and handler without a switch, the same to a
thread, to a process on the same CPU and on another one, by pipe, by ring, and with the kernel
proper on the way. From 16 KiB on its data are granted instead of sent; so there are two ladders, of
a small request and of a large one. All ways of a ladder stand at the same time and take turns, a
slice of half a millisecond each.

examples:
  twinos ladder --quick
  twinos ladder --bytes 1048576       one ladder, of a grant of 1 MiB
  twinos ladder --peers               beside Python's own, pyzmq and gRPC (extra: peers)
  twinos ladder --aims                requests over the host's own floors, pair by pair
  twinos ladder --plot ladder.svg
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    default = " and ".join(map(str, BYTES))
    about = f"of the data, may be given again; {default} by default"
    add("--bytes", type=_size, action="append", metavar="N", help=about)
    add("--peers", action="store_true", help="others' ways, too, in the same run")
    add("--aims", action="store_true", help="instead: where the fast path is, and where it aims")
    add("--quick", action="store_true", help="fewer slices")
    add("--json", action="store_true", help="print each ladder as a line of JSON instead")
    add("--plot", metavar="FILE", help="also draw it there, as .svg or .png (extra: report)")


def execute(arguments: argparse.Namespace) -> int:
    """Measure, print, draw."""
    import msgspec  # noqa: PLC0415 (with the rest below)

    from lab.ladder import measure, show  # noqa: PLC0415 (--help needs none of it)

    if arguments.plot and not arguments.plot.lower().endswith((".svg", ".png")):
        raise Refusal(f"a plot goes into a file that ends in .svg or .png, not {arguments.plot!r}.")
    slices = QUICK_SLICES if arguments.quick else SLICES
    if arguments.aims:
        from lab.ladder import aims  # noqa: PLC0415 (as above)

        sys.stdout.write(aims.render(aims.stand(slices)))
        return 0
    ladders = []
    for size in arguments.bytes or BYTES:
        ladder = measure.climb(size, slices, with_peers=arguments.peers)
        ladders.append(ladder)
        text = msgspec.json.encode(ladder).decode() if arguments.json else show.render(ladder)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    if arguments.plot:
        show.draw(ladders, arguments.plot)
    return 0


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes from 0 to {MOST}")
    return int(text)
