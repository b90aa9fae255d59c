"""The guide and the README, followed to the letter in a copy of the tree."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from tests.tree import ROOT, copy_to

FILE = re.compile(r"# (\S+/\S+\.py)\n")


class Reader:
    """Does what a page says: writes its files, runs its programs and its commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.program: list[str] = []
        self.environment = os.environ | {
            "PYTHONPATH": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "100",
        }

    def python(self, example: Example) -> None:
        """A block that begins with a file's name is that file; the others are one program."""
        text = str(example.parsed)
        if named := FILE.match(text):
            file = self.home / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.removeprefix(named[0]))
            return
        self.program.append(text)

    def finish(self) -> None:
        """Run the program."""
        program = self.home / "program.py"
        program.write_text("\n".join(self.program))
        self.run([sys.executable, str(program)])

    def console(self, example: Example) -> None:
        """`$ command` lines, each followed by what it prints; `...` stands for anything."""
        for block in str(example.parsed).split("$ ")[1:]:
            command, _, expected = block.partition("\n")
            words = shlex.split(command)
            if words[0] == "twinos":
                words = [sys.executable, "-m", "lab", *words[1:]]
            elif words[0] == "python":
                words[0] = sys.executable
            printed = self.run(words)
            pattern = re.escape(expected.strip()).replace(r"\.\.\.", "(.|\n)*")
            assert re.fullmatch(pattern, printed.strip()), f"{command} printed\n{printed}"

    def run(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return copy_to(tmp_path)


def examples(page: Path, reader: Reader) -> Iterator[Example]:
    def parse(document: Document) -> Iterator[object]:
        yield from CodeBlockParser("python", reader.python)(document)
        yield from CodeBlockParser("console", reader.console)(document)

    yield from Sybil(parsers=[parse]).parse(page).examples()


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_every_example_works(page: str, home: Path) -> None:
    reader = Reader(home)
    count = 0
    for example in examples(ROOT / page, reader):
        example.evaluate()
        count += 1
    reader.finish()
    assert count
