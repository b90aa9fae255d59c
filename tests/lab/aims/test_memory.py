"""The aims of virtual memory are worked out from the rows of a run."""

from lab.aims.memory import standing, tables_of
from tests.lab.runs import made_up

NAMES = (
    "load",
    "slice-load",
    "fault-zero",
    "map-1",
    "map-262144",
    "fork-64",
    "fork-100",
    "touch-100",
)


def test_aims_are_said_to_be_missed_only_where_they_are() -> None:
    near = standing(made_up(NAMES, us=1.0, factor=1.5, noise=0.0))
    assert "missed" not in near
    assert near.count("at most 15.0") == 2
    assert "1.07" not in near
    far = standing(made_up(NAMES, us=1.0, factor=1000.0, noise=0.0))
    (missed,) = [line for line in far.splitlines() if "missed" in line]
    assert missed.startswith("fault-zero, microkernel")


def test_faults_a_second_are_those_of_each_kernel() -> None:
    text = standing(made_up(NAMES, us=2.0, factor=2.0, noise=0.0))
    (line,) = [line for line in text.splitlines() if line.startswith("touch-100")]
    assert line.split()[1:] == ["500,000", "250,000"]


def test_forks_are_told_by_their_page_tables() -> None:
    assert [tables_of("fork-1", pages) for pages in (1, 512, 513, 10_000)] == [3, 3, 4, 22]
    assert tables_of("fork-spread", 64) == 66
    text = standing(made_up(NAMES, us=3.0, noise=0.0))
    assert ["fork-100", "100", "3", "3.00", "1.00", "7.68"] in map(str.split, text.splitlines())


def test_a_run_of_more_than_memory_says_nothing_of_it() -> None:
    assert not standing(made_up(("null", "load")))
