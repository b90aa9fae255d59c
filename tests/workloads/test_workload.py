"""Declaring and finding workloads."""

from collections.abc import Iterator

import pytest

from kernels import boot
from servers.clock import Clock
from workloads import catalogue, workload
from workloads.workload import DECLARED, Operation, Program, User, Workload


@pytest.fixture(autouse=True)
def _declarations() -> Iterator[None]:
    before = list(catalogue.catalogue().values())
    yield
    DECLARED[:] = before


def declared(count: int = 1) -> list[Workload]:
    return DECLARED[-count:]


def test_a_function_is_a_workload() -> None:
    @workload.workload("probes")
    def some_probe(clock: Clock, times: int = 3, word: str = "x") -> Program:
        """Say {word} {times} times."""
        yield Operation(lambda: [clock.null() for _ in range(times)] + [word])

    (probe,) = declared()
    assert (probe.name, probe.group, probe.services) == ("some-probe", "probes", (Clock,))
    assert probe.options == {"times": 3, "word": "x"}
    assert probe.settable == {"times", "word"}
    assert probe.about == "Say x 3 times."
    resized = probe.with_options({"times": 1})
    assert resized.about == "Say x 1 times."
    with boot("monolithic", Clock) as system:
        assert next(resized.start(system)).call() == [None, "x"]


def test_a_variant_fixes_what_its_name_says() -> None:
    @workload.workload("probes", {"small": {"size": 1}, "large": {"size": 100}})
    def probe(user: User, size: int, seed: int = 1) -> Program:
        """Touch {size}."""
        yield Operation(lambda: (user, size, seed))

    small, large = declared(2)
    assert (small.name, large.name) == ("small", "large")
    assert (small.about, large.about) == ("Touch 1.", "Touch 100.")
    assert small.settable == {"seed"}
    assert small.services == ()
    with boot("monolithic", Clock) as system:
        assert next(large.start(system)).call() == (system, 100, 1)


def test_two_of_one_name_are_refused() -> None:
    @workload.workload("probes", {"null": {}})
    def probe() -> Program:
        yield Operation(list)

    with pytest.raises(ValueError, match="two workloads are called null"):
        catalogue.catalogue()


def test_a_name_that_is_a_group_of_others_is_refused() -> None:
    @workload.workload("probes", {"files": {}})
    def probe() -> Program:
        yield Operation(list)

    with pytest.raises(ValueError, match="files is a workload and a group"):
        catalogue.catalogue()


def test_selecting() -> None:
    everything = {one.name for one in catalogue.select([])}
    extra = {one.name for one in catalogue.select([], extra=True)} - everything
    assert {"null", "pread-4k", "fault-zero", "tree-import"} <= everything
    assert "read-64m-by-64k" in extra
    assert [one.name for one in catalogue.select(["null", "load", "null"])] == ["null", "load"]
    assert {one.group for one in catalogue.select(["memory"])} == {"memory"}
    assert [one.name for one in catalogue.select(["read-64m-by-4k"])] == ["read-64m-by-4k"]
    with pytest.raises(KeyError):
        catalogue.select(["nothing"])


def test_null_comes_first() -> None:
    assert catalogue.select([])[0].name == "null"


def test_every_workload_says_what_it_does() -> None:
    for one in catalogue.catalogue().values():
        assert one.about.endswith(".")
        assert "{" not in one.about
        assert len(one.name) <= 16
