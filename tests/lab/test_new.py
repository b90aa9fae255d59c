"""`twinos new service`: what it writes works, where it is written and as it is."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lab import cli
from tests.tree import ROOT, copy_to


def new(project: Path, *arguments: str) -> int:
    return cli.main(["new", "service", *arguments, "--project", str(project)])


def run(project: Path, path: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{path}:{ROOT}" if path != ROOT else str(project)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return copy_to(tmp_path)


def test_a_service_of_twinos(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(tree, "key_cache", "--depends", "disk,memory_manager") == 0
    assert "wrote servers/key_cache.py" in capsys.readouterr().out
    assert "5 passed" in run(tree, ROOT, "pytest", "-q", "tests/servers/test_key_cache.py")
    assert "may call: Disk, MemoryManager" in run(tree, ROOT, "lab", "services", "KeyCache")
    said = run(tree, ROOT, "lab", "run", "key-cache-echo-4k", "--kernel", "microkernel")
    assert "2 messages" in said
    checked = ("servers", "workloads", "tests/servers")
    run(tree, ROOT, "ruff", "check", *(f"{folder}" for folder in checked))
    run(tree, ROOT, "ruff", "format", "--check", *checked)
    run(tree, ROOT, "mypy", "-p", "servers", "-p", "workloads")


def test_a_project_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    assert new(project, "plain") == new(project, "key_cache", "--depends", "clock,clock") == 0
    assert "pip install -e . pytest hypothesis" in capsys.readouterr().out
    assert (project / "key_cache.py").read_text().count("import Clock") == 1
    install(project, site)
    path = Path(f"{project}:{site}")
    assert "10 passed" in run(project, path, "pytest", "-q")
    assert "KeyCache (key_cache)" in run(project, path, "lab", "services", "KeyCache")
    for name in ("key-cache", "plain"):
        assert "2 messages" in run(
            project, path, "lab", "run", f"{name}-echo-1", "--kernel", "microkernel"
        )


def install(project: Path, site: Path) -> None:
    """What an installer does with a project's entry points."""
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    folder = site / "project-0.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Name: {declared['name']}\nVersion: 0.1.0\n")
    lines = []
    for group, entries in declared["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Clock"], "'Clock' can't be a service's file: write it like key_cache."),
        (["clock"], "there is a service Clock already, in servers.clock."),
        (["class"], "'class' can't be"),
        (["../up"], "'../up' can't be"),
        (["fine", "--depends", "dsk"], "there is no service 'dsk'; did you mean 'Disk'?"),
        (["taken"], "taken.py is there already."),
        (["folder"], "folder is there already."),
        (["queue"], "'queue' is a module already"),
        (["fine"], "is no TOML"),
    ],
)
def test_what_can_not_be_made(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken.py").write_text("mine")
    (tmp_path / "folder").mkdir()
    if arguments == ["fine"]:
        (tmp_path / "pyproject.toml").write_text("[project")
    before = sorted(tmp_path.iterdir())
    assert new(tmp_path, *arguments) == cli.REFUSED
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before, "nothing was written"


def test_an_entry_point_that_is_no_service_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "wrong-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: wrong\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[twinos.services]\nwrong = os:sep\n")
    done = subprocess.run(
        [sys.executable, "-m", "lab", "services"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == cli.REFUSED
    assert done.stderr == "twinos: the entry point 'wrong' (os:sep) is no service.\n"
