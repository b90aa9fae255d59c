"""`twinos privileges`, and that what it prints is what kernels do."""

import errno
import json
from collections.abc import Callable

import pytest

from kernels import User, boot
from lab.catalogue import services
from lab.cli import main
from lab.commands.privileges import listed
from servers.disk import Disk
from servers.filesystem import FileSystem
from twinos import operations


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
