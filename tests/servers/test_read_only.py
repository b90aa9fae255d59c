"""On a disk that is only read everything can be seen, and nothing changes."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernels import System, boot
from servers.disk import Disk, Extent
from servers.filesystem import FileSystem
from tests.conftest import Kernel
from tests.servers.images import read_file, write_file
from tests.servers.oracle import outcome

CHANGES: list[Callable[[Any], Any]] = [
    lambda fs: fs.mkdir("/new"),
    lambda fs: fs.rmdir("/folder/empty"),
    lambda fs: fs.unlink("/file"),
    lambda fs: fs.rename("/file", "/folder/file"),
    lambda fs: fs.link("/file", "/again"),
    lambda fs: fs.symlink("/file", "/symbolic"),
    lambda fs: fs.mknod("/node"),
    lambda fs: fs.mkfifo("/fifo"),
    lambda fs: fs.chmod("/file", 0o600),
    lambda fs: fs.chown("/file", 1, 1),
    lambda fs: fs.lchown("/link", 1, 1),
    lambda fs: fs.utime("/file", ns=(0, 0)),
    lambda fs: fs.truncate("/file", 1),
    lambda fs: fs.open("/file", os.O_WRONLY),
    lambda fs: fs.open("/file", os.O_RDWR),
    lambda fs: fs.open("/file", os.O_RDONLY | os.O_TRUNC),
    lambda fs: fs.open("/new", os.O_RDONLY | os.O_CREAT),
    lambda fs: fs.fchmod(fs.open("/file", os.O_RDONLY), 0o600),
    lambda fs: fs.fchown(fs.open("/folder", os.O_RDONLY), 1, 1),
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("disk") / "image")
    config = {Disk: {"image": path, "blocks": 300}, FileSystem: {"time": 1_000_000_000}}
    with boot("monolithic", FileSystem, config=config) as system:
        files = system[FileSystem]
        files.mkdir("/folder")
        files.mkdir("/folder/empty")
        write_file(files, "/file", b"content")
        files.symlink("/file", "/link")
    return path


@pytest.fixture
def system(kernel: Kernel, image: str) -> Iterator[System]:
    before = Path(image).read_bytes()
    with kernel.boot(FileSystem, config={Disk: {"image": image, "read_only": True}}) as booted:
        yield booted
    assert Path(image).read_bytes() == before


def test_whatever_changes_something_is_refused(system: System) -> None:
    files: Any = system[FileSystem]
    for number, change in enumerate(CHANGES):
        assert outcome(change, files) == ("error", errno.EROFS), number
    assert sorted(files.listdir("/")) == ["file", "folder", "link"]


def test_the_rest_works_and_leaves_no_trace(system: System) -> None:
    files = system[FileSystem]
    assert read_file(files, "/link") == b"content"
    assert files.listdir("/folder") == ("empty",)
    assert files.stat("/file").st_atime == 1_000_000_000
    assert files.open("/file", os.O_RDONLY | os.O_CREAT) >= 3
    assert files.statvfs("/").f_flag & os.ST_RDONLY
    assert files.access("/file", os.R_OK)
    assert not files.access("/file", os.W_OK)
    files.sync()


def test_the_error_names_the_files(system: System) -> None:
    with pytest.raises(OSError, match="Read-only") as caught:
        system[FileSystem].rename("/file", "/other")
    assert (caught.value.filename, caught.value.filename2) == ("/file", "/other")


def test_the_disk_itself_refuses(image: str) -> None:
    with boot("monolithic", Disk, config={Disk: {"image": image, "read_only": True}}) as system:
        disk: Any = system[Disk]
        assert not disk.writable()
        assert outcome(disk.write, 0, bytes(1024)) == ("error", errno.EROFS)
        assert outcome(disk.writev, (Extent(0, 1),), bytes(1024)) == ("error", errno.EROFS)
        disk.flush()
    with pytest.raises(OSError, match="can't be erased"):
        boot("monolithic", Disk, config={Disk: {"erase": True, "read_only": True}})


def test_it_makes_no_image_and_no_file_system(tmp_path: Path, kernel: Kernel) -> None:
    missing, blank = tmp_path / "missing", tmp_path / "blank"
    config: Any = {Disk: {"image": str(missing), "blocks": 100, "read_only": True}}
    with pytest.raises(FileNotFoundError):
        kernel.boot(Disk, config=config)
    assert not missing.exists()
    blank.write_bytes(bytes(100 * 1024))
    with pytest.raises(OSError, match="Read-only"):
        kernel.boot(FileSystem, config={Disk: {"image": str(blank), "read_only": True}})
    assert blank.read_bytes() == bytes(100 * 1024)
