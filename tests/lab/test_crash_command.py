"""`twinos crash` and `twinos image create --log`, as they are used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import cli
from servers.filesystem.layout import BLOCK_SIZE, Superblock
from servers.filesystem.volume import Volume


def test_a_campaign_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["crash", "--count", "400", "--one-in", "8", "-s", "3"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("promises broken: none\n")
    assert "a log of 48 blocks; seed 3" in out
    assert "again, in recovery" in out


def test_a_broken_promise_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Volume, "sync", lambda *_: None)
    asked = ["crash", "--log", "0", "--count", "300", "--one-in", "8", "-s", "6"]
    assert cli.main(asked) == cli.FAILED
    out = capsys.readouterr().out
    assert "was to last, and has changed" in out
    assert int(out.rpartition("promises broken: ")[2].replace(",", "")) > 0


def test_one_sequence_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["crash", "--show", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith("all before this lasts") for line in lines)
    log = next(at for at, line in enumerate(lines) if line.endswith(": the log"))
    assert lines[log - 1].strip() == lines[log + 1].strip() == "flush"
    assert "write" in lines[log + 2]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--log", "5"], "a log of 5 blocks is too small"),
        (["--log", "-1"], "expected one argument|is no whole number"),
        (["--log", "4000"], "too many"),
        (["--count", "0"], "too few"),
        (["--count", "many"], "no whole number"),
        (["--one-in", "0"], "too few"),
        (["--show", "x"], "no whole number"),
    ],
)
def test_what_there_is_not_is_refused(
    asked: list[str], words: str, refused: Callable[..., str]
) -> None:
    said = refused("crash", *asked)
    assert any(word in said for word in words.split("|"))


@pytest.mark.parametrize(
    ("asked", "log"), [([], 512), (["--log", "0"], 0), (["--log", "100"], 100)]
)
def test_an_image_has_a_log_unless_it_is_left_out(
    asked: list[str], log: int, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    assert cli.main(["image", "create", str(path), *asked]) == 0
    data = path.read_bytes()
    superblock = Superblock.unpack(data[BLOCK_SIZE : 2 * BLOCK_SIZE])
    assert len(data) // BLOCK_SIZE - superblock.zones == log
    assert (data[-BLOCK_SIZE:].startswith(b"TwinOSlg")) == bool(log)


def test_a_log_that_is_too_small_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "image"
    assert cli.main(["image", "create", str(path), "--log", "7"]) == cli.REFUSED
    assert "too small: make it" in capsys.readouterr().err
    assert not path.exists()
