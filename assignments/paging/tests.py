"""Public tests of NRU."""

from assignments.paging.machine import expect_victims
from lab.grading.bench import Bench


def the_first_goes_among_equals(bench: Bench) -> None:
    """Pages of one class go in the order in which they came."""
    expect_victims(bench, 4, "1 2 3 4 5 6 7 8", "1 2 3 4")


def referenced_pages_stay(bench: Bench) -> None:
    """A page that was referenced since the clock's interrupt goes after one that was not."""
    expect_victims(bench, 3, "1 2 3 1 4", "2")


def clean_pages_go_first(bench: Bench) -> None:
    """Of the pages in one state of reference, a dirty one stays."""
    expect_victims(bench, 3, "1w 2 3w 4", "2")


def a_referenced_page_outweighs_a_dirty_one(bench: Bench) -> None:
    """Class 1, dirty and not referenced, goes before class 2, clean and referenced."""
    expect_victims(bench, 3, "1 2w 3 1 3 4", "2")


def the_clock_forgets(bench: Bench) -> None:
    """After `frames` references more, a page counts as not referenced again."""
    expect_victims(bench, 3, "1 2 3 1 1 1 2 3 4", "1")


def what_was_read_is_remembered(bench: Bench) -> None:
    """A second victim in one interval knows what the first look has cleared."""
    expect_victims(bench, 4, "1 2 3 4 1 2 5 6", "3 4")
