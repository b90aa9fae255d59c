"""Tests that share processes are reported as if there were one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFTEST = "from tests.jobs import pytest_addoption, pytest_runtestloop\n"
MODULES = {
    "a": "def test_fine(): print('hidden')\ndef test_wrong(): print('seen'); assert 1 + 1 == 3\n",
    "b": "import pytest\n@pytest.mark.skip(reason='not now')\ndef test_left_out(): pass\n",
    "c": """
import os, pytest
@pytest.fixture(scope="module")
def shared():
    yield os.getpid()
    raise RuntimeError("taken down once")
@pytest.mark.parametrize("_", range(3))
def test_one_process_has_all_of_a_module(_, shared): assert shared == os.getpid() != os.getppid()
""",
    "d": "import os, signal\ndef test_ends(): os.kill(os.getpid(), signal.SIGKILL)\n",
}


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    base = f"--basetemp={tmp_path}/base"
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--jobs", "2", base]


def run(asked: list[str], folder: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [*asked, *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_becomes_of_tests_is_told(asked: list[str], tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"test_{name}.py").write_text(MODULES[name])
    status, said = run(asked, tmp_path, "-rs")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 4 passed, 1 skipped, 1 error" in said
    assert "test_b.py:2: not now" in said
    assert "taken down once" in said
    assert "seen" in said
    assert "hidden" not in said


def test_a_process_that_dies_is_a_failure(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_d.py").write_text(MODULES["d"] + "def test_never(): pass\n")
    (tmp_path / "test_e.py").write_text("def test_fine(): pass\n")
    status, said = run(asked, tmp_path)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "test_d.py::test_ends - the process that ran it has ended: -9" in said
    assert "2 tests were not run" in said
    assert "1 failed, 1 passed" in said


def test_the_first_failure_may_be_the_last(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_no(): assert False\ndef test_yes(): pass\n")
    status, said = run(asked, tmp_path, "-x")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "stopping after 1 failures" in said
    assert "passed" not in said


def test_an_interrupt_ends_all(asked: list[str], tmp_path: Path) -> None:
    hearing, telling = os.pipe()
    for name in "ab":
        code = f"import os, time\ndef test_long(): os.write({telling}, b'.'); time.sleep(100)\n"
        (tmp_path / f"test_{name}.py").write_text(code)
    with subprocess.Popen(
        asked,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(telling,),
    ) as session:
        os.close(telling)
        assert os.read(hearing, 1) == os.read(hearing, 1) == b"."  # both are at work
        os.killpg(session.pid, signal.SIGINT)
        assert session.wait(60) == pytest.ExitCode.INTERRUPTED
    assert os.read(hearing, 1) == b""  # and nobody is any more
    os.close(hearing)
