"""The teacher's page, followed to the letter: a lab of one's own by it works."""

import re
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.example import Example
from sybil.parsers.markdown import CodeBlockParser

from tests.docs.test_guide import ROOT, Reader
from tests.lab.grading.work import LABS, lab

PAGE = ROOT / "docs" / "teaching.md"
NAMED = re.compile(r"# (\S+/\S+)\n")


class Teacher(Reader):
    """Writes files of all kinds, in an empty folder, with TwinOS installed."""

    def file(self, example: Example) -> None:
        """A block begins with the name of its file."""
        text = str(example.parsed)
        named = NAMED.match(text)
        assert named, text
        file = self.home / named[1]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.removeprefix(named[0]))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("course")
    teacher = Teacher(home)
    teacher.environment["PYTHONPATH"] = str(ROOT)
    kinds = [CodeBlockParser(kind, teacher.file) for kind in ("python", "toml", "markdown")]
    console = CodeBlockParser("console", teacher.console)
    for example in Sybil(parsers=[*kinds, console]).parse(PAGE).examples():
        example.evaluate()
    return home


def test_a_lab_by_the_page_is_one(course: Path) -> None:
    assert (course / "dice.zip").stat().st_size > 100_000
    released = {path.name for path in (course / "out" / "my_labs" / "dice").iterdir()}
    assert released == {
        *("contract.py", "handout.md", "lab.toml", "rubric.toml", "start", "tests.py")
    }


def test_its_starting_code_has_no_point(course: Path) -> None:
    labs = str(course / "out" / "my_labs")
    assert lab("start", "dice", "work", "--labs", labs, cwd=course).returncode == 0
    graded = lab("grade", "--labs", labs, cwd=course / "work")
    assert graded.stdout.splitlines()[-1] == "Score: 0/2", graded.stderr
    text = (course / "work" / "dice.py").read_text()
    assert "# TODO: check, then add\n        raise NotImplementedError" in text


def test_the_plan_has_the_times_of_the_labs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for each in LABS.values():
        assert f"| {each.about.number} {each.about.title} | {each.about.hours:g} h |" in text
        assert f"**{each.about.title.removeprefix('The ')}" in text.replace("**The ", "**")
