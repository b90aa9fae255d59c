"""The chapters that look inside: where the time goes, and what memory and start-up take."""

from collections.abc import Iterable, Iterator

from lab.decompose import PARTS
from lab.figures import draw_parts
from lab.report.evidence import Evidence, place
from lab.report.model import Block, Box, Chapter, table
from lab.report.prose import said
from lab.schema import Decomposition, Row
from lab.table import exact, figure
from workloads.catalogue import catalogue

DRAWN = ("null", "stat", "pread-4k", "create-4k", "list-10k", "read-1m-by-64k", "fault-zero")
"""Single operations whose parts are drawn; the table has those of all."""


def decomposition(evidence: Evidence) -> Chapter:
    """Where the time goes."""
    found = [(run, each) for run in evidence.runs for each in run.decompositions]
    blocks: list[Block] = [
        said("decomposition"),
        table("The parts", ("part", "what is in it"), PARTS.items(), words=True),
    ]
    if not found:
        blocks.append(Box("Not shown: no run was traced (`twinos bench --decompose`)."))
        return Chapter("decomposition", "Where the time goes", tuple(blocks))
    shares = {
        f"{each.workload}, {_short(each.kernel)}": each.parts_us
        for run, each in found
        if run is evidence.main and _is_drawn(each)
    }
    if shares:
        blocks.append(
            draw_parts(
                "Shares of an operation's time",
                "For each workload and kernel a bar, made of the parts of its time; under the "
                "microkernel switching is most of what small requests take. The table has values.",
                shares,
                label="% of the time without stamps",
            )
        )
    blocks.append(
        table(
            "The parts of an operation's time, µs",
            ("workload", "kernel", *PARTS, "sum", "untraced", "traced"),
            (
                (
                    each.workload,
                    each.kernel,
                    *(figure(each.parts_us.get(part, 0.0)) for part in PARTS),
                    figure(sum(each.parts_us.values())),
                    figure(each.untraced_us),
                    figure(each.traced_us),
                )
                for _, each in found
            ),
        )
    )
    return Chapter("decomposition", "Where the time goes", (*blocks, *_validation(evidence)))


def _is_drawn(each: Decomposition) -> bool:
    known = catalogue().get(each.workload)
    chosen = each.workload in DRAWN or (known is not None and known.macro)
    return chosen and sum(each.parts_us.values()) > 0


def _validation(evidence: Evidence) -> Iterator[Block]:
    found = [(run, each) for run in evidence.runs for each in run.host_counts]
    if not found:
        yield Box("Not shown: the host's own count of system calls (`twinos bench --validate`).")
        return
    yield said("validation")
    yield table(
        "Our count of messages beside the host's counts, per operation",
        ("workload", "kernel", "where", "messages", "write", "read", "context switches"),
        (
            (
                each.workload,
                each.kernel,
                place(run),
                exact(each.messages_per_op),
                figure(each.calls_per_op.get("write", 0.0)),
                figure(each.calls_per_op.get("read", 0.0)),
                figure(each.switches_per_op),
            )
            for run, each in found
        ),
    )


def memory(evidence: Evidence) -> Chapter:
    """Memory and start-up."""
    lines: dict[tuple[str, str], list[Row]] = {}
    for run in evidence.runs:
        for row in run.rows:
            lines.setdefault((row.kernel, place(run)), []).append(row)
    return Chapter(
        "memory",
        "Memory and start-up",
        (
            said("memory"),
            table(
                "Memory and start-up; the least and the most over workloads",
                ("kernel", "where", "memory, MiB", "start-up, ms"),
                (
                    (
                        kernel,
                        where,
                        _span(row.memory_kib / 1024 for row in rows),
                        _span(row.boot_ms for row in rows),
                    )
                    for (kernel, where), rows in lines.items()
                ),
            ),
        ),
    )


def _span(values: Iterable[float]) -> str:
    found = sorted(values)
    return f"{figure(found[0])} to {figure(found[-1])}"


def _short(kernel: str) -> str:
    return {"monolithic": "mono", "microkernel": "micro"}.get(kernel, kernel)
