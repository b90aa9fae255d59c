"""The shell and its programs do what the host's do: the same scripts, output and status."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KERNELS, Kernel
from tests.workloads.shell_machine import DASH, Machine, boot, on_host

SCRIPTS = Path(__file__).with_name("shell_scripts.txt").read_text().split("\n---\n")
MONOLITHIC, MICROKERNEL = (k for k in KERNELS if k.name in {"monolithic-process", "microkernel"})
pytestmark = pytest.mark.skipif(DASH is None, reason="needs dash, a package of Debian")


@pytest.fixture(scope="module", params=[MONOLITHIC, MICROKERNEL], ids=lambda kernel: kernel.name)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    kernel: Kernel = request.param
    with boot(kernel) as system:
        machine = Machine(system)
        yield machine
        machine.process.leave(0)


@pytest.fixture
def half(request: pytest.FixtureRequest) -> int:
    return int("microkernel" in request.node.name)


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


def _compare(machine: Machine, scripts: list[str], folder: Path) -> None:
    wrong = []
    for number, script in enumerate(scripts):
        work = folder / str(number)
        work.mkdir()
        ours, theirs = machine.sh(script), on_host(script, work)
        if ours != theirs:
            wrong.append(f"{script}\n  ours:     {ours}\n  the host: {theirs}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("part", range(3))
def test_scripts(machine: Machine, half: int, part: int, tmp_path: Path) -> None:
    """Each kernel carries out one half of them."""
    _compare(machine, SCRIPTS[half::2][part::3], tmp_path)


def test_a_pipeline_of_three_processes(machine: Machine) -> None:
    assert machine.sh("ls -R / | grep cat | wc -l", directory="/").output == b"1\n"


def test_a_bad_script_ends_with_status_2(machine: Machine) -> None:
    for script in ("if", "echo (", "echo 'open", "a | | b", "&& a", "for 1 in a; do :; done"):
        assert machine.sh(script).status == 2, script


def test_a_large_here_document(machine: Machine, tmp_path: Path) -> None:
    text = "line\n" * 20_000
    _compare(machine, [f"wc <<E\n{text}E\n"], tmp_path)


def test_a_subshell_knows_what_the_shell_knows(machine: Machine, tmp_path: Path) -> None:
    script = (
        'x="a  b"; f() { echo "f $1 $x"; }; set -- one "two  three"; '
        '(echo "$x" "$2" $#; f "$1"; x=changed; exit 3); echo $? "$x"; echo "$(f "$2")"; f q | cat'
    )
    _compare(machine, [script], tmp_path)
