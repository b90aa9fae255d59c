"""Every workload, under both kernels: it does what it says, and leaves nothing behind."""

from pathlib import Path

import pytest

from kernels import boot
from lab.measuring import count, running
from lab.refusal import Failure
from servers.disk import Disk
from servers.filesystem import FileSystem
from servers.memory import MemoryManager
from tests.conftest import eventually
from workloads import tree
from workloads.catalogue import catalogue
from workloads.workload import Workload

KERNELS = ("monolithic", "microkernel")
LOCAL = {"load", "store", "slice-load", "slice-store"}
"""What the MMU, on the user's side, does alone."""
LARGE = {"fork-100000"}
"""What differs from a smaller one in nothing but its size, which takes many seconds."""
MICRO = [
    one
    for one in catalogue().values()
    if not one.macro and not one.spawns and one.name not in LARGE
]
SPAWNING = [one for one in catalogue().values() if one.spawns]


def quick(workload: Workload) -> Workload:
    return workload.with_options(workload.quick)


@pytest.mark.parametrize("kernel", KERNELS)
def test_micro_workloads_can_follow_each_other(kernel: str) -> None:
    services = {service for one in MICRO for service in one.services}
    with boot(kernel, *services, count=True) as system:
        files, memory = system[FileSystem], system[MemoryManager]
        before = files.listdir("/"), files.statvfs("/"), memory.meminfo()
        for one in MICRO:
            with running(one, system) as operation:
                cost = count(operation, system, 2)
            silent = kernel == "monolithic" or one.name in LOCAL
            assert silent == (cost.messages == 0), one.name
        assert (files.listdir("/"), files.statvfs("/"), memory.meminfo()) == before


@pytest.mark.parametrize("kernel", KERNELS)
def test_workloads_of_programs_can_follow_each_other(kernel: str) -> None:
    services = {service for one in SPAWNING for service in one.services}
    with boot(kernel, *services, count=True, users="process") as system:
        files = system[FileSystem]
        before = files.listdir("/"), files.statvfs("/")
        for one in SPAWNING:
            with running(one, system) as operation:
                silent = one.name == "host-fork"  # it is the host's alone
                assert silent == (count(operation, system, 1).messages == 0), one.name
        eventually(lambda: (files.listdir("/"), files.statvfs("/")) == before, "programs leave")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    files = {"b/c/deep": bytes(70_000), "a": b"", "b/x": b"x", "site-packages/guest": b"-"}
    for name, data in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "link").symlink_to("a")
    return tmp_path


def test_a_tree_is_gathered_in_order(source: Path) -> None:
    gathered = tree.gather(source, 10)
    assert gathered.folders == ("b", "b/c")
    assert list(gathered.files) == ["a", "b/c/deep", "b/x"]
    assert list(tree.gather(source, 1).files) == ["a"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_tree_import(kernel: str, source: Path) -> None:
    small = catalogue()["tree-import"].with_options({"tree": str(source)})
    with boot(kernel, FileSystem) as system, running(small, system) as operation:
        found = operation.call()
        operation.check(found)
        assert list(found) == ["a", "b/c/deep", "b/x"]


def test_an_empty_tree_is_refused(tmp_path: Path) -> None:
    empty = catalogue()["tree-import"].with_options({"tree": str(tmp_path)})
    with (
        boot("monolithic", FileSystem) as system,
        pytest.raises(Failure, match="has no files"),
        running(empty, system),
    ):
        pass


def test_a_full_disk_ends_the_run() -> None:
    big = catalogue()["write-1m-by-64k"]
    with (
        boot("monolithic", FileSystem, config={Disk: {"blocks": 256}}) as system,
        pytest.raises(Failure, match=r"write-1m-by-64k: .*"),
        running(big, system) as operation,
    ):
        operation.call()
