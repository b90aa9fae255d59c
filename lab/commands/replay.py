"""`twinos replay`: price the exact counts of a run on machines of other years."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab import archive, replay
from lab.arguments import between
from lab.machines import Machine, machines, select
from lab.refusal import Refusal
from lab.replay import Counts, Prediction
from lab.table import exact, figure, percent, plain_table

EPILOG: Final = """\
What is priced is what was counted: requests and messages. What Python took is never taken for a
machine's time; so the work of a request is an assumption, which --work changes.

examples:
  twinos replay results/runs/20260101T000000Z-000007c8.json
  twinos replay RUN --machine 486-50-mach --machine 486-50-l3 --work 30
  twinos replay RUN --sweep -o sweep.svg
  twinos replay --list
"""

SHOWN: Final = (0.5, 1, 2, 5, 10, 20)
"""Prices of a message, in null calls, for which a sweep is printed."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help="saved runs, of one host and commit")
    add("--machine", action="append", default=[], metavar="ID", help="may be given again; all")
    add(
        "--work",
        type=between(0, 1e6, "number of null calls"),
        default=replay.WORK,
        metavar="N",
        help=_WORK,
    )
    add("--unverified", action="store_true", help="also prices that nobody has read in the source")
    add("--sweep", action="store_true", help="the overhead over the price of a message")
    add("-o", "--output", metavar="FILE", help="with --sweep: draw it there, as SVG")
    add("--list", action="store_true", help="list the machines, their prices and sources")


_WORK: Final = f"work of a request, in null calls; {replay.WORK:g} by default"


def execute(arguments: argparse.Namespace) -> int:
    """Print predictions, a sweep, or the machines."""
    known = machines()
    if arguments.output and not arguments.sweep:
        raise Refusal("-o is where --sweep draws; ask for that.")
    if arguments.list:
        print(_listed(list(known.values())))
        return 0
    chosen = select(known, arguments.machine, unverified=arguments.unverified)
    if not arguments.runs:
        raise Refusal("name a saved run: `twinos bench` says where it saves one.")
    counted = replay.counts_of(archive.load_together(arguments.runs))
    if not any(each.requests for each in counted):
        raise Refusal("nothing can be priced: no row of a kernel with messages counts requests.")
    if arguments.sweep:
        return _sweep(arguments, counted, chosen)
    print("\n\n".join(_predicted(counted, machine, arguments.work) for machine in chosen))
    print(f"\n{replay.formula(arguments.work)}")
    return 0


def _predicted(counted: Sequence[Counts], machine: Machine, work: float) -> str:
    predictions = [replay.predict(counts, machine, work) for counts in counted]
    several = len({counts.kernel for counts in counted}) > 1
    unit = machine.unit
    headers = ["workload", *["kernel"] * several, "requests", "messages", f"added\n{unit}"]
    headers += ["overhead", "band", f"break-even\n{unit} a message"]
    return f"{_title(machine)}\n\n{plain_table([_line(p, several) for p in predictions], headers)}"


def _line(prediction: Prediction, several: bool) -> list[str]:
    counts = prediction.counts
    low, high = prediction.band
    price = prediction.break_even
    return [
        counts.workload,
        *[counts.kernel] * several,
        exact(counts.requests),
        exact(counts.messages),
        figure(prediction.added),
        percent(prediction.overhead),
        f"{percent(low)} to {percent(high)}" if counts.messages else "",
        "any" if price is None else figure(price),
    ]


def _title(machine: Machine) -> str:
    message, null_call = machine.message, machine.null_call
    prices = [
        f"{what} {_range(price)} {machine.unit}"
        for what, price in (("a message", message), ("a null call", null_call))
        if price is not None
    ]
    doubt = "" if machine.trust == "read" else " UNVERIFIED."
    note = f" Note: {machine.note}." if machine.note else ""
    told = ", ".join(prices) or "no price of either"
    return f"{machine.label} ({machine.year}): {told}.{doubt}{note}"


def _range(price: tuple[float, float]) -> str:
    low, high = price
    return figure(low) if low == high else f"{figure(low)} to {figure(high)}"


def _sweep(arguments: argparse.Namespace, counted: Sequence[Counts], of: list[Machine]) -> int:
    lines = list(replay.sweep(counted, SHOWN, arguments.work))
    headers = ["workload", *(f"p = {price:g} n" for price in SHOWN)]
    table = [[line.counts.workload, *map(percent, line.overheads)] for line in lines]
    print(
        f"Overhead by the price of a message (p) in null calls (n)\n\n{plain_table(table, headers)}"
    )
    print(f"\n{replay.formula(arguments.work)}")
    if arguments.output:
        from lab.figures import draw_sweep  # noqa: PLC0415 (takes the extra `report`)

        target = Path(arguments.output)
        try:
            target.write_text(draw_sweep(counted, of, arguments.work).standalone, encoding="utf-8")
        except OSError as error:
            raise Refusal(f"{target}: {error.strerror}.") from None
    return 0


def _listed(known: Sequence[Machine]) -> str:
    return "\n\n".join(f"{one.id}: {_title(one)}\n  {one.source}{_excuse(one)}" for one in known)


def _excuse(machine: Machine) -> str:
    return f"\n  not used for predictions: {machine.lacks} is given" if machine.lacks else ""
