"""The command line, as somebody at a terminal meets it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from select import select

import pytest

import lab
from lab import cli, schema

ROOT = Path(lab.__file__).parent.parent
TWINOS = [sys.executable, "-P", "-m", "lab"]
DEADLINE = 30

Twinos = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def twinos(tmp_path: Path) -> Twinos:
    """Runs the command line in an empty folder."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TWINOS, *arguments],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    return run


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.count("\n") == 1
    return captured.err.rstrip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bench", "nul"], "twinos: there is no workload 'nul'; did you mean 'null'?"),
        (["run", "nulll"], "twinos: there is no workload 'nulll'; did you mean 'null'?"),
        (["workloads", "xyzzy"], "twinos: there is no workload 'xyzzy'; `twinos workloads` lists"),
        (["services", "Clok"], "twinos: there is no service 'Clok'; did you mean 'Clock'?"),
        (["bench", "--kernel", "micro"], "twinos: there is no kernel 'micro'; did you mean"),
        (["bench", "--kernel", "Microkernel"], "did you mean 'microkernel'?"),
        (["run", "null", "--kernel", "hybrid"], "twinos: a hybrid says what shares an address"),
        (
            ["run", "null", "--kernel", "hybrid:clok+disk"],
            "no service 'clok'; did you mean 'Clock'?",
        ),
        (["run", "null", "--kernel", "hybrid:clock,clock"], "Clock is in two groups"),
        (["run", "null", "--groups", "clock"], "--groups goes with --kernel hybrid."),
        (["bench", "null", "--groups", "clock"], "--groups goes with --kernel hybrid."),
        (
            ["bench", "null", "--kernel", "hybrid:clock", "--groups", "clock"],
            "--groups goes with --kernel hybrid.",
        ),
        (
            ["run", "null", "--kernel", "hybrid@routed", "--groups", "clok"],
            "there is no service 'clok'",
        ),
        (["run", "null", "--kernel", "monolithic:clock"], "monolithic takes no groups"),
        (["bench", "--kernel", "microkernel", "--kernel", "microkernel"], "one kernel twice"),
        (["run", "null", "--set", "size"], "twinos: --set takes NAME=VALUE, not 'size'."),
        (["run", "null", "--set", "size=3"], "twinos: there is no option 'size'"),
        (["run", "tree-import", "--set", "files=many"], "files of tree-import is a number"),
        (["run", "memory"], "twinos: memory is a group; run one of map-1"),
    ],
)
def test_what_there_is_not(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.REFUSED
    assert said in sentence(capsys)


@pytest.mark.parametrize(
    "arguments",
    [[], ["bnch"], ["bench", "--boots", "0"], ["bench", "--boots", "x"], ["bench", "--fast"]],
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == cli.REFUSED
    assert "--help" in sentence(capsys)


def test_two_processors_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert cli.main(["bench", "null", "--placement", "two"]) == cli.REFUSED
    assert "two needs two processors" in sentence(capsys)


@pytest.mark.parametrize("command", [None, *cli.COMMANDS])
def test_help(command: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"] if command else ["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert command or all(name in shown for name in cli.COMMANDS)


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'msgspec', 'tabulate', 'tqdm', 'kernels', 'servers'} & set(sys.modules)"
    program = f"import sys; from lab import cli\ntry: cli.main(['--help'])\nfinally: print({heavy})"
    shown = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, check=True
    )
    assert shown.stdout.endswith(b"set()\n")


def test_version(twinos: Twinos) -> None:
    shown = twinos("--version")
    assert shown.returncode == 0
    assert shown.stdout.startswith("twinos ")


def test_services(twinos: Twinos) -> None:
    overview = twinos("services")
    assert overview.returncode == 0
    for service in ("Clock", "Disk", "FileSystem", "MemoryManager"):
        assert f"\n{service}" in overview.stdout
    assert "Operations " not in overview.stdout, "bases of services are no services"
    detail = twinos("services", "memorymanager").stdout
    assert "regions: frames, tables" in detail
    assert "pages: int = " in detail
    assert "\nmunmap(space: int, address: int, length: int) -> None" in detail
    assert "[knows the caller]" in detail


def test_workloads(twinos: Twinos) -> None:
    overview = twinos("workloads")
    assert overview.returncode == 0
    for name in ("null", "pread-4k", "fault-cow", "tree-import"):
        assert f" {name} " in overview.stdout
    assert "option: files = 0" in twinos("workloads", "tree-import").stdout


def test_run(twinos: Twinos) -> None:
    shown = twinos("run", "null", "--kernel", "microkernel")
    assert shown.returncode == 0, shown.stderr
    assert "2 messages" in shown.stdout
    assert "µs per operation" in shown.stdout


def test_bench_end_to_end(twinos: Twinos, tmp_path: Path) -> None:
    hybrid = "hybrid:filesystem+disk"
    kernels = ("--kernel", "monolithic", "--kernel", "microkernel", "--kernel", hybrid)
    shown = twinos(
        "bench", "null", "--quick", "--boots", "1", "--seed", "7", "--json", "x.json", *kernels
    )
    assert shown.returncode == 0, shown.stderr
    assert "messages" in shown.stdout
    assert "boot 1 of 6" in shown.stderr
    (saved,) = (tmp_path / "results" / "runs").iterdir()
    assert saved.name in shown.stderr
    assert saved.read_bytes() == (tmp_path / "x.json").read_bytes()
    run = schema.load(saved)
    assert run.environment.seed == 7
    assert [(row.kernel, row.transport, row.messages_per_op) for row in run.rows] == [
        ("monolithic", "call", 0),
        ("microkernel", "pipe", 2),
        (hybrid, "pipe", 2),
    ]
    assert [(ratio.kernel, ratio.over) for ratio in run.ratios] == [
        ("microkernel", "monolithic"),
        (hybrid, "monolithic"),
    ]
    assert all(row.median_us > 0 and row.ci95_us is None for row in run.rows)
    assert run.floors.method_call_us > 0
    assert run.floors.pipe_round_trip_us > 0
    assert [aim.over for aim in run.aims] == ["method call", "pipe round trip", "pipe round trip"]


def test_bench_by_another_transport(twinos: Twinos) -> None:
    arguments = ["--quick", "--boots", "1", "--transport", "ring", "--json", "-"]
    run = schema.from_json(twinos("bench", "null", *arguments).stdout)
    assert [(row.kernel, row.transport) for row in run.rows] == [
        ("monolithic", "call"),
        ("microkernel@ring", "ring"),
    ]
    refused = twinos("bench", "null", "--kernel", "microkernel@rings")
    assert refused.returncode == 2
    assert refused.stderr == "twinos: there is no transport 'rings'; did you mean 'ring'?\n"


def test_json_to_standard_output(twinos: Twinos) -> None:
    shown = twinos(
        "bench", "null", "--quick", "--boots", "1", "--kernel", "monolithic", "--json", "-"
    )
    assert schema.from_json(shown.stdout).ratios == ()


@pytest.mark.parametrize("arguments", [["workloads"], ["--help"], ["services", "--help"]])
def test_a_closed_pipe_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    with subprocess.Popen(
        [*TWINOS, *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=sink,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(sink)
        _, said = process.communicate(timeout=DEADLINE)
    assert said == ""


def test_where_a_run_cannot_be_saved_is_said(twinos: Twinos, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    shown = twinos("bench", "null", "--quick", "--boots", "1")
    assert shown.returncode == cli.FAILED
    assert "µs" in shown.stdout
    assert shown.stderr.splitlines()[-1].startswith("twinos: the run could not be saved as ")
    assert "Traceback" not in shown.stderr


def test_a_package_that_shadows_ours_is_named(tmp_path: Path) -> None:
    intruder = tmp_path / "kernels"
    intruder.mkdir()
    (intruder / "__init__.py").touch()
    shown = subprocess.run(
        [sys.executable, "-P", "-m", "lab", "services"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == cli.REFUSED
    assert shown.stderr.startswith(f"twinos: 'kernels' is imported from {intruder} instead of ")
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("folder", "command", "said"),
    [
        ("servers", ["services"], "servers.broken can't be loaded: ContractError: Broken.f: "),
        ("workloads", ["run", "null"], "the workloads can't be loaded: SyntaxError: "),
    ],
)
def test_broken_code_is_named(folder: str, command: list[str], said: str, tmp_path: Path) -> None:
    """A service or workload that somebody is still writing."""
    broken = {
        "servers": "from twinos import *\nclass Broken(Service):\n    @op\n    def f(self): ...",
        "workloads": "def",
    }
    for package in ("twinos", "kernels", "servers", "workloads", "lab"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / folder / "broken.py").write_text(broken[folder])
    shown = subprocess.run(
        [*TWINOS, *command],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == cli.REFUSED
    assert shown.stderr.startswith(f"twinos: {said}")
    assert shown.stderr.count("\n") == 1
    assert f"{folder}/broken.py:" in shown.stderr


@pytest.fixture
def benching(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A `twinos bench` in a session of its own, some boots after its start."""
    process = subprocess.Popen(
        [*TWINOS, "bench", "null", "--kernel", "microkernel", "--boots", "1000", "--anyway"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert "boot 1 of" in process.stderr.readline()
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert_all_end(others_of(process.pid))


def others_of(session: int) -> list[int]:
    """Open descriptors of the processes of a session, but not of its leader."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    found = []
    for pid in pids:
        try:
            if pid != session and os.getsid(pid) == session:
                found.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    return found


def assert_all_end(processes: list[int]) -> None:
    for process in processes:
        assert select([process], [], [], DEADLINE)[0], "a process is left behind"
        with suppress(ChildProcessError):  # ours now, if its parent has died
            os.waitid(os.P_PIDFD, process, os.WEXITED)
        os.close(process)


@pytest.mark.parametrize("everybody", [True, False], ids=["group", "leader"])
def test_interrupt(benching: subprocess.Popen[str], everybody: bool) -> None:
    while not (others := others_of(benching.pid)):
        pass
    if everybody:
        os.killpg(benching.pid, signal.SIGINT)
    else:
        benching.send_signal(signal.SIGINT)
    shown, said = benching.communicate(timeout=DEADLINE)
    assert benching.returncode == cli.INTERRUPTED
    assert shown == ""
    assert said.splitlines()[-1] == "twinos: interrupted."
    assert "Traceback" not in said
    assert_all_end(others)


def test_kill(benching: subprocess.Popen[str]) -> None:
    while not (others := others_of(benching.pid)):
        pass
    benching.kill()
    assert_all_end(others)
