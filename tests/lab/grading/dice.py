"""A small lab, in which a test costs little."""

from pathlib import Path
from typing import Final

FILES: Final = {
    "lab.toml": """\
number = 9
title = "Dice"
about = "Sums of dice."
hours = 1
files = ["dice.py"]
""",
    "handout.md": "# Dice\n",
    "contract.py": '''\
"""Dice."""

from lab.grading.held import held
from twinos import Service, op


class Dice(Service):
    """Adds up."""

    @op
    def total(self, rolls: tuple[int, ...]) -> int:
        """The sum."""
        raise NotImplementedError

    @op
    def most(self, rolls: tuple[int, ...]) -> int:
        """The largest."""
        raise NotImplementedError


Subject = held(Dice)
''',
    "solution/dice.py": '''\
"""Dice."""

from small.dice.contract import Dice
from twinos import op


class MyDice(Dice):
    """Adds up."""

    @op
    def total(self, rolls: tuple[int, ...]) -> int:
        """The sum."""
        # >>> add
        sum_so_far = 0
        for index in range(len(rolls)):
            if rolls[index] > 0:
                sum_so_far = sum_so_far + rolls[index]
            elif rolls[index] < 0:
                sum_so_far = sum_so_far - abs(rolls[index])
        return sum_so_far
        # <<< raise NotImplementedError

    @op
    def most(self, rolls: tuple[int, ...]) -> int:
        """The largest."""
        # >>> compare
        found = rolls[0]
        for roll in rolls[1:]:
            if roll > found:
                found = roll
        return found
        # <<< raise NotImplementedError
''',
    "tests.py": '''\
"""Public tests."""

from lab.grading.bench import Bench
from small.dice.contract import Subject


def rolls_are_added(bench: Bench) -> None:
    """The sum."""
    with bench.boot(Subject) as system:
        bench.expect("the total", system[Subject].total((1, 2)), 3)
    bench.figure("rolls", 2)
''',
    "hidden/tests.py": '''\
"""Hidden tests."""

from lab.grading.bench import Bench
from small.dice.contract import Subject


def the_largest_is_found(bench: Bench) -> None:
    """The largest."""
    with bench.boot(Subject) as system:
        bench.expect("the largest", system[Subject].most((1, 5, 2)), 5)
''',
    "rubric.toml": '[[test]]\nname = "rolls_are_added"\npoints = 2\nlook = "sum"\n',
    "hidden/rubric.toml": '[[test]]\nname = "the_largest_is_found"\npoints = 1\nlook = "max"\n',
}


def dice(folder: Path) -> Path:
    """Write the lab; the folder of labs that it is in, which is `small`."""
    for name, text in FILES.items():
        path = folder / "small" / "dice" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "small"
