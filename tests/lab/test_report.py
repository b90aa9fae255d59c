"""Reports: the page says what the runs say, works for everybody, and needs nothing."""

import csv
import dataclasses
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from lab import archive, campaign, schema, tmpfs
from lab.commands import report as command
from lab.figures import Interval, draw_intervals
from lab.ladder.measure import Ladder, Step
from lab.pyperf_export import to_pyperf
from lab.refusal import Refusal
from lab.report import bootstrap, html, plain, readme, steps
from lab.report.chapters import compose
from lab.report.evidence import Evidence
from lab.report.model import Chapter, Report
from lab.report.rules import RULES
from lab.schema import HostCount, Run
from tests.conftest import reap_orphans
from tests.lab.browser import Page, browse, chromium
from tests.lab.conftest import Cli
from tests.lab.runs import made_up
from workloads.catalogue import catalogue

NAMES = (
    "null",
    "stat",
    "fork-64",
    "postmark",
    "varmail",
    "payload-1",
    "payload-1m",
    "aim-1",
    "aim-2",
)
COUNT = HostCount(
    workload="null",
    kernel="microkernel",
    messages_per_op=2,
    switches_per_op=2,
    calls_per_op={"read": 2.0, "write": 2.0},
)


draw_intervals("", "", {"a": {"b": Interval(1, 1, 1)}}, label="")
"""Matplotlib keeps the files of its fonts open from the first drawing on."""


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    main = replace(made_up(NAMES, traces=1), host_counts=(COUNT,))
    return [main, made_up(NAMES, placement="two", factor=9, seed=2)]


@pytest.fixture(scope="module")
def report(runs: list[Run]) -> Report:
    return compose(runs, [Path("one.json"), Path("two.json")])


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return html.page(report)


class Outline(HTMLParser):
    """What is where in a page."""

    VOID = frozenset({"meta", "link", "br", "path", "use", "rect", "line", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def ids(self) -> list[str]:
        return [found for _, attrs in self.tags if (found := attrs.get("id"))]


def test_every_chapter_is_there(report: Report, page: str) -> None:
    for chapter in report.chapters:
        assert f'<section id="{chapter.id}"' in page
        assert chapter.blocks
    assert {one.id for one in report.chapters} >= {
        *("summary", "environment", "micro", "macro", "payload", "ladder", "decomposition"),
        *("scaling", "memory", "replay", "reliability", "rules", "rerun"),
    }


def test_the_page_is_well_formed_small_and_alone(page: str) -> None:
    outline = Outline(page)
    assert not outline.open
    twice = [each for each, number in Counter(outline.ids()).items() if number > 1]
    assert not twice
    assert len(page.encode()) < 1_000_000
    assert "<script" not in page
    links = [attrs.get("href") or "" for tag, attrs in outline.tags if tag in {"a", "use"}]
    links += [attrs.get("xlink:href") or "#" for tag, attrs in outline.tags if tag == "use"]
    known = {f"#{each}" for each in outline.ids()}
    assert all(not link or link == "#" or link in known for link in links)
    fetched = re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page)
    assert all("http://www.w3.org" in each for each in fetched)


def test_each_figure_is_told_and_followed_by_a_table(report: Report, page: str) -> None:
    outline = Outline(page)
    drawings = [attrs for tag, attrs in outline.tags if tag == "svg"]
    assert len(drawings) >= 6
    for attrs in drawings:
        assert attrs["role"] == "img"
        assert set((attrs["aria-labelledby"] or "").split()) <= set(outline.ids())
    for chapter in report.chapters:
        kinds = [type(block).__name__ for block in chapter.blocks]
        for place, kind in enumerate(kinds):
            assert kind != "Figure" or kinds[place + 1] == "Table", chapter.id


def test_tables_have_heads_for_readers_who_hear_them(page: str) -> None:
    outline = Outline(page)
    tags = Counter(tag for tag, _ in outline.tags)
    assert tags["caption"] == tags["table"] > 10
    scopes = Counter(attrs.get("scope") for tag, attrs in outline.tags if tag == "th")
    assert scopes.keys() == {"row", "col"}
    assert tags["h1"] == 1


def test_the_page_says_what_the_runs_say(runs: list[Run], page: str) -> None:
    for run in runs:
        for ratio in run.ratios:
            assert f"{ratio.ratio:.2f}" in page
        assert str(run.environment.seed) in page
    assert "no difference" in compose([made_up(factor=1.0)]).chapters[0].blocks[1].points[1]  # type: ignore[union-attr]  # that block is a list


def test_words_from_runs_are_escaped(runs: list[Run]) -> None:
    nasty = "<script>alert(1)</script>&`x`"
    changed = [
        replace(run, environment=replace(run.environment, command=nasty, cpu_model=nasty))
        for run in runs
    ]
    assert "<script>" not in html.page(compose(changed))


def test_rules_are_judged_by_looking() -> None:
    judged = {rule.rule: rule.judge(Evidence([made_up(boots=2)])) for rule in RULES}
    assert judged["An interval for every ratio"][0] == "no"
    assert judged["Report where processes ran"][0] == "partly"
    assert judged["Sweep sizes and loads"][0] == "partly"
    assert judged["Say that it is a simulation, and validate it"][0] == "partly"
    dirty = made_up(commit="c" * 40, dirty=True)
    assert {r.rule: r.judge(Evidence([dirty])) for r in RULES}[
        "Versions: a commit without changes"
    ] == ("no", "not of a commit, or with changes")


def test_markdown_has_the_same_tables(report: Report) -> None:
    text = plain.markdown(report)
    for chapter in report.chapters:
        assert f"\n## {chapter.title}\n" in text
    tables = [line for line in text.splitlines() if line.startswith("| ---")]
    assert len(tables) == sum(
        type(block).__name__ == "Table" for chapter in report.chapters for block in chapter.blocks
    )
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_csv_has_every_row_unrounded(runs: list[Run]) -> None:
    read = list(csv.DictReader(plain.as_csv(runs).splitlines()))
    rows = [row for run in runs for row in run.rows]
    assert len(read) == len(rows)
    for line, row in zip(read, rows, strict=True):
        assert (line["workload"], line["kernel"]) == (row.workload, row.kernel)
        assert float(line["median_us"]) == row.median_us


def test_pyperf_reads_the_values(runs: list[Run], tmp_path: Path) -> None:
    pyperf: Any = pytest.importorskip("pyperf")
    target = tmp_path / "suite.json"
    target.write_text(to_pyperf(runs))
    suite = pyperf.BenchmarkSuite.load(str(target))
    found = suite.get_benchmark("null/microkernel/one/inline")
    row = next(row for row in runs[0].rows if (row.workload, row.kernel) == ("null", "microkernel"))
    assert found.get_values() == pytest.approx([us / 1e6 for us in row.boots_us])
    twice = tmp_path / "twice.json"  # a report has the same row in several of its runs
    twice.write_text(to_pyperf([runs[0], runs[0]]))
    names = pyperf.BenchmarkSuite.load(str(twice)).get_benchmark_names()
    assert len(names) == 2 * len(runs[0].rows)
    assert "null/microkernel/one/inline/run 2" in names
    with pytest.raises(Refusal, match="nothing to export"):
        to_pyperf([replace(runs[0], rows=())])


def test_bootstrap_intervals_hold_what_they_are_of() -> None:
    rounds = [[2.0, 2.1, 1.9, 2.0, 2.05, 1.95, 2.0], [8.0, 8.1, 7.9, 8.0, 8.05, 7.95, 8.0]]
    mean, interval = bootstrap.geometric_mean(rounds)
    assert mean == pytest.approx(4)
    assert interval is not None
    assert interval[0] <= 4 <= interval[1]
    assert bootstrap.geometric_mean([[2.0], [8.0]]) == (pytest.approx(4), None)
    slope, around = bootstrap.slope([1, 2, 4], [[1.0] * 6, [2.0] * 6, [4.0] * 6])
    assert slope == pytest.approx(1)
    assert around is not None
    assert bootstrap.cliffs_delta([3, 4], [1, 2]) == 1
    assert bootstrap.geometric_mean(rounds) == bootstrap.geometric_mean(rounds), "seeded"


def test_the_same_figure_is_drawn_the_same() -> None:
    rows = {"a": {"k": Interval(2, 1, 3)}, "b & <c>": {"k": Interval(1, 1, 1)}}
    one, other = (draw_intervals("t", "d", rows, label="l", one=True) for _ in range(2))
    assert one == other
    assert one.inline(1) != one.inline(2)
    assert "#ffffff" in one.standalone


# In a browser


@pytest.fixture(scope="module")
def browser(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Path]]:
    if chromium() is None:
        pytest.skip("there is no Chromium (apt-get install chromium)")
    folder = tmp_path_factory.mktemp("browser")
    target = folder / "report.html"
    target.write_text(page)
    with browse(folder / "profile") as opened:
        yield opened, target
    reap_orphans()


CONTRAST = """
(() => {
  const part = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number);
    return .2126 * part(r) + .7152 * part(g) + .0722 * part(b); };
  const ground = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c)) return c; } return 'rgb(255, 255, 255)'; };
  let least = 99;
  const all = 'p, li, a, td, th, h1, h2, dt, dd, small, figcaption, caption, pre, code';
  for (const e of document.querySelectorAll(all)) {
    const [x, y] = [light(getComputedStyle(e).color), light(ground(e))].sort((p, q) => q - p);
    least = Math.min(least, (x + .05) / (y + .05));
  }
  return least;
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(browser: tuple[Page, Path], width: int, dark: bool) -> None:
    opened, target = browser
    opened.look(width, dark=dark, mobile=width < 500)
    opened.open(target)
    assert opened.complaints == []
    assert set(opened.fetched) == {target.as_uri()}, "nothing is fetched"
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate(CONTRAST) >= 4.5, "everybody can read it"
    paper = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper))) < 128) == dark
    ink = opened.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
    assert (min(map(int, re.findall(r"\d+", ink))) > 128) == dark, "figures follow the page"


# The command


def test_of_saved_runs(inside: Cli, runs: list[Run], tmp_path: Path) -> None:
    for name, run in zip(("one", "two"), runs, strict=True):
        schema.save(run, tmp_path / f"{name}.json")
    shown = inside(
        *("report", "one.json", "two.json", "-o", "page.html", "--markdown", "page.md"),
        *("--csv", "rows.csv", "--pyperf", "suite.json"),
    )
    assert shown.returncode == 0, shown.stderr
    assert "Wrote page.html" in shown.stderr
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "suite.json").read_text())["version"] == "1.0"


def test_from_nothing_to_a_page(cli: Cli, tmp_path: Path) -> None:
    shown = cli("report", "--quick", "--workload", "null", "--boots", "1", "--seed", "3")
    assert shown.returncode == 0, shown.stderr
    saved = [schema.load(path) for path in sorted((tmp_path / "results" / "runs").iterdir())]
    assert len(saved) in {3, 5}, "with two processors there are runs on two"
    assert {run.rows[0].users for run in saved} == {"inline", "process"}
    assert all(run.environment.command.startswith("twinos report --quick") for run in saved)
    assert "What a microkernel costs" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.json"], "missing.json: No such file or directory."),
        (["torn.json"], "torn.json is no saved run"),
        (["old.json"], "old.json has the schema 'twinos/run/1'"),
        (["run.json", "elsewhere.json"], "they are of different hosts"),
        (["run.json", "earlier.json"], "they are of different commits"),
        (["empty.json"], "there is nothing to report: the runs have no rows."),
        (["run.json", "--ladder", "torn.json"], "torn.json is no ladder"),
        (["run.json", "--quick"], "--quick, --reference and --workload make runs"),
        (["run.json", "-o", "no/where.html"], "there is no folder for it"),
        (["--boots", "-1"], "argument --boots: '-1' is no "),
        (["--workload", "nul"], "there is no workload 'nul'; did you mean 'null'?"),
        (["--resume", "missing.part"], "missing.part: No such file or directory."),
        (["run.json", "--readme", "README.md"], "README.md: No such file or directory."),
        (["run.json", "--readme", "torn.json"], "torn.json has no place for the table"),
        (["--readme", "torn.json"], "has no runs: `twinos report --reference` makes them."),
    ],
)
def test_bad_input(arguments: list[str], sentence: str, inside: Cli, tmp_path: Path) -> None:
    run = made_up(["null"])
    schema.save(run, tmp_path / "run.json")
    schema.save(replace(run, rows=(), ratios=()), tmp_path / "empty.json")
    elsewhere = replace(run.environment, host="another")
    schema.save(replace(run, environment=elsewhere), tmp_path / "elsewhere.json")
    earlier = replace(run.environment, commit="another")
    schema.save(replace(run, environment=earlier), tmp_path / "earlier.json")
    (tmp_path / "torn.json").write_text(schema.to_json(run)[:300])
    (tmp_path / "old.json").write_text('{"schema": "twinos/run/1"}')
    shown = inside(*arguments[:0], "report", *arguments)
    assert shown.returncode == 2, shown.stderr
    assert sentence in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_a_missing_extra_is_said(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.save(made_up(["null"]), tmp_path / "run.json")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\nfor name in ('matplotlib', 'jinja2', 'scipy'):\n    sys.modules[name] = None\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    shown = cli("report", "run.json")
    assert shown.returncode == 2
    assert "pip install 'twinos[report]'" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_a_report_takes_every_workload_that_bench_does() -> None:
    (first, *_) = campaign.plans(campaign.QUICK, 1, "x", unsteady=True)
    have = {one.name for one in first.workloads}
    assert have >= {one.name for one in catalogue().values() if not one.extra}
    assert have >= {
        "andrew",
        "postmark",
        "fileserver",
        "varmail",
        "webserver",
        "aim-8",
        "payload-1m",
    }
    assert first.validate
    assert first.traces


# The ladder


def test_a_ladder_is_a_chapter(runs: list[Run], tmp_path: Path) -> None:
    rungs = [
        Step(name="a call", us=0.1, quartiles=(0.1, 0.2)),
        Step(name="a message", us=6.0, quartiles=(5.0, 7.0), over="a call", host=4.0, encoding=1.0),
    ]
    ladder = Ladder(
        host=runs[0].environment.host,
        bytes=64,
        slices=9,
        user_cpu=0,
        server_cpu=None,
        steps=tuple(rungs),
        missing={},
        load=(0.0, 0.0),
    )
    path = tmp_path / "ladder.json"
    path.write_bytes(msgspec.json.encode(ladder))
    assert steps.load(path) == ladder
    with pytest.raises(Refusal, match="of another host"):
        compose(runs, ladder=replace(ladder, host="elsewhere"))
    text = plain.markdown(compose(runs, ladder=ladder))
    assert "threads (the ladder)" not in text
    assert "| a message | 6.00 | 5.00 to 7.00 | 5.90 | a call | 4.00 | 1.00 | 0 | 1.00 |" in text


# Other ways, and a baseline


def test_other_ways_have_a_chapter_of_their_own(runs: list[Run]) -> None:
    kernels = ("monolithic", "microkernel", "microkernel@ring", "hybrid:filesystem+disk")
    ways = made_up(["null", "varmail"], kernels=kernels, factor=3, seed=3)
    whole = compose([ways, *runs])
    assert Evidence([ways, *runs]).main is runs[0], "the two kernels come first"
    chapters = {chapter.id: chapter for chapter in whole.chapters}
    told = plain.markdown(replace_chapters(whole, chapters["ways"]))
    assert "| varmail | microkernel@ring | 1.0" in told
    assert "| null | hybrid:filesystem+disk |" in told
    for other in ("summary", "micro", "macro"):
        assert "@ring" not in plain.markdown(replace_chapters(whole, chapters[other]))
    alone = plain.markdown(compose([ways]))
    assert "microkernel@ring" in alone.partition("## Other ways")[0], "it is all that there is"
    assert "Not shown: no run has other transports" in alone


def replace_chapters(report: Report, *chapters: Chapter) -> Report:
    return dataclasses.replace(report, chapters=chapters)


def test_the_same_workloads_run_on_the_host(runs: list[Run]) -> None:
    chosen = [one for one in catalogue().values() if tmpfs.comparable(one)]
    cpu = min(os.sched_getaffinity(0))
    found = tmpfs.measure([one for one in chosen if "10k" not in one.name], cpu, quick=True)
    if not found:
        pytest.skip("this host has no /dev/shm")
    assert found.keys() >= {"stat", "pread-4k", "create-4k", "open-close", "rename", "list-100"}
    assert all(us > 0 for us in found.values())
    (main, other) = runs
    text = plain.markdown(compose([replace(main, tmpfs_us={"stat": 0.5}), other]))
    (line,) = (line for line in text.splitlines() if line.startswith("| stat | 0.500 |"))
    times = [float(cell) for cell in line.strip("| ").split(" | ")[2:]]
    assert [value / 0.5 for value in times[:2]] == pytest.approx(times[2:], rel=0.01)


# README


def test_a_table_goes_between_its_marks(tmp_path: Path) -> None:
    target = tmp_path / "README.md"
    target.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n")
    run = made_up(["null", "postmark"])
    target.write_text(readme.updated(target, [run]))
    text = target.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "\nnull " in text
    assert "postmark" not in text, "what bench leaves out is left out"
    assert readme.updated(target, [run]) == text, "again: the same"


def test_a_published_run_replaces_the_one_before(tmp_path: Path) -> None:
    run = made_up(["null"])
    for name in ("old.json", "old.ladder", "old.availability", "report.html", "rows.csv"):
        (tmp_path / name).write_text("")
    new = archive.unused(tmp_path, run)
    archive.keep(run, new)
    archive.keep_beside(new, "ladder", b"{}")
    archive.clear_but([new])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {new.name, f"{new.stem}.ladder", "report.html", "rows.csv"}


def test_readme_has_the_table_of_the_published_run() -> None:
    root = Path(command.__file__).parents[2]
    try:
        paths = readme.published(root / "results")
    except Refusal as refusal:
        pytest.skip(f"nothing is published yet: {refusal}")
    text = (root / "README.md").read_text()
    assert readme.updated(root / "README.md", [schema.load(path) for path in paths]) == text
