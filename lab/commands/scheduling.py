"""`twinos scheduling`: who gets the processor next, under several policies."""

import argparse
import random
from collections.abc import Iterator, Sequence
from typing import Final

from tabulate import tabulate

from kernels.scheduling import Policy, policies
from lab.arguments import some_or_all
from lab.refusal import broken, unknown
from lab.scheduling import WORKLOADS, Ask, Outcome, Program, Run, Simulator, Step, gantt

EPILOG: Final = """\
examples:
  twinos scheduling                              all policies, five tasks
  twinos scheduling --workload convoy --scheduler fcfs --scheduler rr
  twinos scheduling --workload inversion --scheduler priority --no-inheritance
  twinos scheduling --scheduler rr --ask -s 7    an exercise
  twinos scheduling --scheduler rr --reveal -s 7 its solution

Times are ticks of the processor. A policy is a class in a file of kernels/scheduling.
"""
LONGEST_QUANTUM: Final = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = EPILOG
    parser.add_argument("--scheduler", action="append", metavar="P", help="this policy; or all")
    parser.add_argument("--workload", default="mixed", metavar="NAME", help=", ".join(WORKLOADS))
    parser.add_argument("--quantum", type=_quantum, default=2, metavar="N", help="ticks of a turn")
    parser.add_argument("-s", "--seed", type=int, default=0, help="repeats a run (default: 0)")
    parser.add_argument(
        "--no-inheritance",
        action="store_true",
        help="servers don't inherit the priority of those who wait for them",
    )
    exercise = parser.add_mutually_exclusive_group()
    exercise.add_argument("--ask", action="store_true", help="print tasks and questions only")
    exercise.add_argument("--reveal", action="store_true", help="print who runs when, and times")


def execute(arguments: argparse.Namespace) -> int:
    """Run the experiment, or print the exercise."""
    chosen = _policies(arguments.scheduler)
    if arguments.workload not in WORKLOADS:
        raise unknown("workload", arguments.workload, WORKLOADS, "twinos scheduling --help")
    programs = list(WORKLOADS[arguments.workload](random.Random(arguments.seed)))
    print(f"{_title(arguments)}\n\n{_tasks(programs)}\n")
    if arguments.ask:
        print("\n".join(_questions(chosen)))
        return 0
    inherit = not arguments.no_inheritance
    outcomes = {
        policy.name: Simulator(
            policy(arguments.quantum, arguments.seed), programs, inherit=inherit
        ).run()
        for policy in chosen
    }
    for name, outcome in outcomes.items():
        print(f"{name:>8}  {gantt(outcome.chart)}")
        if arguments.reveal:
            print(f"\n{_answers(outcome)}\n")
    print("" if arguments.reveal else f"\n{_summary(outcomes)}", end="\n" * (not arguments.reveal))
    return 0


def _title(arguments: argparse.Namespace) -> str:
    inheritance = ", no inheritance" if arguments.no_inheritance else ""
    return (
        f"workload {arguments.workload}, seed {arguments.seed}, "
        f"quantum {arguments.quantum}{inheritance}"
    )


def _tasks(programs: Sequence[Program]) -> str:
    rows = [
        [p.name, p.arrival, p.priority, p.user or p.name, p.tickets, ", ".join(map(_step, p.steps))]
        for p in programs
    ]
    return tabulate(rows, ["task", "arrives", "priority", "user", "tickets", "does"])


def _step(step: Step) -> str:
    if isinstance(step, Ask):
        return f"ask {step.server} {step.ticks}"
    return f"{'run' if isinstance(step, Run) else 'wait'} {step.ticks}"


def _questions(chosen: Sequence[type[Policy]]) -> Iterator[str]:
    for policy in chosen:
        turns = " (a turn ends after the quantum)" if policy.slices else ""
        yield f"policy {policy.name}{turns}:"
        yield "  who has the processor in each tick?  0 | ..."
        yield "  each task's wait, response and turnaround, and their means?"


def _answers(outcome: Outcome) -> str:
    rows = [list(times) for times in outcome.times]
    rows.append(["mean", *map(_mean, list(zip(*outcome.times, strict=True))[1:])])
    heads = ["task", "cpu", "wait", "blocked", "response", "turnaround"]
    return tabulate(rows, heads, disable_numparse=True, colalign=["left", *["right"] * 5])


def _summary(outcomes: dict[str, Outcome]) -> str:
    rows = []
    for name, outcome in outcomes.items():
        waits, responses, turnarounds = (
            [getattr(times, field) for times in outcome.times]
            for field in ("wait", "response", "turnaround")
        )
        row = [name, *map(_mean, (waits, responses, turnarounds)), max(waits), outcome.switches]
        rows.append(row)
    heads = ["policy", "wait", "response", "turnaround", "longest wait", "switches"]
    return tabulate(rows, heads, disable_numparse=True, colalign=["left", *["right"] * 5])


def _mean(values: Sequence[int]) -> str:
    return f"{sum(values) / len(values):.1f}"


def _policies(names: Sequence[str] | None) -> list[type[Policy]]:
    try:
        found = policies()
    except Exception as error:  # a policy's module may fail in any way
        raise broken("kernels.scheduling", error) from error
    return some_or_all("policy", names, found, "twinos scheduling")


def _quantum(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text[:10]) <= LONGEST_QUANTUM:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {LONGEST_QUANTUM:,}")
    return int(text)
