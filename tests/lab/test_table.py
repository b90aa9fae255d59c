"""Runs as people read them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lab import table
from lab.schema import Aim, Environment, Floors, Placement, Ratio, Row, Run

HYBRID = "hybrid:filesystem+disk,clock+memorymanager"


def row(workload: str, kernel: str, median: float, messages: float) -> Row:
    return Row(
        workload=workload,
        group="null" if workload == "null" else "files",
        options={},
        kernel=kernel,
        transport="call",
        placement="one",
        users="inline",
        boots_us=(median,) * 6,
        median_us=median,
        ci95_us=(median * 0.99, median * 1.02),
        messages_per_op=messages,
        bytes_per_op=5 * messages,
    )


def make_run(*kernels: str, boots: int = 6, placement: Placement = "one", load: float = 0.1) -> Run:
    costs = {kernel: 10.0**number for number, kernel in enumerate(kernels)}
    messages = {kernel: 0 if kernel == "monolithic" else 2.5 for kernel in kernels}
    workloads = ("null", "open-close", "write-64m-by-64k")
    return Run(
        environment=Environment(
            host="h",
            cpu_model="AMD EPYC",
            cpu_count=2,
            affinity=(0, 1),
            placement=placement,
            user_cpu=1,
            server_cpu=0 if placement == "two" else 1,
            kernel_version="Linux 6.18",
            python="CPython 3.11.7",
            packages={},
            commit="0123456789abcdef",
            dirty=True,
            services_sha256="",
            date="2026-01-01T00:00:00+00:00",
            seed=1992,
            boots=boots,
            quick=False,
            command="twinos bench",
            load_before=(load, load, load),
            load_after=(load, load, load),
        ),
        floors=Floors(
            method_call_us=0.05,
            pipe_round_trip_us=8.5,
            method_call_boots_us=(0.05,),
            pipe_round_trip_boots_us=(8.5,),
        ),
        rows=tuple(
            row(workload, kernel, 0.213 * 100**place * costs[kernel], messages[kernel])
            for place, workload in enumerate(workloads)
            for kernel in kernels
        ),
        ratios=tuple(
            Ratio(
                workload=workload,
                kernel=kernel,
                over=kernels[0],
                ratio=costs[kernel],
                ci95=(costs[kernel] * 0.9, costs[kernel] * 1.1),
            )
            for workload in workloads
            for kernel in kernels[1:]
        ),
        aims=tuple(
            Aim(kernel=kernel, over="pipe round trip", ratio=1.3, ci95=(1.2, 1.4), aim=1.5)
            for kernel in kernels
        ),
    )


def test_a_wide_page_has_intervals_and_ratios() -> None:
    shown = table.render(make_run("monolithic", "microkernel"), 120)
    assert "0.213 [0.211; 0.217]" in shown
    assert "2.13 [2.11; 2.17]" in shown
    assert "10.0 [9.00; 11.0]" in shown
    assert "Ratio: over monolithic" in shown
    assert "The monolithic kernel sends none." in shown
    assert "0123456 with changes" in shown
    assert "seed 1992" in shown
    assert "changed its speed" not in shown
    assert "at most 1.5" in shown
    assert "busy" not in shown


def test_groups_are_set_apart() -> None:
    lines = table.render(make_run("monolithic", "microkernel"), 120).splitlines()
    null = next(number for number, line in enumerate(lines) if line.startswith("null"))
    assert lines[null - 1].startswith("--")
    assert lines[null + 1] == ""
    assert lines[null + 2].startswith("open-close")
    assert lines[null + 3].startswith("write-64m-by-64k")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_page_is_not_wider_than_it_is(width: int) -> None:
    shown = table.render(make_run("monolithic", "microkernel"), width)
    assert max(map(len, shown.splitlines())) <= width


def test_a_narrow_page_has_half_widths() -> None:
    assert "0.213 ±2%" in table.render(make_run("monolithic", "microkernel"), 80)


def test_one_kernel_has_no_ratio() -> None:
    shown = table.render(make_run("microkernel"), 120)
    assert "ratio" not in shown.lower().partition("floors")[0]
    assert "before the ratio" not in shown


def test_several_kernels_have_columns_of_their_own() -> None:
    shown = table.render(make_run("monolithic", "microkernel", HYBRID), 200)
    heading = shown.partition("--")[0]
    assert heading.count("ratio") == heading.count("messages") == heading.count("bytes") == 2
    assert "clock" not in heading
    assert f"hybrid: {HYBRID}." in shown.replace("\n", " ")


def test_hybrids_are_numbered() -> None:
    shown = table.render(make_run("hybrid:clock+disk", HYBRID), 200)
    assert "hybrid 2" in shown.partition("--")[0]
    assert f"hybrid 2: {HYBRID}." in shown.replace("\n", " ")


def test_placement_and_load_are_told() -> None:
    shown = table.render(make_run("microkernel", placement="two", load=1.7), 120)
    assert "User on CPU 1, servers on CPU 0" in shown
    assert "The host was busy (load 1.7)" in shown
    assert "at most" not in shown


def test_few_boots_are_told() -> None:
    assert "(6 give intervals)" in table.render(make_run("microkernel", boots=3), 120)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0512, "0.0512"),
        (0.9996, "1.000"),
        (0.213, "0.213"),
        (8.314, "8.31"),
        (74.25, "74.2"),
        (1254000.4, "1,254,000"),
    ],
)
def test_figures(value: float, text: str) -> None:
    assert table.figure(value) == text


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.floats(min_value=0.01, max_value=1e9))
def test_a_figure_is_close_to_its_value(value: float) -> None:
    assert float(table.figure(value).replace(",", "")) == pytest.approx(value, rel=0.006, abs=5e-5)


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (2, "2"), (2.5, "2.50"), (12345, "12,345")])
def test_counts_are_exact(count: float, text: str) -> None:
    assert table.exact(count) == text


def test_a_change_of_speed_is_told() -> None:
    steady = make_run("microkernel")
    floors = replace(steady.floors, method_call_boots_us=(0.02,) * 10 + (0.04,) * 10)
    shown = table.render(replace(steady, floors=floors), 200).replace("\n", " ")
    assert "a method call took 0.0200 to 0.0400 µs" in shown
