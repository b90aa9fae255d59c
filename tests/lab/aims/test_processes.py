"""The aims of processes are worked out from the rows of a run."""

from lab.aims.processes import standing
from lab.selection import chosen, runs
from tests.lab.runs import made_up

NAMES = ("spawn-first", "host-fork", "clients-8", "pipe-64k")


def test_the_aim_is_said_to_be_missed_only_where_it_is() -> None:
    assert "missed" not in standing(made_up(NAMES, us=1.0, noise=0.0))
    assert standing(made_up(NAMES[1:], us=1.0, noise=0.0)).startswith("a second")


def test_what_happens_a_second() -> None:
    lines = standing(made_up(NAMES, us=2.0, factor=2.0, noise=0.0)).splitlines()
    (looks,) = [line for line in lines if line.startswith("looks of 8 programs")]
    assert looks.split()[-2:] == ["500,000", "250,000"]
    (pipe,) = [line for line in lines if line.startswith("MiB")]
    assert pipe.split()[-2:] == ["31,250", "15,625"]


def test_a_run_of_more_than_processes_says_nothing_of_it() -> None:
    assert not standing(made_up(("null", "spawn-first")))


def test_a_trap_is_a_message_in_one_run_and_a_call_in_the_other() -> None:
    (programs, first), (threads, second) = runs(chosen(["processes"]), "inline")
    assert (first, second) == ("process", "inline")
    assert all(one.spawns for one in programs)
    assert {one.name for one in threads} == {f"callers-{count}" for count in (1, 2, 4, 8)}
    assert [users for _, users in runs(chosen(["processes"]), "process")] == ["process"]
    assert [users for _, users in runs(chosen(["null"]), "inline")] == ["inline"]
