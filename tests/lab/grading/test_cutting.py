"""Starting code is what is left of a solution."""

import pytest

from lab.grading.cutting import cut, unmarked
from lab.refusal import Refusal

SOLUTION = """\
def double(number):
    # >>> think
    twice = 2 * number
    return twice
    # <<< raise NotImplementedError
# >>>
helper = 1
# <<<
"""


def test_a_cut() -> None:
    left = "def double(number):\n    # TODO: think\n    raise NotImplementedError\n"
    assert cut(SOLUTION, "x.py") == left


def test_the_solution_without_marks() -> None:
    whole = "def double(number):\n    twice = 2 * number\n    return twice\nhelper = 1\n"
    assert unmarked(SOLUTION) == whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n# >>>\nb\n# >>>\nc\n# <<<\n", "x.py:4: this mark has no partner"),
        ("a\n# <<<\n", "x.py:2: this mark has no partner"),
        ("# >>>\na\n", "the last mark has no partner"),
        ("a = 1\n", "x.py has no marks"),
    ],
)
def test_marks_that_do_not_match_are_refused(text: str, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        cut(text, "x.py")
