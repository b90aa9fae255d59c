"""The workloads for those who know pytest-benchmark: `pytest benchmarks --benchmark-only`.

Its figures are those of one boot, so they say less than `twinos bench`, which compares many. A
call of a workload can be several operations: see `operations_per_call` in the saved JSON.
"""

import os
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kernels import boot
from lab.measuring import running
from lab.placement import choose, pin
from workloads.catalogue import select
from workloads.workload import Operation, Workload

WARM_UP = 50
"""Calls before the first timed one: pytest-benchmark calibrates by the first, which is cold."""

ROUNDS = 20
"""Timed calls of an operation that has to be reset between two."""


@pytest.fixture(autouse=True)
def _one_processor() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    pin(choose("one").user)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
@pytest.mark.parametrize("workload", select([]), ids=lambda workload: workload.name)
def test_workload(benchmark: BenchmarkFixture, workload: Workload, kernel: str) -> None:
    benchmark.group = workload.name
    with (
        boot(kernel, *workload.services, config=workload.config) as system,
        running(workload, system) as operation,
    ):
        benchmark.extra_info["operations_per_call"] = operation.ops
        if workload.macro:
            operation.check(benchmark.pedantic(operation.call))
        elif operation.reset is not None:
            _repeat(benchmark, operation)
        else:
            for _ in range(WARM_UP):
                operation.check(operation.call())
            operation.check(benchmark(operation.call))


def _repeat(benchmark: BenchmarkFixture, operation: Operation) -> None:
    assert operation.reset is not None
    operation.call()
    result = benchmark.pedantic(operation.call, setup=operation.reset, rounds=ROUNDS)
    operation.check(result)
    operation.reset()
