"""Availability: what was promised is looked after, and the run says what happened."""

import errno
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lab import environment
from lab.availability import clients
from lab.availability import course as saved
from lab.availability.course import STEP_S, Availability, Course, Kill
from lab.availability.house import KERNELS, run, schedule
from lab.availability.show import SUMS, told
from lab.environment import Setting
from lab.figures import Interval, draw_intervals
from lab.placement import Cpus
from lab.refusal import Failure, Refusal
from lab.report import plain
from lab.report.chapters import compose
from tests.lab.runs import made_up

SECONDS, EVERY_S = 2.0, 0.6

draw_intervals("", "", {"a": {"b": Interval(1, 1, 1)}}, label="")
"""Matplotlib keeps the files of its fonts open from the first drawing on."""


@pytest.fixture
def made() -> Availability:
    """Ten steps; one kernel was down for half of them."""
    monolithic = Course(
        kernel="monolithic",
        served=(9, 9, 9, 0, 0, 0, 0, 0, 9, 9),
        kills=(Kill(0.3, "Disk", 0.5),),
        errors=3,
        wrong=0,
        lost=2,
        broken=0,
        boots=2,
    )
    microkernel = msgspec.structs.replace(
        monolithic,
        kernel="microkernel",
        served=(5,) * 10,
        kills=(Kill(0.3, "Disk", 0.01),),
        errors=0,
        lost=0,
        boots=1,
    )
    setting = Setting("one", Cpus(0, 0), 1, 1, True, "twinos availability")
    return Availability(
        environment=environment.describe(setting, (0.0, 0.0, 0.0)),
        clients=2,
        reboot_s=0.0,
        courses=(monolithic, microkernel),
    )


def test_a_schedule_is_repeated_by_its_seed() -> None:
    kills = schedule(20, 2, 7)
    assert kills == schedule(20, 2, 7)
    assert kills != schedule(20, 2, 8)
    assert len(kills) in range(7, 13)
    assert all(2 <= at <= 19 for at, _ in kills)
    assert {service for _, service in schedule(200, 2, 7)} == {"FileSystem", "Disk"}


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_was_promised_is_there(kernel: str) -> None:
    kills = schedule(SECONDS, EVERY_S, 1)
    found = run(kernel, SECONDS, kills, clients=2, seed=1, reboot_s=0.0)
    assert len(found.served) == round(SECONDS / STEP_S)
    assert sum(found.served) > 10
    assert [kill.service for kill in found.kills] == [service for _, service in kills]
    assert all(kill.down_s > 0 for kill in found.kills)
    assert (found.wrong, found.broken) == (0, 0)
    if kernel == "microkernel":
        assert (found.errors, found.lost, found.boots) == (0, 0, 1)
    else:
        assert found.boots == 1 + len(kills)
        assert found.errors, "somebody saw the system die"


def test_a_client_that_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(*_: object) -> None:
        raise PermissionError(errno.EPERM, "not this")

    monkeypatch.setattr(clients, "put", put)
    with pytest.raises(Failure, match=r"client 1 ended: .*not this"):
        run("microkernel", 0.3, [], clients=1, seed=1, reboot_s=0.0)


def test_outages_that_overlap_count_once(made: Availability) -> None:
    (course, other) = made.courses
    assert course.available == pytest.approx(0.5)
    twice = msgspec.structs.replace(course, kills=(*course.kills, Kill(0.5, "Disk", 0.3)))
    assert twice.down_s == pytest.approx(course.down_s)
    assert other.available == pytest.approx(0.99)
    assert course.per_second[0] == 90


def test_a_run_is_told(made: Availability) -> None:
    text = "\n".join(told(made))
    assert "\n███     ██\n" in text
    assert "\n   v\n" in text
    assert "files lost since the last sync" in text
    assert "50 %" in text.replace("50.0 %", "50 %")
    page = plain.markdown(compose([made_up(["null"], host=made.environment.host)], (), None, made))
    for name in SUMS:
        assert f"| {name} |" in page
    assert "| 0.3 | Disk | 500 | 10.0 |" in page
    summary = page.partition("In plain words")[2].partition("## Environment")[0]
    assert "killed 1 times, the monolithic kernel served 45 requests and failed 3" in summary
    costs_alone = "Here only costs were measured."
    assert costs_alone not in summary
    assert costs_alone in plain.markdown(compose([made_up(["null"])]))


def test_it_is_read_as_it_was_written(made: Availability, tmp_path: Path) -> None:
    path = tmp_path / "run.availability"
    path.write_bytes(msgspec.json.encode(made))
    assert saved.load(path) == made
    path.write_bytes(msgspec.json.encode(made)[:-9])
    with pytest.raises(Refusal, match="is no run"):
        saved.load(path)
    with pytest.raises(Refusal, match="No such file"):
        saved.load(tmp_path / "missing")
    with pytest.raises(Refusal, match="of another host"):
        compose([made_up(["null"], host="elsewhere")], (), None, made)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seconds", "-1"], "'-1' is no time"),
        (["--seconds", "nan"], "'nan' is no time"),
        (["--seconds", "1"], "nothing would be killed"),
        (["--kill-every", "0"], "time"),
        (["--kernel", "mono"], "there is no kernel to try 'mono'"),
        (["--clients", "0"], "'0' is no whole number above 0"),
        (["-o", "no/where.html"], "there is no folder for it"),
    ],
)
def test_bad_arguments_get_a_sentence(
    refused: Callable[..., str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refused("availability", *arguments)
