"""Programs of the host on a mounted image; the host's own file system as the oracle."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import cli
from tests.conftest import eventually
from tests.lab import crowd, life
from tests.lab.mounting import Mount, host, is_mounted, make_image, mounted, require_fuse
from tests.servers.images import fsck

LIFE, CROWD = life.__file__ or "", crowd.__file__ or ""
STDLIB = Path(os.__file__).parent
KERNELS = ("monolithic", "microkernel")


@pytest.fixture(scope="module", params=KERNELS)
def mount(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mount]:
    """An image, mounted under each kernel; checked when all is done."""
    require_fuse()
    folder = tmp_path_factory.mktemp("mount")
    folder.chmod(0o755)
    image, directory = make_image(folder / "image"), folder / "directory"
    directory.mkdir()
    with mounted(image, directory, "--kernel", request.param) as running:
        yield running
        assert running.end() == (0, "")
    assert not is_mounted(directory)
    assert cli.main(["image", "check", str(image)]) == 0
    fsck(image)


@pytest.fixture
def place(mount: Mount, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own on the mount."""
    path = mount.directory / request.node.originalname[:60]
    path.mkdir(exist_ok=True)
    return path


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")


@pytest.mark.parametrize("part", life.PARTS)
def test_whatever_a_program_does_is_as_on_the_host(mount: Mount, part: str) -> None:
    ours, hosts = mount.directory / part, Path("/dev/shm") / f"twinos-{os.getpid()}-{part}"  # noqa: S108 (the host's tmpfs)
    said = []
    try:
        for directory in (ours, hosts):
            directory.mkdir()
            directory.chmod(0o755)
            said.append(host(sys.executable, LIFE, part, str(directory), cwd=directory))
    finally:
        shutil.rmtree(hosts, ignore_errors=True)
    assert said[0] == said[1]
    assert said[0].count("\n") > 10


def test_several_users_are_served_as_on_the_host(place: Path) -> None:
    oracle = Path("/dev/shm") / f"twinos-{os.getpid()}-crowd"  # noqa: S108 (the host's tmpfs)
    oracle.mkdir()
    for directory in (place, oracle):
        directory.chmod(0o1777)
    try:
        host(sys.executable, CROWD, str(place), str(oracle), "7", "600", cwd=place)
    finally:
        shutil.rmtree(oracle)


def test_git(place: Path) -> None:
    need("git")
    me = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    env = {**os.environ, "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1"}
    host("git", "init", "-q", "origin", cwd=place, env=env)
    origin, clone = place / "origin", place / "clone"
    for number in range(3):
        (origin / f"file{number}").write_text("line\n" * 1000 * number)
        host("git", "add", ".", cwd=origin, env=env)
        host("git", *me, "commit", "-qm", f"commit {number}", cwd=origin, env=env)
    host("git", "clone", "-q", "origin", "clone", cwd=place, env=env)
    host("git", "mv", "file1", "moved", cwd=clone, env=env)
    host("git", *me, "commit", "-qm", "moved", cwd=clone, env=env)
    assert "missing" not in host("git", "fsck", "--full", "--strict", cwd=clone, env=env)
    host("git", "checkout", "-q", "HEAD~2", cwd=clone, env=env)
    assert host("git", "status", "--short", cwd=clone, env=env) == ""
    assert host("git", "log", "--oneline", "--all", cwd=clone, env=env).count("\n") == 4
    # `git gc` gives its packs names of 66 bytes for a moment; this does the same otherwise.
    tasks = ["--task=loose-objects", "--task=pack-refs"]
    for _ in range(2):  # the second time, what has been packed goes
        host("git", "maintenance", "run", *tasks, cwd=origin, env=env)
    assert host("git", "count-objects", cwd=origin, env=env).startswith("0 objects")
    assert "missing" not in host("git", "fsck", "--full", "--strict", cwd=origin, env=env)


def test_a_name_longer_than_the_format_has_room_for(place: Path) -> None:
    short = place / ("n" * 60)
    short.touch()
    calls: list[Callable[[Path], object]] = [Path.touch, Path.mkdir, Path.stat, short.rename]
    for name in ("n" * 61, "n" * 255, "\u00e9" * 31):
        for call in calls:
            with pytest.raises(OSError, match="too long") as caught:
                call(place / name)
            assert caught.value.errno == errno.ENAMETOOLONG
    assert os.pathconf(place, "PC_NAME_MAX") == 60


def test_tar_there_and_back(place: Path, tmp_path: Path) -> None:
    need("tar", "diff")
    before, after = tmp_path / "before.tar", tmp_path / "after.tar"
    with tarfile.open(before, "w") as tar:
        for name in ("json", "asyncio", "email"):
            tar.add(STDLIB / name, name, filter=lambda m: None if "__pycache__" in m.name else m)
    host("tar", "xf", str(before), cwd=place)
    for name in ("json", "asyncio", "email"):
        host("diff", "-r", "-x", "__pycache__", str(STDLIB / name), name, cwd=place)
    host("tar", "cf", str(after), "json", "asyncio", "email", cwd=place)
    host("tar", "df", str(after), cwd=place)
    host("tar", "df", str(before), cwd=place)


def test_sqlite(place: Path) -> None:
    need("sqlite3")
    for mode in ("delete", "wal"):
        script = f"""
            pragma journal_mode = {mode};
            create table t (a, b);
            with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
                insert into t select i, hex(randomblob(50)) from n;
            delete from t where a % 3 = 0;
            vacuum;
            select count(*) from t;
            pragma integrity_check;"""
        assert host("sqlite3", f"{mode}.db", script, cwd=place).split() == [mode, "2000", "ok"]


def test_a_compiler_and_what_it_makes(place: Path) -> None:
    need("gcc")
    (place / "hello.c").write_text('#include <stdio.h>\nint main(void) { puts("hello"); }\n')
    host("gcc", "-o", "hello", "hello.c", cwd=place)
    assert host("./hello", cwd=place) == "hello\n"
    (place / "hello").chmod(0o711)  # to be run, and not read
    assert host("./hello", cwd=place, user=1001, group=1001, extra_groups=[]) == "hello\n"


def test_times_that_the_host_knows_and_the_format_does_not(place: Path) -> None:
    last = 2**32 - 1
    for seconds in (
        -1,
        0,
        last,
        last + 1,
        2**33,
        2**35,
        2**43,
    ):  # ns of the later ones: 2**64, 2**72
        (place / "file").touch()
        os.utime(place / "file", (seconds, seconds))
        assert (place / "file").stat().st_mtime == max(0, min(seconds, last))


def test_find_and_remove(place: Path) -> None:
    for number in range(20):
        os.makedirs(place / f"d{number}" / "e" / "f")
        for name in range(20):
            (place / f"d{number}" / "e" / f"file{name}").touch()
    assert host("find", ".", "-type", "f", "-name", "file1*", cwd=place).count("\n") == 20 * 11
    host("rm", "-rf", *(f"d{number}" for number in range(20)), cwd=place)
    assert os.listdir(place) == []


def test_concurrent_readers_and_writers(place: Path) -> None:
    data = {number: os.urandom(200_000) for number in range(8)}

    def write_and_read(number: int) -> bool:
        for _ in range(3):
            (place / f"{number}").write_bytes(data[number])
            if (place / f"{number}").read_bytes() != data[number]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(write_and_read, data))
        shared = list(pool.map(lambda _: (place / "3").read_bytes(), range(16)))
    assert shared == [data[3]] * 16


@pytest.fixture
def image(tmp_path: Path) -> Path:
    require_fuse()
    (tmp_path / "directory").mkdir()
    return make_image(tmp_path / "image", "1M")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unmounts(image: Path, how: signal.Signals) -> None:
    directory = image.parent / "directory"
    with mounted(image, directory) as running:
        assert is_mounted(directory)
        (directory / "file").write_text("written")
        inside = os.open(directory, os.O_RDONLY)  # in use: it goes all the same
        assert running.end(how) == (0, "")
        os.close(inside)
    assert not is_mounted(directory)
    assert os.listdir(directory) == []
    assert cli.main(["image", "check", str(image)]) == 0
    with mounted(image, directory):
        assert (directory / "file").read_text() == "written"


def test_many_signals_unmount_once(image: Path) -> None:
    directory = image.parent / "directory"
    with mounted(image, directory) as running:
        for number in range(30):
            (directory / f"{number}").write_text("written")
        for _ in range(20):
            running.process.send_signal(signal.SIGTERM)
            running.process.send_signal(signal.SIGINT)
        assert running.ended()[0] in {0, 130}  # interrupted, at the latest when all is done
    assert not is_mounted(directory)
    assert cli.main(["image", "check", str(image)]) == 0


def test_umount_ends_it(image: Path) -> None:
    directory = image.parent / "directory"
    with mounted(image, directory) as running:
        (directory / "file").write_text("written")
        host("umount", str(directory), cwd=image.parent)
        assert running.ended() == (0, "")
    assert cli.main(["image", "cat", str(image), "/file"]) == 0


def test_read_only(image: Path) -> None:
    directory = image.parent / "directory"
    with mounted(image, directory):
        (directory / "file").write_text("written")
    before = image.read_bytes()
    with mounted(image, directory, "--read-only"):
        assert (directory / "file").read_text() == "written"
        with pytest.raises(OSError, match="Read-only") as refused:
            (directory / "new").touch()
        assert refused.value.errno == errno.EROFS
        with pytest.raises(OSError, match="Read-only"):
            (directory / "file").unlink()
    assert image.read_bytes() == before


def test_one_at_a_time(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory, other = image.parent / "directory", image.parent / "other"
    other.mkdir()
    with mounted(image, directory):
        for command in (["mount", str(image), str(other)], ["image", "ls", str(image)]):
            assert cli.main(command) == 2
            assert f"the disk image {str(image)!r} is in use" in capsys.readouterr().err


def test_a_server_that_dies_is_an_error_once(image: Path) -> None:
    directory = image.parent / "directory"
    with mounted(image, directory, "--kernel", "microkernel") as running:
        (directory / "file").write_text("lost with the server's memory, or not")
        os.sync()
        os.kill(_server(running.process.pid, "filesystem"), signal.SIGKILL)
        eventually(lambda: _answers(directory))
        (directory / "new").write_text("new")
        assert running.end() == (0, "")
    assert cli.main(["image", "check", str(image)]) == 0


def test_a_panic_unmounts_and_says_so(image: Path) -> None:
    directory = image.parent / "directory"
    code = (
        "import sys\n"
        "from lab.cli import main\n"
        "from servers.filesystem import attributes\n"
        "def bug(*_):\n"
        "    raise ValueError('as asked')\n"
        "attributes.set_mode = bug\n"
        "sys.exit(main())\n"
    )
    with mounted(image, directory, program=("-c", code)) as running:
        (directory / "file").touch()
        with pytest.raises(OSError, match=r"Input/output|abort"):
            (directory / "file").chmod(0o600)
        status, said = running.ended()
    assert status == 1
    assert "kernel panic in FileSystem.chmod: ValueError: as asked" in said
    assert not is_mounted(directory)


def test_a_mistake_of_the_mount_costs_one_request(image: Path) -> None:
    directory = image.parent / "directory"
    code = (
        "import sys\n"
        "from lab.cli import main\n"
        "from lab.mount.operations import MountedFiles\n"
        "def mistake(*_):\n"
        "    raise KeyError('as asked')\n"
        "MountedFiles._set_mode = mistake\n"
        "sys.exit(main())\n"
    )
    with mounted(image, directory, program=("-c", code)) as running:
        (directory / "file").touch()
        with pytest.raises(OSError, match="Input/output"):
            (directory / "file").chmod(0o600)
        (directory / "file").write_text("written")
        assert running.end() == (0, "twinos: setattr: KeyError: 'as asked'\n")


def _answers(directory: Path) -> bool:
    try:
        os.statvfs(directory)
    except OSError:
        return False
    return True


def _server(owner: int, name: str) -> int:
    """The process of a server of the system that this process owns."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,comm="], check=True, capture_output=True, text=True
    ).stdout
    processes = [line.split(maxsplit=2) for line in listed.splitlines()]
    nuclei = {pid for pid, parent, _ in processes if parent == str(owner)}
    return next(
        int(pid) for pid, parent, comm in processes if parent in nuclei and name in comm.lower()
    )


@pytest.mark.parametrize(
    ("image_name", "directory", "said"),
    [
        ("image", "full", "full is not empty"),
        ("image", "image", "image is no directory"),
        ("image", "missing", "missing can't be mounted on: No such file"),
        ("missing", "directory", "missing can't be opened"),
        ("text", "directory", "text holds no MINIX version 3 file system"),
    ],
)
def test_one_sentence(
    image: Path,
    image_name: str,
    directory: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(image.parent)
    Path("full/file").parent.mkdir()
    Path("full/file").touch()
    Path("text").write_text("no image" * 2000)
    assert cli.main(["mount", image_name, directory]) == 2
    written = capsys.readouterr().err
    assert said in written
    assert written.count("\n") == 1


def test_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("pyfuse3", "lab.mount.session", "lab.mount.operations", "lab.mount"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "pyfuse3", None)
    assert cli.main(["mount", str(tmp_path / "image"), str(tmp_path)]) == 2
    assert "mounting needs the extra `mount`" in capsys.readouterr().err
