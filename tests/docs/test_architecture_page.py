"""The architecture page draws what the imports are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FOLDERS = ("twinos", "kernels", "servers", "workloads", "lab", "assignments")
Arrows = set[tuple[str, str]]


def drawn(number: int) -> Arrows:
    """The arrows of a diagram of the page."""
    diagram = re.findall(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)[number]
    return set(re.findall(r"^ +(\w+) --> (\w+)$", diagram, re.MULTILINE))


def imported(path: Path) -> Iterator[str]:
    """The names that a module imports, with what is taken from packages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folders() -> Arrows:
    return {
        (folder, other)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for name in imported(path)
        if (other := name.partition(".")[0]) in FOLDERS and other != folder
    }


def test_the_floors_are_those() -> None:
    assert drawn(0) == folders()


def test_the_floors_are_all_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Inside")[0], re.MULTILINE))
    assert told == set(FOLDERS)


def test_the_kernels_modules_import_each_other_so() -> None:
    arrows = drawn(1)
    assert len(arrows) > 10
    wrong = [
        (one, other)
        for one, other in arrows
        if f"kernels.{other}" not in set(imported(ROOT / "kernels" / f"{one}.py"))
    ]
    assert not wrong
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PAGE.partition("## Inside")[2], re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told == {name for arrow in arrows for name in arrow}


def test_links_lead_somewhere() -> None:
    for page in ("architecture.md", "teaching.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / "docs" / target).exists(), f"{page}: {target}"
