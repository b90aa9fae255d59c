"""`twinos privileges`, and that what it prints is what kernels do."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest

from kernels import User, boot
from kernels.boot import observers
from lab import learning
from lab.catalogue import services
from lab.cli import main
from lab.commands.privileges import listed
from servers.disk import Disk
from servers.filesystem import FileSystem
from tests.conftest import Kernel
from twinos import Service, only, operations


def test_the_table_says_that_the_disk_is_internal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["privileges", "disk"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert ["root", "Disk", "all", "store"] in lines
    assert any(line[:2] == ["FileSystem", "Disk"] for line in lines)
    assert not any(line[0] == "user" for line in lines)


def test_json_names_every_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["privileges", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    of_user = {row["service"]: row["operations"] for row in rows if row["client"] == "user"}
    assert "Disk" not in of_user
    assert of_user["FileSystem"] == list(operations(FileSystem))


def test_an_unknown_service_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["privileges", "Disc"]) == 2
    assert "Disk" in capsys.readouterr().err


@pytest.mark.parametrize("kernel", ["monolithic", "microkernel"])
def test_what_is_listed_is_what_the_kernels_do(kernel: str) -> None:
    rows = {(row.client, row.service) for row in listed(services().values())}
    calls: dict[str, Callable[[User], object]] = {
        "FileSystem": lambda user: user[FileSystem].stat("/"),
        "Disk": lambda user: user[Disk].geometry(),
    }
    with boot(kernel, FileSystem) as system, system.user(uid=1000) as user:
        for name, call in calls.items():
            for who, client in (("root", system), ("user", user)):
                refused = None
                try:
                    call(client)
                except PermissionError as error:
                    refused = error.errno
                assert refused == (None if (who, name) in rows else errno.EPERM)


PROGRAM = """
from typing import Annotated

from kernels import boot
from servers.disk import Disk
from twinos import Service, only, op


class Reader(Service):
    def __init__(self, disk: Annotated[Disk, only("read", "write")], other: Disk) -> None:
        self._disk = disk

    @op
    def first(self) -> bytes:
        return self._disk.read(0)


if __name__ == "__main__":
    for kernel in ("monolithic", "microkernel"):
        with boot(kernel, Reader, config={Disk: {"blocks": 8}}) as system:
            system[Reader].first()
"""


def test_a_recorder_sees_the_same_under_every_kernel(kernel: Kernel) -> None:
    with learning.recording() as used:
        assert not used()
        with kernel.boot(FileSystem) as system:
            system[FileSystem].mkdir("/a")
        seen = used()
    assert {each for each in seen if each[0] == "root"} == {("root", "FileSystem", "mkdir")}
    disk = {name for client, service, name in seen if (client, service) == ("FileSystem", "Disk")}
    assert disk == {"geometry", "writable", "read", "readv", "writev", "flush", "blank"}
    assert not observers


def test_what_is_learned_is_the_least_that_would_do() -> None:
    class Client(Service):
        def __init__(self, some: Annotated[Disk, only("read", "flush")], every: Disk) -> None:
            del some, every

    used = {("Client", "Disk", name) for name in ("read", "blank")} | {("root", "Disk", "flush")}
    some, every = learning.lessons([Client, FileSystem], used)
    assert (some.allowed, some.used, some.too_much) == (("read", "flush"), ("read",), ("flush",))
    assert some.manifest == 'some: Annotated[Disk, only("read")]'
    assert every.manifest == 'every: Annotated[Disk, only("read", "blank")]'
    assert "write" in every.too_much
    all_used = {("Client", "Disk", name) for name in operations(Disk)}
    assert [lesson.manifest for lesson in learning.lessons([Client], all_used)] == [
        'some: Annotated[Disk, only("read", "flush")]',
        "every: Disk",
    ]


def test_no_handle_to_the_disk_is_wider_than_it_must_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["privileges", "Disk", "--learn", "--check"]) == 0
    assert capsys.readouterr().out.startswith("FileSystem, of Disk:\n    disk: Annotated[Disk, on")


def test_learning_from_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    learn = ["privileges", "--learn", "--program", str(program)]
    assert main(learn) == 0
    assert capsys.readouterr().out == (
        "Reader, of Disk:\n"
        '    disk: Annotated[Disk, only("read")]\n'
        "    allowed, but not called: write\n"
        "Reader, of Disk:\n"
        '    other: Annotated[Disk, only("read")]\n'
        "    allowed, but not called: geometry, writable, write, readv, writev, flush, blank\n"
    )
    program.write_text(PROGRAM.replace("Reader].first()", "Reader].first() / 0"))
    assert main(learn) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_handle_that_is_too_wide_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    learn = ["privileges", "--learn", "--workload", "keyvalue-get", "--check"]
    assert main([*learn, "FileSystem"]) == 1
    assert "allowed, but not called: " in capsys.readouterr().out
    assert main([*learn, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {row["client"]: row["service"] for row in rows}["KeyValue"] == "FileSystem"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--check"],
        ["--workload", "null"],
        ["--program", "x.py"],
        ["--kernel", "microkernel"],
        ["--learn", "--program", "/nowhere.py"],
        ["--learn", "--workload", "nothing"],
        ["--learn", "--kernel", "exokernel"],
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["privileges", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
