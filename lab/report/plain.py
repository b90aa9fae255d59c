"""A report as Markdown, for a repository, and as CSV, for a spreadsheet."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from lab.drawing import Figure
from lab.report.model import Block, Box, Code, Points, Report, Table, Text
from lab.schema import Run


def markdown(report: Report) -> str:
    """The report as Markdown; a figure is what is to be seen in it, its table follows."""
    parts = [f"# {report.title}", report.about]
    for chapter in report.chapters:
        parts.append(f"## {chapter.title}")
        parts += (_as_markdown(block) for block in chapter.blocks)
    return "\n\n".join(parts) + "\n"


def _as_markdown(block: Block) -> str:
    match block:
        case Text(text):
            return text
        case Points(points):
            return "\n".join(f"- {point}" for point in points)
        case Box(text):
            return f"> {text}"
        case Code(text):
            return f"```text\n{text}\n```"
        case Table():
            return _table(block)
        case Figure(title, about):
            return f"*{title}.* {about}"


def _table(block: Table) -> str:
    mark = "---" if block.words else "---:"
    marks = ["---", *[mark] * (len(block.headers) - 1)]
    lines = [block.headers, marks, *block.rows]
    shown = "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)
    return f"**{block.caption}**\n\n{shown}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


HEADERS = (
    "host",
    "commit",
    "date",
    "placement",
    "users",
    "workload",
    "group",
    "kernel",
    "median_us",
    "low_us",
    "high_us",
    "over",
    "ratio",
    "ratio_low",
    "ratio_high",
    "requests_per_op",
    "messages_per_op",
    "bytes_per_op",
    "cpu_us",
    "switches_per_op",
    "memory_kib",
    "boot_ms",
    "boots",
)


def as_csv(runs: Sequence[Run]) -> str:
    """Every row of the runs, unrounded, with its ratio."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS)
    for run in runs:
        writer.writerows(_rows(run))
    return text.getvalue()


def _rows(run: Run) -> Iterator[list[Any]]:
    env = run.environment
    ratios = {(ratio.workload, ratio.kernel): ratio for ratio in run.ratios}
    for row in run.rows:
        ratio = ratios.get((row.workload, row.kernel))
        compared = [ratio.over, ratio.ratio, *(ratio.ci95 or ("", ""))] if ratio else [""] * 4
        yield [
            *(env.host, env.commit or "", env.date, row.placement, row.users),
            *(row.workload, row.group, row.kernel),
            *(row.median_us, *(row.ci95_us or ("", ""))),
            *compared,
            *(row.requests_per_op, row.messages_per_op, row.bytes_per_op),
            *(row.cpu_us, row.switches_per_op, row.memory_kib, row.boot_ms, len(row.boots_us)),
        ]
