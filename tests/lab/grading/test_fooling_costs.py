"""Counts are made where no code of the student's is: it can ask for them, and change nothing."""

import pytest

from lab.grading.assignment import BOTH
from lab.grading.trial import Case, Outcome, run
from tests.lab.grading.work import LABS


def attempt(lab: str, name: str, change: tuple[str, str], kernel: str) -> Outcome:
    """A test on the reference solution with something in it changed."""
    old, new = change
    files = dict(LABS[lab].reference)
    file = next(iter(files))
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)
    task = next(task for task in LABS[lab].tasks if task.name == name)
    return run(Case(str(LABS[lab].folder), task, kernel, files, "0", 3.0))


NAIVE = (
    "    with user.batch(most=1024) as later:\n        for name, digest",
    "    later = lambda method, *given: method(*given)\n    if True:\n        for name, digest",
)
FORGED = """\
    import gc
    for each in gc.get_objects():
        if type(each).__name__ in ("Counters", "Arrivals", "Store"):
            vars(each)["number"] = vars(each)["_requests"] = 0
    for wish in ("bill", "fill", "inventory", "lose"):
        try:
            getattr(user[Store], wish)(*{"fill": ("x", b""), "lose": ("x",)}.get(wish, ()))
        except PermissionError:
            continue
        raise SystemExit(9)
"""


@pytest.mark.parametrize("kernel", BOTH)
def test_messages_are_counted_by_who_gets_them(kernel: str) -> None:
    name = "small_things_cost_few_messages"
    naive = attempt("ipc", name, NAIVE, kernel)
    assert "at most 40" in naive.expected
    forged = (NAIVE[0], FORGED + NAIVE[1])
    wishes = 4  # are refused, and cost two messages each
    assert int(attempt("ipc", name, forged, kernel).came) == int(naive.came) + 2 * wishes


@pytest.mark.parametrize("kernel", BOTH)
def test_what_the_tests_ask_the_store_is_not_for_programs(kernel: str) -> None:
    """And the same program is right when all that it does beside is refused."""
    head = "    items = user[Store].items()\n"
    passed = attempt("ipc", "small_things_are_entered", (head, FORGED + head), kernel)
    assert passed.passed, passed.came


def test_starts_are_remembered_by_who_starts() -> None:
    """A server that says that it has started something, and has not."""
    lazy = ("        self._wards.start(name)\n", "")
    outcome = attempt("reincarnation", "it_starts_what_it_watches", lazy, "microkernel")
    assert "Act(what='start'" in outcome.expected
    asking = ("        self._wards.start(name)\n", "        self._wards.acts()\n")
    outcome = attempt("reincarnation", "it_starts_what_it_watches", asking, "microkernel")
    assert "may not call Wards.acts" in outcome.came


def test_pages_are_where_the_tables_say() -> None:
    """A policy can name no victim that is not in memory, nor change what is."""
    wrong = ("        able = ", "        return 99\n        able = ")
    outcome = attempt("paging", "the_first_goes_among_equals", wrong, "microkernel")
    assert outcome.came == "99"
    reach = ("        able = ", "        look.drop(1)\n        able = ")
    outcome = attempt("paging", "the_first_goes_among_equals", reach, "microkernel")
    assert "may not call Tables.drop" in outcome.came


def test_a_disk_is_read_by_others() -> None:
    """A volume that remembers in its memory what it should have written."""
    lazy = ("        self._put_inode(inode, file._replace(nlinks=file.nlinks + 1))\n", "")
    assert not attempt("files", "a_file_gets_another_name", lazy, "microkernel").passed


def test_a_verdict_needs_figures_that_are_found_again() -> None:
    files = dict(LABS["claim"].reference)
    files["verdict.toml"] = files["verdict.toml"].replace('disk" = 2', 'disk" = 3')
    task = next(task for task in LABS["claim"].tasks if task.name == "the_verdict_follows")
    outcome = run(Case(str(LABS["claim"].folder), task, "microkernel", files, "0", 6.0))
    assert (outcome.expected, outcome.came) == ("2.0", "3.0")
