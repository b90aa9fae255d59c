"""Experiments that break many things, one after the other: the campaigns of other commands."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from lab.availability.course import STEP_S, Course
from lab.availability.house import run, schedule
from lab.debate.evidence import Finding, Measure, Picture, Setting
from lab.faults.campaign import attempt, fresh_image, plan
from lab.faults.judge import Outcome
from lab.faults.kinds import KINDS, SERVICES, suits
from lab.stats import median_interval

KERNELS: Final = ("monolithic", "microkernel")
ROUNDS: Final = 4
QUICK_ROUNDS: Final = 1
SECONDS, QUICK_SECONDS = 12.0, 5.0
CLIENTS: Final = 4
APART_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 600)
"""Seconds between crashes for which it is reckoned what is served."""


def faults(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """The campaign of `twinos faults`: the same seeded faults under both kernels.

    No parameters. Measures: `OUTCOME KERNEL`, how many of the faults came to that (not noticed,
    recovered, error to one client, wrong data, hang, system down); `faults`, how many there were.
    """
    del parameters
    pairs = sum(suits(kind, service) for kind in KINDS for service in SERVICES)
    count = pairs * (QUICK_ROUNDS if setting.quick else ROUNDS)
    image = fresh_image()
    outcomes = Counter(
        (result.trial.kernel, result.outcome)
        for trial in plan(KERNELS, list(SERVICES), list(KINDS), count, setting.seed)
        if (result := attempt(trial, image)).struck
    )
    return Finding(
        [
            *(
                Measure(f"{outcome} {kernel}", outcomes[kernel, outcome], exact=True)
                for kernel in KERNELS
                for outcome in Outcome
            ),
            Measure("faults", count, exact=True),
        ],
        notes=[f"{len(KINDS)} kinds, in {' and '.join(SERVICES)}"],
    )


def availability(setting: Setting, parameters: Mapping[str, Any]) -> Finding:
    """`twinos availability`: requests served while services are killed, at the same instants.

    Parameters: `kill_every`, in seconds. Measures: `served`, what the microkernel serves over what
    the monolithic kernel does; `available KERNEL`, the share of time without an outage; `files lost
    KERNEL`, by kill; `rate KERNEL`, requests in a second while it is up; `outage KERNEL`, s from a
    kill to the next answer; `break-even`, the time between crashes at which both would serve the
    same. What each would serve, by the time between crashes, is drawn.
    """
    length = QUICK_SECONDS if setting.quick else SECONDS
    found: dict[str, list[float]] = {}
    for number in range(setting.boots):
        seed = setting.seed + number
        kills = schedule(length, float(parameters["kill_every"]), seed)
        order = random.Random(seed).sample(KERNELS, len(KERNELS))
        courses = {
            kernel: run(kernel, length, kills, clients=CLIENTS, seed=seed, reboot_s=0.0)
            for kernel in order
        }
        for name, value in _compared(courses["monolithic"], courses["microkernel"]).items():
            found.setdefault(name, []).append(value)
    measures = {
        name: Measure(name, median(values), median_interval(values), unit=_unit(name))
        for name, values in found.items()
    }
    return Finding(list(measures.values()), pictures=[_chart(measures)])


def _unit(name: str) -> str:
    return "s" if name.startswith(("break-even", "outage")) else "/ s" * name.startswith("rate")


def _chart(measures: Mapping[str, Measure]) -> Picture:
    """What each kernel would serve, by how often a service dies: rate x (1 - outage / time)."""
    lines = {}
    for kernel in KERNELS:
        rate, outage = (measures[f"{what} {kernel}"].value for what in ("rate", "outage"))
        lines[kernel] = [
            (every, Measure("served", rate * (1 - outage / every), exact=True))
            for every in APART_S
            if every > outage
        ]
    return Picture(
        "Cost against availability",
        "Requests that each kernel would serve in a second, reckoned from its measured rate and "
        "outage, by the seconds between two crashes of a service. The lines cross at the "
        "break-even of the table, if they do.",
        lines,
        across="seconds between crashes",
        up="requests served / s",
        logarithmic=True,
    )


def _compared(one: Course, other: Course) -> dict[str, float]:
    measures = {"served": sum(other.served) / sum(one.served)}
    for course in (one, other):
        measures[f"available {course.kernel}"] = course.available
        measures[f"files lost {course.kernel}"] = course.lost / len(course.kills)
        measures[f"rate {course.kernel}"], measures[f"outage {course.kernel}"] = _rate_and_outage(
            course
        )
    return measures | {"break-even": break_even(one, other)}


def break_even(one: Course, other: Course) -> float:
    """Seconds between crashes at which both serve the same; infinite: one never serves more.

    A kernel that serves `rate` while it is up, and is down for `down` seconds after each crash,
    serves rate * (1 - down / seconds) a second if a crash comes every so many seconds.
    """
    (fast, long), (slow, short) = (_rate_and_outage(course) for course in (one, other))
    return (fast * long - slow * short) / (fast - slow) if fast > slow else float("inf")


def _rate_and_outage(course: Course) -> tuple[float, float]:
    outages: Sequence[float] = [kill.down_s for kill in course.kills]
    up = max(len(course.served) * STEP_S - course.down_s, STEP_S)
    return sum(course.served) / up, sum(outages) / len(outages)
