"""The macro workloads: on every kernel they do what they say, and their checks can fail."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import boot
from lab.measuring import count, running
from lab.refusal import Failure, Refusal
from servers.filesystem import FileSystem
from tests.lab import runs
from workloads import andrew, paging, postmark
from workloads.catalogue import catalogue
from workloads.filebench import Shop
from workloads.steps import Contents, Step, foretell, perform, scripted
from workloads.tree import gather
from workloads.workload import WrongResultError

SMALL = {
    "postmark": {"files": 8, "transactions": 30},
    "fileserver": {"files": 4, "loops": 4},
    "varmail": {"files": 4, "loops": 4},
    "webserver": {"files": 4, "loops": 2},
    "andrew": {"files": 3},
    "andrew-mkdir": {"files": 30},
    "andrew-copy": {"files": 3},
    "andrew-scan": {"files": 3},
    "andrew-read": {"files": 3},
    "andrew-make": {"files": 2},
    "aim-1": {"rounds": 2},
    "aim-4": {"rounds": 2},
    "paging-loop": {"references": 300},
    "paging-random": {"references": 300},
}
EMPTY_IN_THE_END = [name for name in SMALL if not name.startswith(("andrew", "paging"))]


@pytest.mark.parametrize("name", SMALL)
def test_it_runs_on_every_kernel(name: str, kernel: Any) -> None:
    one = catalogue()[name].with_options(SMALL[name])
    with kernel.boot(*one.services, config=one.config, count=True) as system:
        with running(one, system) as operation:
            cost = count(operation, system, 1)
        assert (cost.messages > 0) == kernel.remote
        if not name.startswith("paging"):
            left = system[FileSystem].listdir("/")
            assert left == (() if name in EMPTY_IN_THE_END else ("andrew",))


@pytest.mark.parametrize("name", ["postmark", "fileserver", "varmail", "webserver", "andrew"])
def test_its_messages_are_those_of_its_seed(name: str) -> None:
    one = catalogue()[name].with_options(SMALL[name])

    def counted() -> object:
        with (
            boot("microkernel", *one.services, config=one.config, count=True) as system,
            running(one, system) as operation,
        ):
            return count(operation, system, 1)

    assert counted() == counted()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "append", "read", "delete", "stat"]),
        st.integers(0, 3),
        st.binary(max_size=3000),
        st.booleans(),
    ),
    max_size=12,
)


@given(STEPS)
def test_the_model_foretells_what_the_file_system_gives(
    drawn: list[tuple[str, int, bytes, bool]],
) -> None:
    alive: set[str] = set()
    steps = []
    for verb, number, data, sync in drawn:
        path = f"/{number}"
        if (verb == "create") == (path in alive):
            continue  # it would be an error
        alive.discard(path) if verb == "delete" else alive.add(path)
        steps.append(Step(verb, path, data, sync))
    with boot("monolithic", FileSystem) as system:
        assert perform(system[FileSystem], steps) == foretell({}, steps)
        assert set(system[FileSystem].listdir("/")) == {path[1:] for path in alive}


def test_a_wrong_result_is_seen() -> None:
    with boot("monolithic", FileSystem) as system:
        fs = system[FileSystem]
        program = scripted(fs, {"/pool/a": b"right"}, [Step("read", "/pool/a")], ops=1)
        operation = next(program)
        with pytest.raises(WrongResultError, match="right"):
            operation.check([b"wrong"])


def test_what_is_left_is_checked() -> None:
    one = catalogue()["postmark"].with_options(SMALL["postmark"])
    with boot("monolithic", FileSystem) as system:
        fs = system[FileSystem]

        def spoil() -> None:
            with running(one, system) as operation:
                operation.check(operation.call())
                name = fs.listdir("/postmark")[0]
                perform(fs, [Step("append", f"/postmark/{name}", b"!")])

        with pytest.raises(Failure, match=r"postmark: .*expected"):
            spoil()


def test_an_error_in_a_job_ends_the_run() -> None:
    one = catalogue()["aim-4"].with_options(SMALL["aim-4"])
    with boot("monolithic", *one.services) as system:

        def spoil() -> None:
            with running(one, system) as operation:
                system[FileSystem].unlink("/aim/07")
                operation.call()

        with pytest.raises(Failure, match="a file of the directory is missing"):
            spoil()


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(0, 50))
def test_postmark_never_runs_out_of_files(seed: int, files: int, transactions: int) -> None:
    pool, steps = postmark.script(random.Random(seed), files, transactions)
    assert len(steps) == 2 * transactions
    foretell(dict(pool), steps)
    assert (pool, steps) == postmark.script(random.Random(seed), files, transactions)


@given(st.integers(0, 2**32))
def test_a_shop_has_the_sizes_that_it_says(seed: int) -> None:
    sizes = [len(data) for data in Shop("/s", random.Random(seed), 300, mean=16384).files.values()]
    assert 10_000 < sum(sizes) / len(sizes) < 24_000
    assert max(sizes) <= 8 * 16384
    assert len(Contents(random.Random(seed), 100).cut(100)) == 100


@pytest.mark.parametrize("name", paging.PATTERNS)
@given(st.integers(0, 99), st.integers(2, 200), st.integers(1, 400))
def test_a_pattern_stays_among_its_pages(name: str, seed: int, pages: int, references: int) -> None:
    drawn = paging.PATTERNS[name](random.Random(seed), pages, references)
    assert len(drawn) == references
    assert set(drawn) <= set(range(pages))
    assert drawn == paging.PATTERNS[name](random.Random(seed), pages, references)


def test_a_pipeline_runs_where_users_are_processes(kernel: Any) -> None:
    one = catalogue()["pipeline"].with_options({"files": 20})
    with kernel.boot(*one.services, config=one.config, count=True) as system:
        if not kernel.remote:
            with (
                pytest.raises(Failure, match="boot it with users='process'"),
                running(one, system) as operation,
            ):
                operation.call()
            return
        with running(one, system) as operation:
            assert count(operation, system, 1).messages > 50


def test_programs_are_refused_where_users_are_inline() -> None:
    made = runs.made_up(["null"])
    assert made.rows
    with pytest.raises(Refusal, match="pipeline starts programs, which are processes: --users"):
        runs.made_up(["pipeline"])


def test_a_working_set_beyond_memory_is_paged() -> None:
    costs = {}
    for name in ("loop", "local"):
        one = catalogue()[f"paging-{name}"].with_options({"references": 500})
        with (
            boot("microkernel", *one.services, config=one.config, count=True) as system,
            running(one, system) as operation,
        ):
            costs[name] = count(operation, system, 1).messages
    assert costs["loop"] > 2 * costs["local"] > 0, "locality saves faults"


def test_andrew_compiles(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("x =\n")
    tree = gather(tmp_path, 0)
    with boot("monolithic", FileSystem) as system:
        fs = system[FileSystem]
        fs.mkdir(andrew.ROOT)
        andrew.copy(fs, tree)
        andrew.make(fs, tree)
        assert fs.stat("/andrew/bad.py.o").st_size == 0
        code = compile("x = 1\n", "", "exec", dont_inherit=True, optimize=0).co_code
        assert perform(fs, [Step("read", "/andrew/good.py.o")]) == [code]
