"""The chapters that say in words what was found, how, and under which rules."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import replay
from lab.availability.course import Availability
from lab.figures import draw_sweep
from lab.machines import Machine, machines, select
from lab.report.evidence import Comparison, Evidence, is_macro, place
from lab.report.model import Block, Box, Chapter, Code, Points, Text, table
from lab.report.prose import boxed, said, words
from lab.report.rules import RULES
from lab.schema import Run
from lab.table import exact, figure, percent


def summary(evidence: Evidence, availability: Availability | None = None) -> Chapter:
    """What was found, and what was not shown."""
    worth = () if availability else ("not_worth",)
    lacks = ("not_a_kernel", *worth, "not_elsewhere")
    return Chapter(
        "summary",
        "In plain words",
        (
            boxed("model"),
            Points((*_found(evidence), *_served(availability))),
            Text("**What was not shown:**"),
            Points((*_not_shown(evidence), *map(words, lacks), *_imprecise(evidence))),
        ),
    )


def _found(evidence: Evidence) -> Iterator[str]:
    for run in evidence.plain:
        null = evidence.find("null", run)
        if null:
            yield (
                f"On {place(run)}, a request that asks for nothing costs "
                f"{figure(null.base.median_us)} µs under the {_named(null.base.kernel)} and "
                f"{figure(null.row.median_us)} µs under the {_named(null.row.kernel)}: "
                f"{_difference(null)}, for {exact(null.base.messages_per_op)} and "
                f"{exact(null.row.messages_per_op)} messages."
            )
    main = evidence.of(evidence.main)
    if main:
        yield _tally(main)
    programs = [each for each in main if is_macro(each.row)]
    if programs:
        least, most = (pick(programs, key=lambda each: each.ratio.ratio) for pick in (min, max))
        yield (
            f"Whole programs cost between {figure(least.ratio.ratio)} times "
            f"({least.row.workload}) and {figure(most.ratio.ratio)} times ({most.row.workload}) "
            f"as much as under the {most.ratio.over} kernel, users and servers on one processor."
            if evidence.main.environment.placement == "one"
            else f"Whole programs cost between {figure(least.ratio.ratio)} and "
            f"{figure(most.ratio.ratio)} times as much as under the {most.ratio.over} kernel."
        )
    yield from _where_time_goes(evidence)


def _difference(found: Comparison) -> str:
    told = f"a difference of {figure(found.added_us)} µs"
    return told if found.verdict in {"more", "less"} else found.verdict


def _served(availability: Availability | None) -> Iterator[str]:
    for course in availability.courses if availability else ():
        yield (
            f"While services were killed {len(course.kills)} times, the {_named(course.kernel)} "
            f"served {sum(course.served):,} requests and failed {course.errors:,}, and "
            f"{course.lost:,} files were lost that had not been synced."
        )


def _named(kernel: str) -> str:
    return kernel if kernel.endswith("kernel") else f"{kernel} kernel"


def _tally(found: Sequence[Comparison]) -> str:
    verdicts = [each.verdict for each in found]
    more, less = verdicts.count("more"), verdicts.count("less")
    none = verdicts.count("no difference shown")
    few = len(verdicts) - more - less - none
    too_few = f" For {few} there were too few boots to say." if few else ""
    return (
        f"Of {len(found)} comparisons on the main placement, the second kernel cost more in {more} "
        f"and less in {less}; in {none} no difference was shown.{too_few}"
    )


def _where_time_goes(evidence: Evidence) -> Iterator[str]:
    for each in evidence.main.decompositions:
        if each.workload == "null" and each.messages_per_op:
            total = sum(each.parts_us.values())
            parts = sorted(each.parts_us.items(), key=lambda part: -part[1])[:3]
            listed = ", ".join(f"{name} {percent(us / total)}" for name, us in parts)
            yield f"Where the time of that request goes, under the {each.kernel}: {listed}."


def _not_shown(evidence: Evidence) -> Iterator[str]:
    for run in evidence.plain:
        found = evidence.of(run)
        equal = [each.row.workload for each in found if each.verdict == "no difference shown"]
        if equal:
            names = ", ".join(dict.fromkeys(equal))
            yield f"On {place(run)}, a difference for {names}: the intervals include 1."


def _imprecise(evidence: Evidence) -> Iterator[str]:
    if any(run.environment.quick for run in evidence.runs):
        yield words("not_precise")


def environment(evidence: Evidence) -> Chapter:
    """Where, when and how."""
    env = evidence.main.environment
    packages = ", ".join(f"{name} {number}" for name, number in env.packages.items())
    dirty = "" if not env.dirty else ", with changes that are not committed"
    lines = [
        ("machine", f"{env.cpu_model}, {env.cpu_count} processors; {env.host}"),
        ("operating system", env.kernel_version),
        ("Python", f"{env.python}; {packages}"),
        ("commit", f"{env.commit or 'not a checkout'}{dirty}"),
        ("services", f"SHA-256 of their source: {env.services_sha256}; the same in every kernel"),
    ]
    runs = table(
        "Runs",
        (
            "where",
            "ended",
            "boots",
            "seed",
            "load before",
            "loop, µs",
            "spread",
            "call, µs",
            "pipe, µs",
        ),
        (_circumstances(run) for run in evidence.runs),
    )
    return Chapter(
        "environment",
        "Environment",
        (
            table("Machine and versions", ("what", "which"), lines, words=True),
            said("environment"),
            runs,
            *_choice_of_boots(evidence),
        ),
    )


def _circumstances(run: Run) -> tuple[str, ...]:
    env, overhead = run.environment, run.overhead
    return (
        place(run) + (", quick" if env.quick else ""),
        env.date[:16].replace("T", " "),
        str(env.boots),
        str(env.seed),
        f"{env.load_before[0]:.2f}",
        figure(overhead.loop_us) if overhead else "",
        f"{overhead.spread:.2f}" if overhead else "",
        figure(run.floors.method_call_us),
        figure(run.floors.pipe_round_trip_us),
    )


def _choice_of_boots(evidence: Evidence) -> Iterator[Block]:
    for run in evidence.runs:
        if run.pilot:
            yield Text(
                f"On {place(run)} a pilot of {run.pilot.rounds} rounds, whose boots are not "
                f"reported, found {run.pilot.boots} boots of each kernel needed for intervals of "
                f"±{percent(run.pilot.precision)} in three of four workloads."
            )


def other_machines(evidence: Evidence, work: float = replay.WORK) -> Chapter:
    """The counts, priced elsewhere."""
    counted = [each for each in replay.counts_of([evidence.main]) if each.requests]
    blocks: list[Block] = [
        said("replay"),
        Code(replay.formula(work)),
    ]
    if not counted:
        blocks.append(Box("Not shown: no row counts requests."))
        return Chapter("replay", "On other machines", tuple(blocks))
    priced = select(machines(), [])
    chosen = [each for each in counted if _is_program(evidence, each.workload)] or counted
    blocks += [
        draw_sweep(chosen, priced, work),
        table(
            "Predicted overhead, with its band",
            ("machine", "message, µs", "null call, µs", *(each.workload for each in chosen)),
            (_predictions(chosen, machine, work) for machine in priced),
        ),
        table(
            "Break-even price of a message, µs: above it the overhead exceeds 5 %",
            ("machine", *(each.workload for each in chosen)),
            (_break_even(chosen, machine, work) for machine in priced),
        ),
        table(
            "Sources of the prices",
            ("machine", "year", "source"),
            ((one.label, str(one.year), one.source) for one in priced),
            words=True,
        ),
    ]
    return Chapter("replay", "On other machines", tuple(blocks))


def _is_program(evidence: Evidence, workload: str) -> bool:
    return any(
        row.workload == workload and is_macro(row) and row.group == "macro"
        for row in evidence.main.rows
    )


def _predictions(counted: Sequence[replay.Counts], machine: Machine, work: float) -> Iterator[str]:
    yield f"{machine.label} ({machine.year})"
    yield from (figure(price.middle) for price in (machine.message, machine.null_call) if price)
    for counts in counted:
        made = replay.predict(counts, machine, work)
        low, high = made.band
        yield f"{percent(made.overhead)} ({percent(low)} to {percent(high)})"


def _break_even(counted: Sequence[replay.Counts], machine: Machine, work: float) -> Iterator[str]:
    yield machine.label
    for counts in counted:
        price = replay.predict(counts, machine, work).break_even
        yield "any" if price is None else figure(price)


def checklist(evidence: Evidence) -> Chapter:
    """The rules, and where each is met."""
    return Chapter(
        "rules",
        "Rules that this report keeps",
        (
            said("rules"),
            table(
                "Rules",
                ("rule", "met", "where"),
                ((rule.rule, *rule.judge(evidence)) for rule in RULES),
                words=True,
            ),
        ),
    )


def rerun(evidence: Evidence, sources: Sequence[Path]) -> Chapter:
    """How to do it again."""
    commit = evidence.main.environment.commit
    lines = [f"git checkout {commit}"] if commit else []
    lines += ["make setup", ". .venv/bin/activate"]
    lines += dict.fromkeys(run.environment.command for run in evidence.runs)
    if sources:
        lines.append(f"twinos report {' '.join(path.name for path in sources)} -o report.html")
    return Chapter(
        "rerun",
        "How to do it again",
        (
            said("rerun"),
            Code("\n".join(lines)),
        ),
    )
